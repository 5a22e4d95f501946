/* What our small init wrote of the end of its command. The guest's root can write there, too. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/units.h"

bool exit_read(const struct paths *paths, const char *lxc_name, struct exit_note *out)
{
    char path[CONTAINER_PATH_SIZE], text[16 + sizeof(out->reason)];
    container_path(paths, lxc_name, CONTAINER_HOST_DIR "/exit", path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    text[length > 0 ? length : 0] = '\0';
    char *rest = text, *status = strsep(&rest, "\n");
    const char *reason = rest ? strsep(&rest, "\n") : "";
    if (number_parse(status, &out->status) < 0 || out->status < 0 || out->status > 255)
        return false;
    size_t kept = 0;
    for (; reason[kept] && kept < sizeof(out->reason) - 1; kept++)
        out->reason[kept] = reason[kept] < 0x20 || reason[kept] == 0x7f ? '?' : reason[kept];
    out->reason[kept] = '\0';
    return true;
}
