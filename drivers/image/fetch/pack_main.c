/* The word `pack`: from its request to the last line. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "drivers/image/fetch/pack.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

#define REQUEST_LIMIT ((size_t)64 << 20) /* opaque folders may be many */

static int read_request(struct buffer *request, struct error *error)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        if (request->length + (size_t)got > REQUEST_LIMIT)
            return error_set(error, -EFBIG, "the request is too large");
        buffer_add(request, bytes, (size_t)got);
    }
    return got < 0 || !request->length ? error_set(error, -EIO, "there is no request") : 0;
}

static int run(struct packed *packed, struct error *error)
{
    _cleanup_buffer_ struct buffer request = {0};
    struct pack_trees trees = {-1, fcntl(PACK_BASE_FD, F_GETFD) < 0 ? -1 : PACK_BASE_FD};
    digest_free(digest_new()); /* the library looks around the system at its first use */
    int result = read_request(&request, error);
    if (result == 0)
        result = sandbox_enter(PACK_TREE_FD, true, trees.base < 0 ? NULL : &trees.base, error);
    close(PACK_TREE_FD); /* it would lead out */
    if (result < 0)
        return result;
    trees.top = openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (trees.top < 0)
        return error_errno(error, -errno, "tree");
    result = sandbox_close(error);
    return result < 0 ? result : pack(request.bytes, &trees, PACK_FILE_FD, packed, error);
}

int pack_main(void)
{
    struct error error = {0};
    struct packed packed = {0};
    struct stat status;
    char line[ERROR_TEXT_SIZE + 256];
    if (fstat(PACK_TREE_FD, &status) < 0 || !S_ISDIR(status.st_mode) || fstat(PACK_FILE_FD, &status) < 0 ||
        !S_ISREG(status.st_mode)) {
        fputs("fpsync-fetch is run by fpsync\n", stderr);
        return 2;
    }
    setlocale(LC_CTYPE, "C.UTF-8"); /* names are UTF-8 */
    int result = run(&packed, &error);
    int length = result < 0
                     ? snprintf(line, sizeof(line), "error %s\n", error.text)
                     : snprintf(line, sizeof(line), "done %lld %lld %lld %s %s %lld\n",
                                (long long)packed.entries, (long long)packed.bytes, (long long)packed.skipped,
                                packed.written, packed.tar, (long long)packed.size);
    _exit(bytes_write(STDOUT_FILENO, line, (size_t)length) < 0 || result < 0);
}
