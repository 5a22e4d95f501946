/* Runs a fuzz target on files: replay FILE..., one TAP line each. What a file breaks ends the program, so that the
 * case without a line is the one. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/buffer.h"
#include "tests/fuzz/fuzz.h"

int main(int count, char **files)
{
    setlinebuf(stdout);
    for (int i = 1; i < count; i++) {
        _cleanup_buffer_ struct buffer bytes = {0};
        if (buffer_read_file(&bytes, AT_FDCWD, files[i], 1 << 24, NULL) < 0) {
            printf("not ok %d - %s cannot be read\n", i, files[i]);
            return 1;
        }
        /* In memory of its exact size, so that a read past the end is seen. */
        _cleanup_free_ uint8_t *exact = malloc(bytes.length ? bytes.length : 1);
        if (bytes.length)
            memcpy(exact, bytes.bytes, bytes.length);
        LLVMFuzzerTestOneInput(exact, bytes.length);
        printf("ok %d - %s\n", i, files[i]);
    }
    printf("1..%d\n", count - 1);
    return 0;
}
