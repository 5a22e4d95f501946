#include "drivers/storage/stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "drivers/storage/data.h"
#include "drivers/storage/image_file.h"
#include "drivers/storage/still.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_mounts.h"
#include "drivers/storage/volume.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define FROZEN_LIMIT 4 /* SEMANTICS 10 */

struct changing {
    const struct paths *paths;
    const struct data_change *request;
    const struct call *call;
    struct data_changed *changed;
    int folder;       /* of the layer or volume, locked */
    const char *live; /* in it: "upper", "root" or "data" */
    struct stack stack;
};

/* ---- notes ---- */

int stack_write(int folder, const char *note, const struct stack *stack, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (stack->token)
        buffer_printf(&text, "token %s\n", stack->token);
    if (stack->image)
        buffer_printf(&text, "image %s\n", stack->image);
    if (stack->made)
        buffer_printf(&text, "made %" PRId64 "\n", stack->made);
    if (stack->kept)
        buffer_text(&text, "kept 1\n");
    if (stack->whole)
        buffer_text(&text, "whole 1\n");
    for (size_t i = 0; i < stack->frozen.count; i++)
        buffer_printf(&text, "frozen %s\n", stack->frozen.items[i]);
    if (mkdirat(folder, "snapshots", 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make snapshots");
    _cleanup_close_ int fd =
        openat(folder, ".note.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text.bytes ? text.bytes : "", text.length) != (ssize_t)text.length ||
        fsync(fd) < 0 || renameat(folder, ".note.new", folder, note) < 0 || fsync(folder) < 0)
        return error_errno(error, -errno, "cannot write %s", note);
    return 0;
}

/* Calls `each` with the name of every snapshot until it answers something else than 0. */
static int each_name(int folder, const char *inside, int (*each)(void *context, int folder, const char *name),
                     void *context)
{
    int copy = openat(folder, inside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return errno == ENOENT ? 0 : -errno;
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (item->d_name[0] != '.')
            result = each(context, folder, item->d_name);
    closedir(directory);
    return result;
}

struct naming {
    struct arena *arena;
    const char *number;
    struct error *error;
};

static int names_number(void *context, int folder, const char *name)
{
    const struct naming *naming = context;
    struct stack stack;
    int result = stack_read(folder, arena_printf(naming->arena, "snapshots/%s", name), naming->arena, &stack,
                            naming->error);
    return result < 0 ? result : stack_holds(&stack, naming->number);
}

/* 1 when a snapshot names the frozen folder. */
static int is_named(int folder, struct arena *arena, const char *number, struct error *error)
{
    struct naming naming = {.arena = arena, .number = number, .error = error};
    return each_name(folder, "snapshots", names_number, &naming);
}

struct sweeping {
    struct arena *arena;
    const struct stack *stack;
    struct error *error;
};

static int sweep_one(void *context, int folder, const char *name)
{
    const struct sweeping *sweeping = context;
    if (stack_holds(sweeping->stack, name))
        return 0;
    int result = is_named(folder, sweeping->arena, name, sweeping->error);
    if (result != 0)
        return result < 0 ? result : 0;
    _cleanup_close_ int frozen = openat(folder, "frozen", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return frozen < 0 ? -errno : tree_remove(frozen, name, sweeping->error);
}

/* Frozen folders that no note names. */
static int sweep(const struct changing *changing)
{
    struct error trouble;
    struct sweeping sweeping = {.arena = changing->call->arena, .stack = &changing->stack, .error = &trouble};
    return each_name(changing->folder, "frozen", sweep_one, &sweeping);
}

static int count_highest(void *context, int folder, const char *name)
{
    (void)folder;
    long *highest = context, number = strtol(name, NULL, 10);
    *highest = number > *highest ? number : *highest;
    return 0;
}

/* A number that no frozen folder has had. */
static const char *next_number(const struct changing *changing)
{
    long highest = 0;
    each_name(changing->folder, "frozen", count_highest, &highest);
    return arena_printf(changing->call->arena, "%ld", highest + 1);
}

static const char *frozen_path(const struct changing *changing, const char *number)
{
    return arena_printf(changing->call->arena, "frozen/%s", number);
}

/* ---- steps ---- */

static int found_anything(void *context, int folder, const char *name)
{
    (void)context, (void)folder, (void)name;
    return 1;
}

bool folder_is_empty(int folder, const char *inside)
{
    return each_name(folder, inside, found_anything, NULL) == 0;
}

/* An empty folder that looks from outside like the one it is to stand for. */
static int make_like(const struct changing *changing, const char *path, struct error *error)
{
    struct stat status;
    if (fstatat(changing->folder, changing->live, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        (mkdirat(changing->folder, "frozen", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(changing->folder, path, 0700) < 0 && errno != EEXIST) ||
        fchownat(changing->folder, path, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(changing->folder, path, status.st_mode & 07777, 0) < 0)
        return error_errno(error, -errno, "cannot make %s", path);
    return 0;
}

static int trade(const struct changing *changing, const char *path, struct error *error)
{
    if (renameat2(changing->folder, changing->live, changing->folder, path, RENAME_EXCHANGE) < 0)
        return error_errno(error, -errno, "cannot freeze %s of %s", changing->live, changing->request->file);
    return 0;
}

static void push(const struct changing *changing, struct stack *stack, const char *number)
{
    struct arena *arena = changing->call->arena;
    const char **items = arena_array_of(arena, const char *, stack->frozen.count + 1);
    *items = number;
    if (stack->frozen.count)
        memcpy(items + 1, stack->frozen.items, stack->frozen.count * sizeof(*items));
    stack->frozen = (struct texts){.items = items, .count = stack->frozen.count + 1};
}

/* Steps 1 and 2. An empty folder on top of the stack is one that an interrupted change has put there. */
static int freeze_upper(struct changing *changing, struct error *error)
{
    struct stack *stack = &changing->stack;
    if (folder_is_empty(changing->folder, "upper"))
        return 0;
    const char *top = stack->frozen.count ? frozen_path(changing, stack->frozen.items[0]) : NULL;
    if (!top || !folder_is_empty(changing->folder, top)) {
        const char *number = next_number(changing);
        top = frozen_path(changing, number);
        push(changing, stack, number);
    }
    int result = make_like(changing, top, error);
    if (result == 0)
        result = stack_write(changing->folder, "stack", stack, error);
    return result < 0 ? result : trade(changing, top, error);
}

static const char *free_name(const struct changing *changing)
{
    const char *name = changing->request->name;
    for (int number = 2;; number++) {
        const char *note = arena_printf(changing->call->arena, "snapshots/%s", name);
        if (!stack_exists(changing->folder, note))
            return name;
        name = arena_printf(changing->call->arena, "%s-%d", changing->request->name, number);
    }
}

static int note_snapshot(const struct changing *changing, const struct stack *what, struct error *error)
{
    struct stack note = {.image = changing->request->image,
                         .made = (int64_t)time(NULL),
                         .kept = changing->request->kept,
                         .whole = what->whole,
                         .frozen = what->frozen};
    const char *name = free_name(changing);
    changing->changed->name = name;
    return stack_write(changing->folder, arena_printf(changing->call->arena, "snapshots/%s", name), &note,
                       error);
}

/* What the data shall be from now on: that of a snapshot, or nothing. */
static int read_from(const struct changing *changing, struct stack *stack, struct error *error)
{
    *stack = (struct stack){0};
    if (!changing->request->from)
        return 0;
    const char *note = arena_printf(changing->call->arena, "snapshots/%s", changing->request->from);
    if (!stack_exists(changing->folder, note))
        return error_set(error, -ENOENT, "%s has no snapshot %s", changing->request->file,
                         changing->request->from);
    int result = stack_read(changing->folder, note, changing->call->arena, stack, error);
    if (result == 0 && changing->changed)
        changing->changed->image = stack->image;
    if (result == 0 && stack->whole != changing->request->whole)
        return error_set(error, -EINVAL, "snapshot %s is %s, and the root is %s now", changing->request->from,
                         stack->whole ? "of a copy" : "of a layer", stack->whole ? "a layer" : "a copy");
    return result;
}

static int change_upper(struct changing *changing, struct error *error)
{
    const struct data_change *request = changing->request;
    struct stack from;
    int result = read_from(changing, &from, error);
    if (result == 0)
        result = freeze_upper(changing, error);
    bool anything = changing->stack.frozen.count > 0;
    if (result == 0 && request->name && (anything || request->kept))
        result = note_snapshot(changing, &changing->stack, error);
    if (request->fresh || request->from)
        changing->stack.frozen = from.frozen;
    changing->stack.token = request->token;
    return result < 0 ? result : stack_write(changing->folder, "stack", &changing->stack, error);
}

/* ---- what is whole: a copy root, a volume ---- */

static const char *beside(const struct changing *changing, const char *ending)
{
    return arena_printf(changing->call->arena, "%s.%s", changing->live, ending);
}

static int copy_whole(const struct changing *changing, const char *from, const char *part, const char *to,
                      struct error *error)
{
    int result = tree_remove(changing->folder, part, error);
    if (result < 0)
        return result;
    if (mkdirat(changing->folder, part, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", part);
    _cleanup_close_ int source =
        openat(changing->folder, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int target =
        openat(changing->folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct tree_copied copied;
    if (source < 0 || target < 0)
        return error_errno(error, -errno, "cannot copy %s", from);
    result = tree_copy(source, target, "copying:", changing->call, &copied, error);
    if (result < 0)
        return result;
    if (syncfs(target) < 0 || renameat(changing->folder, part, changing->folder, to) < 0)
        return error_errno(error, -errno, "cannot copy %s", from);
    return 0;
}

int whole_settle(int folder, const char *live, struct error *error)
{
    char new[32];
    snprintf(new, sizeof(new), "%s.new", live);
    if (folder_is_empty(folder, live)) {
        if (renameat(folder, new, folder, live) < 0 && errno != ENOENT)
            return error_errno(error, -errno, "cannot put %s in place", new);
        return 0;
    }
    return tree_remove(folder, new, error);
}

static int snapshot_whole(struct changing *changing, struct error *error)
{
    struct stack what = {.whole = true};
    const char *number = next_number(changing), *path = frozen_path(changing, number);
    if (mkdirat(changing->folder, "frozen", 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make frozen");
    int result = copy_whole(changing, changing->live, beside(changing, "part"), path, error);
    push(changing, &what, number);
    return result < 0 ? result : note_snapshot(changing, &what, error);
}

/* Its guests stand still, so that what was written belongs together. */
static int snapshot_still(struct changing *changing, struct error *error)
{
    _cleanup_still_ struct still still = NOT_STILL;
    int result = still_hold(&still, &changing->request->guests, changing->call->arena, error);
    return result < 0 ? result : snapshot_whole(changing, error);
}

/* What comes is made first, then trades places, in two renames, with what was there, which a note names by then. */
static int replace_whole(struct changing *changing, struct error *error)
{
    struct stack from, what = {.whole = true};
    int result = read_from(changing, &from, error);
    const char *new = beside(changing, "new");
    if (result == 0 && from.frozen.count)
        result = copy_whole(changing, frozen_path(changing, from.frozen.items[0]), beside(changing, "part"),
                            new, error);
    if (result == 0 && !folder_is_empty(changing->folder, changing->live)) {
        const char *number = next_number(changing), *path = frozen_path(changing, number);
        push(changing, &what, number);
        result = make_like(changing, path, error);
        if (result == 0)
            result = note_snapshot(changing, &what, error);
        if (result == 0)
            result = trade(changing, path, error);
    }
    return result < 0 ? result : whole_settle(changing->folder, changing->live, error);
}

static int change_whole(struct changing *changing, struct error *error)
{
    const struct data_change *request = changing->request;
    int result = whole_settle(changing->folder, changing->live, error);
    if (result == 0 && (request->fresh || request->from))
        result = replace_whole(changing, error);
    else if (result == 0 && request->name)
        result = snapshot_still(changing, error);
    changing->stack.token = request->token;
    return result < 0 ? result : stack_write(changing->folder, "stack", &changing->stack, error);
}

/* ---- a volume in a file ---- */

static int make_frozen(struct changing *changing, struct stack *what, const char **path, struct error *error)
{
    const char *number = next_number(changing);
    *path = frozen_path(changing, number);
    push(changing, what, number);
    if ((mkdirat(changing->folder, "frozen", 0700) < 0 && errno != EEXIST) ||
        mkdirat(changing->folder, *path, 0700) < 0)
        return error_errno(error, -errno, "cannot make %s", *path);
    return 0;
}

/* Nobody writes to it, and what was written is in the file. */
static int snapshot_image(struct changing *changing, struct error *error)
{
    const struct data_change *request = changing->request;
    struct stack what = {.whole = true};
    const char *path;
    _cleanup_still_ struct still still = NOT_STILL;
    int result = make_frozen(changing, &what, &path, error);
    if (result == 0)
        result = still_hold(&still, &request->guests, changing->call->arena, error);
    _cleanup_close_ int inside = result < 0 ? -1 : volume_open(changing->paths, request->file, error);
    if (result == 0 && (inside < 0 || syncfs(inside) < 0))
        result = inside < 0 ? inside
                            : error_errno(error, -errno, "cannot write what is in volume %s", request->file);
    if (result == 0)
        result =
            image_file_copy(changing->folder, "image", arena_printf(changing->call->arena, "%s/image", path),
                            changing->call, error);
    return result < 0 ? result : note_snapshot(changing, &what, error);
}

/* The old file gets a second name, the note says which, and then the new one takes the first. */
static int restore_image(struct changing *changing, struct error *error)
{
    struct stack from, what = {.whole = true};
    struct arena *arena = changing->call->arena;
    const char *path;
    int result = read_from(changing, &from, error);
    if (result == 0 && !from.frozen.count)
        result = error_set(error, -ENOENT, "snapshot %s holds nothing", changing->request->from);
    if (result == 0)
        result =
            image_file_copy(changing->folder, arena_printf(arena, "frozen/%s/image", from.frozen.items[0]),
                            "image.part", changing->call, error);
    if (result == 0)
        result = make_frozen(changing, &what, &path, error);
    if (result == 0 &&
        linkat(changing->folder, "image", changing->folder, arena_printf(arena, "%s/image", path), 0) < 0)
        result = error_errno(error, -errno, "cannot keep the file of volume %s", changing->request->file);
    if (result == 0)
        result = note_snapshot(changing, &what, error);
    if (result == 0 && renameat(changing->folder, "image.part", changing->folder, "image") < 0)
        result =
            error_errno(error, -errno, "cannot put the file of volume %s in place", changing->request->file);
    return result;
}

static int change_image(struct changing *changing, struct error *error)
{
    int result = changing->request->from ? restore_image(changing, error) : snapshot_image(changing, error);
    changing->stack.token = changing->request->token;
    return result < 0 ? result : stack_write(changing->folder, "stack", &changing->stack, error);
}

/* ---- merging ---- */

/* The newest of two neighbours that no snapshot names, oldest first; -1: there are none. */
static int find_mergeable(int folder, struct arena *arena, const struct stack *stack, struct error *error)
{
    for (size_t older = stack->frozen.count - 1; older > 0; older--) {
        int named = is_named(folder, arena, stack->frozen.items[older], error);
        if (named == 0)
            named = is_named(folder, arena, stack->frozen.items[older - 1], error);
        if (named < 0)
            return named;
        if (named == 0)
            return (int)older - 1;
    }
    return -ENOENT;
}

static int merge_at(int folder, struct arena *arena, struct stack *stack, size_t at, struct error *error)
{
    const char *names[2];
    for (size_t i = 0; i < 2; i++)
        names[i] = arena_printf(arena, "frozen/%s", stack->frozen.items[at + i]);
    _cleanup_close_ int newer = openat(folder, names[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int older = openat(folder, names[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (newer < 0 || older < 0)
        return error_errno(error, -errno, "cannot merge %s", names[0]);
    int result = upper_merge(newer, older, error);
    if (result < 0)
        return result;
    memmove(stack->frozen.items + at, stack->frozen.items + at + 1,
            (stack->frozen.count - at - 1) * sizeof(*stack->frozen.items));
    stack->frozen.count--;
    result = stack_write(folder, "stack", stack, error);
    if (result == 0 && unlinkat(folder, names[0], AT_REMOVEDIR) < 0)
        result = error_errno(error, -errno, "cannot remove %s", names[0]);
    return result;
}

int stack_settle(int folder, struct arena *arena, struct stack *stack, struct error *error)
{
    int result = stack_read(folder, "stack", arena, stack, error);
    while (result == 0 && stack->frozen.count > FROZEN_LIMIT) {
        int at = find_mergeable(folder, arena, stack, error);
        if (at == -ENOENT)
            return 0; /* snapshots stand for all of them */
        result = at < 0 ? at : merge_at(folder, arena, stack, (size_t)at, error);
    }
    return result;
}

/* ---- effects ---- */

static int check_unmounted(const struct paths *paths, const char *layer, struct arena *arena,
                           struct error *error)
{
    struct mount_entries entries = {0};
    struct mount_origin layers;
    int result = mounts_read("/proc/self/mountinfo", arena, &entries, error);
    if (result == 0)
        result = mount_origin_of(paths->layers, arena, &layers, error);
    for (size_t i = 0; result == 0 && i < entries.count; i++) {
        const char *mounted = mount_layer(paths, arena, &entries.items[i]);
        if (!mounted)
            mounted = mount_copied_layer(&layers, arena, &entries.items[i]);
        if (mounted && strcmp(mounted, layer) == 0)
            result = error_set(error, -EBUSY, "layer %s is mounted at %s", layer, entries.items[i].point);
    }
    return result;
}

static int check_request(const struct data_change *request, struct error *error)
{
    int result = data_check_name(request->file, error);
    const char *const names[] = {request->name, request->from};
    for (size_t i = 0; result == 0 && i < 2; i++)
        if (names[i] && !name_is_valid(names[i]))
            result = error_set(error, -EINVAL, "\"%s\" is not the name of a snapshot", names[i]);
    return result;
}

static int open_data(struct changing *changing, const char *store, struct error *error)
{
    int result = check_request(changing->request, error);
    if (result < 0)
        return result;
    changing->folder = data_lock(store, changing->request->file, error);
    if (changing->folder < 0)
        return changing->folder;
    return stack_read(changing->folder, "stack", changing->call->arena, &changing->stack, error);
}

static bool is_done(const struct changing *changing)
{
    return changing->request->token && changing->stack.token &&
           strcmp(changing->request->token, changing->stack.token) == 0;
}

int stack_change_layer(const struct paths *paths, const struct data_change *request, const struct call *call,
                       struct data_changed *changed, struct error *error)
{
    struct changing changing = {.paths = paths,
                                .request = request,
                                .call = call,
                                .changed = changed,
                                .folder = -1,
                                .live = request->whole ? "root" : "upper"};
    int result = open_data(&changing, paths->layers, error);
    if (result == -ENOENT && !request->kept)
        return 0; /* never written to */
    if (result == 0 && !is_done(&changing)) {
        result = check_unmounted(paths, request->file, call->arena, error);
        if (result == 0)
            result = request->whole ? change_whole(&changing, error) : change_upper(&changing, error);
        if (result == 0)
            sweep(&changing);
    }
    cleanup_close(&changing.folder);
    return result < 0 ? error_wrap(error, result, "layer %s", request->file) : 0;
}

int stack_change_volume(const struct paths *paths, const struct data_change *request, const struct call *call,
                        struct data_changed *changed, struct error *error)
{
    struct changing changing = {
        .paths = paths, .request = request, .call = call, .changed = changed, .folder = -1, .live = "data"};
    int result = open_data(&changing, paths->volumes, error);
    if (result == 0 && !is_done(&changing)) {
        bool in_file = faccessat(changing.folder, "image", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        result = in_file ? change_image(&changing, error) : change_whole(&changing, error);
        if (result == 0)
            sweep(&changing);
    }
    cleanup_close(&changing.folder);
    return result < 0 ? error_wrap(error, result, "volume %s", request->file) : 0;
}

static int drop(const struct paths *paths, const char *store, const struct data_change *request,
                const struct call *call, struct error *error)
{
    struct changing changing = {.paths = paths, .request = request, .call = call, .folder = -1};
    int result = open_data(&changing, store, error);
    const char *note = arena_printf(call->arena, "snapshots/%s", request->name ? request->name : "");
    if (result == 0 && request->name && unlinkat(changing.folder, note, 0) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "%s of %s", note, request->file);
    if (result == 0)
        sweep(&changing);
    cleanup_close(&changing.folder);
    return result == -ENOENT ? 0 : result;
}

int stack_drop_layer(const struct paths *paths, const struct data_change *request, const struct call *call,
                     struct error *error)
{
    return drop(paths, paths->layers, request, call, error);
}

int stack_drop_volume(const struct paths *paths, const struct data_change *request, const struct call *call,
                      struct error *error)
{
    return drop(paths, paths->volumes, request, call, error);
}

int stack_check_layer(const struct paths *paths, const struct layer_check *request, const struct call *call,
                      struct error *error)
{
    struct observed_difference found = {0};
    int result = data_check_name(request->file, error);
    if (result == 0)
        result = storage_view.dump_difference(paths, request->file, request->from, request->to, call, &found,
                                              error);
    if (result == 0 && (found.database || found.system))
        result = error_set(error, -EPERM, "layer %s stays on its image: %s", request->file,
                           found.system ? found.system : found.database);
    return result;
}
