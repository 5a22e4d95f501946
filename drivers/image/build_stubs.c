#include "drivers/image/build_stubs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "lib/cleanup.h"

void build_stubs_note(int root, const char *path, struct arena *arena, struct texts *stubs)
{
    char settled[GUEST_PATH_SIZE], part[GUEST_PATH_SIZE];
    guest_path_settle(root, path, settled);
    for (const char *slash = settled; *slash;) {
        slash += strspn(slash, "/");
        slash += strcspn(slash, "/");
        snprintf(part, sizeof(part), "%.*s", (int)(slash - settled), settled);
        _cleanup_close_ int there = guest_open(root, part, O_NOFOLLOW, NULL);
        if (there < 0 && *part)
            *arena_append(arena, stubs->items, stubs->count) = arena_strdup(arena, part);
    }
}

static int open_parent(int upper, const char *path, const char **name)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    char parent[GUEST_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof(parent), ".%.*s", (int)(slash - path), path);
    *name = slash + 1;
    return (int)syscall(SYS_openat2, upper, parent, &how, sizeof(how));
}

static void remove_one(int upper, const char *path)
{
    const char *name;
    struct stat status;
    _cleanup_close_ int parent = open_parent(upper, path, &name);
    if (parent < 0 || fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(status.st_mode))
        unlinkat(parent, name, AT_REMOVEDIR); /* only an empty one goes */
    else if (S_ISREG(status.st_mode) && status.st_size == 0)
        unlinkat(parent, name, 0);
}

/* The last noted first: what is in a folder before the folder. */
void build_stubs_remove(int upper, const struct texts *stubs)
{
    for (size_t i = stubs->count; i-- > 0;)
        remove_one(upper, stubs->items[i]);
}
