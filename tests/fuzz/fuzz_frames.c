/* The stream from a worker (first byte even) or to it (odd): frames are taken until it ends or is refused. */
#include <unistd.h>

#include "drivers/task.h"
#include "lib/error.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const struct table *table = *data % 2 ? &task_table : &task_reply_table;
    _cleanup_close_ int fd = file_of(data + 1, size - 1), out = file_of(NULL, 0);
    struct error error;
    int result = 1;
    while (result > 0) {
        _cleanup_arena_ struct arena *arena = arena_new();
        void *object = NULL;
        result = task_receive(fd, table, arena, &object, &error);
        MUST((result > 0) == (object != NULL));
        if (object)
            MUST(task_send(out, table, object, &error) == 0);
    }
    return 0;
}
