#include "drivers/storage/view_leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "drivers/storage/tree.h"
#include "lib/error.h"
#include "lib/map.h"

static void add(const char *kind, const char *file, struct arena *arena, struct observed_leftovers *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->items[i].kind, kind) == 0 && strcmp(out->items[i].file, file) == 0)
            return;
    *arena_append(arena, out->items, out->count) = (struct observed_leftover){.kind = kind, .file = file};
}

/* KEY.part and KEY.note: what came of something that is still to come, if anybody asks for it again. */
static int add_downloads(const struct paths *paths, struct arena *arena, struct observed_leftovers *out,
                         struct error *error)
{
    DIR *folder = opendir(paths->downloads);
    if (!folder)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot read %s", paths->downloads);
    for (struct dirent *item; (item = readdir(folder));)
        if (*item->d_name != '.')
            add("download", arena_strndup(arena, item->d_name, strcspn(item->d_name, ".")), arena, out);
    closedir(folder);
    return 0;
}

int view_leftovers(const struct paths *paths, struct arena *arena, struct observed_leftovers *out,
                   struct error *error)
{
    const struct {
        const char *kind, *path;
    } stores[] = {{"image", paths->images}, {"layer", paths->layers}, {"volume", paths->volumes}};
    *out = (struct observed_leftovers){0};
    for (size_t i = 0; i < sizeof(stores) / sizeof(*stores); i++) {
        DIR *store = opendir(stores[i].path);
        if (!store && errno == ENOENT)
            continue;
        if (!store)
            return error_errno(error, -errno, "cannot read %s", stores[i].path);
        const size_t prefix = strlen(TREE_LEFTOVER);
        for (struct dirent *item; (item = readdir(store));)
            if (strncmp(item->d_name, TREE_LEFTOVER, prefix) == 0)
                add(stores[i].kind,
                    arena_strndup(arena, item->d_name + prefix, strcspn(item->d_name + prefix, ".")), arena,
                    out);
        closedir(store);
    }
    return add_downloads(paths, arena, out, error);
}
