#include "drivers/storage/promise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/change.h"
#include "lib/error.h"

int promise_make(const struct changing *changing, const struct stack *what, struct error *error)
{
    return change_note_as(changing, what, ".", error);
}

/* The name says that all is in place: `data` first, which may be another file system. */
static int rename_note(int folder, int data, struct arena *arena, const char *name, struct error *error)
{
    const char *hidden = arena_printf(arena, "snapshots/.%s", name);
    const char *shown = arena_printf(arena, "snapshots/%s", name);
    _cleanup_close_ int notes = openat(folder, "snapshots", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (syncfs(data) < 0 || notes < 0 || renameat(folder, hidden, folder, shown) < 0 || fsync(notes) < 0)
        return error_errno(error, -errno, "cannot write %s", shown);
    return 0;
}

int promise_keep(const struct changing *changing, struct error *error)
{
    return rename_note(changing->folder, changing->data, changing->call->arena, changing->changed->name,
                       error);
}

int promise_place(int data, const char *live, struct error *error)
{
    char new[32];
    snprintf(new, sizeof(new), "%s.new", live);
    return renameat(data, new, data, live) < 0 && errno != ENOENT
               ? error_errno(error, -errno, "cannot put %s in place", new)
               : 0;
}

struct settling {
    struct arena *arena;
    int data;
    const char *live;
    bool in_file;
    struct error *error;
};

/* A folder trades places with an empty one. A file has a second name first, and then gives the other away. */
static bool has_moved(const struct settling *settling, const char *frozen)
{
    struct stat live, kept;
    if (!settling->in_file)
        return !folder_is_empty(settling->data, frozen);
    const char *image = arena_printf(settling->arena, "%s/image", frozen);
    return fstatat(settling->data, image, &kept, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(settling->data, "image", &live, AT_SYMLINK_NOFOLLOW) == 0 && live.st_ino != kept.st_ino;
}

static int bring_to_end(const struct settling *settling, int folder, const char *name)
{
    int result = settling->in_file ? 0 : promise_place(settling->data, settling->live, settling->error);
    return result < 0 ? result : rename_note(folder, settling->data, settling->arena, name, settling->error);
}

static int take_back(const struct settling *settling, int folder, const char *note, const char *frozen)
{
    const char *image = arena_printf(settling->arena, "%s/image", frozen);
    if (settling->in_file && unlinkat(settling->data, image, 0) < 0 && errno != ENOENT)
        return error_errno(settling->error, -errno, "cannot remove %s", image);
    if ((unlinkat(settling->data, frozen, AT_REMOVEDIR) < 0 && errno != ENOENT) ||
        unlinkat(folder, note, 0) < 0)
        return error_errno(settling->error, -errno, "cannot remove %s", note);
    return 0;
}

static int settle_one(void *context, int folder, const char *name)
{
    const struct settling *settling = context;
    struct stack what;
    if (*name != '.')
        return 0;
    const char *note = arena_printf(settling->arena, "snapshots/%s", name);
    int result = stack_read(folder, note, settling->arena, &what, settling->error);
    if (result < 0)
        return result;
    const char *frozen =
        arena_printf(settling->arena, "frozen/%s", what.frozen.count ? what.frozen.items[0] : "none");
    return has_moved(settling, frozen) ? bring_to_end(settling, folder, name + 1)
                                       : take_back(settling, folder, note, frozen);
}

int promise_settle(int notes, int data, const char *live, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct error trouble = {0};
    struct settling settling = {
        .arena = arena, .data = data, .live = live, .in_file = strcmp(live, "image") == 0, .error = &trouble};
    int result = change_each_name(notes, "snapshots", settle_one, &settling);
    return result >= 0       ? 0
           : trouble.text[0] ? error_set(error, result, "%s", trouble.text)
                             : error_errno(error, result, "cannot look for what was interrupted");
}
