#include "drivers/image/build_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "drivers/storage/tree.h"
#include "lib/cleanup.h"

#define ID_LENGTH 32 /* hex digits */

/* Text of the file, without the line's end; -ENOENT: it is not there, or is no such file. */
static int read_id(int etc, char id[static ID_LENGTH + 1])
{
    char text[ID_LENGTH + 2];
    struct stat status;
    _cleanup_close_ int file = openat(etc, "machine-id", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0 || !S_ISREG(status.st_mode))
        return -ENOENT;
    ssize_t length = read(file, text, sizeof(text) - 1);
    if (length < 0)
        return -errno;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    snprintf(id, ID_LENGTH + 1, "%.*s", ID_LENGTH, text);
    return 0;
}

bool build_boot_asks(int root, bool booted)
{
    char id[ID_LENGTH + 1];
    struct stat status;
    _cleanup_close_ int etc = guest_open(root, "/etc", O_DIRECTORY, NULL);
    if (etc < 0 || (fstatat(etc, "machine-id", &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT))
        return booted;
    return read_id(etc, id) == 0 && (!*id || strcmp(id, "uninitialized") == 0);
}

void build_boot_forget(int upper)
{
    char id[ID_LENGTH + 1];
    _cleanup_close_ int etc = guest_open(upper, "/etc", O_DIRECTORY, NULL);
    if (etc < 0 || read_id(etc, id) < 0 || strlen(id) != ID_LENGTH ||
        strspn(id, "0123456789abcdef") != ID_LENGTH)
        return;
    unlinkat(etc, "machine-id", 0); /* what is below it, or nothing, shows again */
    _cleanup_close_ int journal = guest_open(upper, "/var/log/journal", O_DIRECTORY, NULL);
    if (journal >= 0)
        tree_remove(journal, id, NULL);
}
