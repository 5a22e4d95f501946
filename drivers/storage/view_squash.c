#include "drivers/storage/view_squash.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buffer.h"
#include "lib/cleanup.h"

/* DIGEST of "IMAGES/DIGEST/image.squashfs". */
static const char *digest_in(struct arena *arena, const char *images, char *path)
{
    const size_t length = strlen(images);
    path[strcspn(path, "\n")] = '\0';
    if (strncmp(path, images, length) != 0 || path[length] != '/')
        return NULL;
    const char *digest = path + length + 1, *rest = strchr(digest, '/');
    return rest && strcmp(rest, "/" SQUASH_FILE) == 0 ? arena_strndup(arena, digest, (size_t)(rest - digest))
                                                      : NULL;
}

struct texts *squash_mounted(const struct paths *paths, struct arena *arena)
{
    struct texts *found = arena_new_of(arena, struct texts);
    _cleanup_free_ char *images = realpath(paths->images, NULL);
    DIR *directory = images ? opendir("/sys/block") : NULL;
    *found = (struct texts){0};
    for (struct dirent *item; directory && (item = readdir(directory));) {
        _cleanup_buffer_ struct buffer text = {0};
        const char *name = arena_printf(arena, "%s/loop/backing_file", item->d_name);
        if (strncmp(item->d_name, "loop", strlen("loop")) != 0 ||
            buffer_read_file(&text, dirfd(directory), name, PATH_MAX, NULL) < 0 || !text.length)
            continue;
        const char *digest = digest_in(arena, images, text.bytes);
        if (digest)
            *arena_append(arena, found->items, found->count) = digest;
    }
    if (directory)
        closedir(directory);
    return found;
}
