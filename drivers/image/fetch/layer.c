/* What a layer of an OCI image does to the layers below it (image-spec, layer.md), while it is unpacked over them.
 *
 * ".wh.NAME" takes NAME of lower layers away, ".wh..wh..opq" all that lower layers have in its folder; neither touches
 * what this layer itself brings, in whatever order it comes: hence the map of what it has made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/arena.h"
#include "lib/error.h"

#define MARK       ".wh."
#define MARK_SIZE  (sizeof(MARK) - 1)
#define LIST_SIZE  65536 /* bytes of names of xattrs, at most (listxattr(2)) */
#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static char made_mark, touched_mark;

bool layer_is_mark(const char *name)
{
    return strncmp(name, MARK, MARK_SIZE) == 0;
}

/* The folders on the way are not this layer's, but hold something of it. */
void layer_made(struct filling *filling, const char *path)
{
    char part[PATH_MAX];
    memcpy(part, path, strlen(path) + 1);
    if (!map_add(&filling->made, part, &made_mark))
        *map_at(&filling->made, part) = &made_mark;
    for (char *slash; (slash = strrchr(part, '/'));) {
        *slash = '\0';
        if (!map_add(&filling->made, part, &touched_mark))
            break;
    }
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes what lower layers have at a name, and leaves what this one has there. `path` has room for PATH_MAX bytes and
 * comes back as it was. */
static int hide(struct filling *filling, int parent, const char *name, char *path, int depth);

static void add_part(char *path, size_t length, const char *name)
{
    if (length)
        path[length++] = '/';
    memcpy(path + length, name, strlen(name) + 1);
}

static int hide_inside(struct filling *filling, int folder, char *path, int depth)
{
    int copy = openat(folder, ".", OPEN_FLAGS), result = 0;
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return filling_fail(filling, -errno);
    const size_t length = strlen(path);
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        if (is_dots(item->d_name))
            continue;
        if (length + strlen(item->d_name) + 2 > PATH_MAX)
            result = filling_fail(filling, -ENAMETOOLONG);
        else
            add_part(path, length, item->d_name);
        if (result == 0)
            result = hide(filling, folder, item->d_name, path, depth + 1);
        path[length] = '\0';
    }
    closedir(directory);
    return result;
}

static int hide(struct filling *filling, int parent, const char *name, char *path, int depth)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : filling_fail(filling, -errno);
    const void *mark = map_get(&filling->made, path);
    if (!S_ISDIR(status.st_mode)) {
        if (!mark && unlinkat(parent, name, 0) < 0)
            return filling_fail(filling, -errno);
        return 0;
    }
    if (depth > 2 * DEPTH_LIMIT)
        return filling_refuse(filling, "hides what lies too deep");
    _cleanup_close_ int folder = openat(parent, name, OPEN_FLAGS);
    if (folder < 0)
        return filling_fail(filling, -errno);
    int result = hide_inside(filling, folder, path, depth);
    if (result == 0 && !mark && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        return filling_fail(filling, -errno);
    return result;
}

int layer_obey(struct filling *filling, int parent, const char *name)
{
    char path[PATH_MAX];
    const char *hidden = name + MARK_SIZE;
    size_t folder = (size_t)(strlen(filling->path) - strlen(name)); /* with its slash */
    memcpy(path, filling->path, folder);
    path[folder ? folder - 1 : 0] = '\0';
    if (strcmp(hidden, MARK ".opq") == 0)
        return hide_inside(filling, parent, path, 0);
    if (layer_is_mark(hidden)) /* of aufs itself: .wh..wh.plnk and the like */
        return 0;
    if (!*hidden || is_dots(hidden))
        return filling_refuse(filling, "hides nothing that can be named");
    memcpy(path, filling->path, folder);
    memcpy(path + folder, hidden, strlen(hidden) + 1);
    return hide(filling, parent, hidden, path, 0);
}

/* A folder takes on all of what the new one says of it, so what it had of the old one goes. */
static int strip_xattrs(struct filling *filling, int parent, const char *name)
{
    _cleanup_close_ int fd = openat(parent, *name ? name : ".", OPEN_FLAGS);
    static char list[LIST_SIZE];
    ssize_t size = fd < 0 ? -1 : flistxattr(fd, list, LIST_SIZE);
    if (size < 0)
        return filling_fail(filling, -errno);
    for (char *at = list; at < list + size; at += strlen(at) + 1)
        if (fremovexattr(fd, at) < 0 && errno != ENODATA && errno != EPERM)
            return filling_fail(filling, -errno);
    return 0;
}

int layer_make_room(struct filling *filling, const struct entry *entry, int parent, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    int result = 0;
    bool again = *name && map_get(&filling->made, filling->path) == &made_mark;
    bool there = fstatat(parent, *name ? name : ".", &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && entry->type == ENTRY_FOLDER && S_ISDIR(status.st_mode)) {
        result = again ? 0 : strip_xattrs(filling, parent, name);
    } else if (there && again) {
        return filling_refuse(filling, "comes twice");
    } else if (there) {
        memcpy(path, filling->path, strlen(filling->path) + 1);
        result = map_get(&filling->made, path) ? filling_refuse(filling, "comes twice")
                                               : hide(filling, parent, name, path, 0);
    }
    if (result == 0 && *name)
        layer_made(filling, filling->path);
    return result;
}
