/* A person's stop outlives the record: it is noted beside the config. Reads only; linked into the main program, too. */
#include <errno.h>
#include <fcntl.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define NOTE_LIMIT 4096 /* bytes */

int container_read_stop(const struct paths *paths, const char *lxc_name, const struct call *call,
                        const char **by, struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    *by = NULL;
    int result = container_check_name(lxc_name, error);
    if (result < 0)
        return result;
    container_path(paths, lxc_name, CONTAINER_STOPPED, path);
    result = buffer_read_file(&text, AT_FDCWD, path, NOTE_LIMIT, error);
    if (result == 0)
        *by = arena_strndup(call->arena, text.length ? text.bytes : "", text.length);
    return result == -ENOENT ? 0 : result;
}
