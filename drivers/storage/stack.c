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
#include <unistd.h>

#include "drivers/storage/change.h"
#include "drivers/storage/data.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_mounts.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"

#define FROZEN_LIMIT 4 /* SEMANTICS 10 */

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

int change_each_name(int folder, const char *inside, int (*each)(void *context, int folder, const char *name),
                     void *context)
{
    int copy = openat(folder, inside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return errno == ENOENT ? 0 : -errno;
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
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
    return change_each_name(folder, "snapshots", names_number, &naming);
}

struct sweeping {
    struct arena *arena;
    int notes;
    const struct stack *stack;
    struct error *error;
};

static int sweep_one(void *context, int folder, const char *name)
{
    const struct sweeping *sweeping = context;
    if (stack_holds(sweeping->stack, name))
        return 0;
    int result = is_named(sweeping->notes, sweeping->arena, name, sweeping->error);
    if (result != 0)
        return result < 0 ? result : 0;
    _cleanup_close_ int frozen = openat(folder, "frozen", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return frozen < 0 ? -errno : tree_remove(frozen, name, sweeping->error);
}

/* Frozen folders that no note names. */
static int sweep(const struct changing *changing)
{
    struct error trouble;
    struct sweeping sweeping = {.arena = changing->call->arena,
                                .notes = changing->folder,
                                .stack = &changing->stack,
                                .error = &trouble};
    return change_each_name(changing->data, "frozen", sweep_one, &sweeping);
}

static int count_highest(void *context, int folder, const char *name)
{
    (void)folder;
    long *highest = context, number = strtol(name, NULL, 10);
    *highest = number > *highest ? number : *highest;
    return 0;
}

/* A number that no frozen folder has had. */
const char *change_number(const struct changing *changing)
{
    long highest = 0;
    change_each_name(changing->data, "frozen", count_highest, &highest);
    return arena_printf(changing->call->arena, "%ld", highest + 1);
}

const char *change_path(const struct changing *changing, const char *number)
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
    return change_each_name(folder, inside, found_anything, NULL) == 0;
}

/* An empty folder that looks from outside like the one it is to stand for. */
int change_make_like(const struct changing *changing, const char *path, struct error *error)
{
    struct stat status;
    if (fstatat(changing->data, changing->live, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        (mkdirat(changing->data, "frozen", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(changing->data, path, 0700) < 0 && errno != EEXIST) ||
        fchownat(changing->data, path, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(changing->data, path, status.st_mode & 07777, 0) < 0)
        return error_errno(error, -errno, "cannot make %s", path);
    return 0;
}

int change_trade(const struct changing *changing, const char *path, struct error *error)
{
    if (renameat2(changing->data, changing->live, changing->data, path, RENAME_EXCHANGE) < 0)
        return error_errno(error, -errno, "cannot freeze %s of %s", changing->live, changing->request->file);
    return 0;
}

void change_push(const struct changing *changing, struct stack *stack, const char *number)
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
    if (folder_is_empty(changing->data, "upper"))
        return 0;
    const char *top = stack->frozen.count ? change_path(changing, stack->frozen.items[0]) : NULL;
    if (!top || !folder_is_empty(changing->data, top)) {
        const char *number = change_number(changing);
        top = change_path(changing, number);
        change_push(changing, stack, number);
    }
    int result = change_make_like(changing, top, error);
    if (result == 0)
        result = change_write(changing, "stack", stack, error);
    return result < 0 ? result : change_trade(changing, top, error);
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

int change_write(const struct changing *changing, const char *note, const struct stack *stack,
                 struct error *error)
{
    if (changing->limited && syncfs(changing->data) < 0)
        return error_errno(error, -errno, "cannot write what %s holds", changing->request->file);
    return stack_write(changing->folder, note, stack, error);
}

int change_note_as(const struct changing *changing, const struct stack *what, const char *prefix,
                   struct error *error)
{
    struct stack note = {.image = changing->request->image,
                         .made = (int64_t)time(NULL),
                         .kept = changing->request->kept,
                         .whole = what->whole,
                         .frozen = what->frozen};
    const char *name = free_name(changing);
    changing->changed->name = name;
    return change_write(changing, arena_printf(changing->call->arena, "snapshots/%s%s", prefix, name), &note,
                        error);
}

int change_note(const struct changing *changing, const struct stack *what, struct error *error)
{
    return change_note_as(changing, what, "", error);
}

int change_read_from(const struct changing *changing, struct stack *stack, struct error *error)
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
    int result = change_read_from(changing, &from, error);
    if (result == 0)
        result = freeze_upper(changing, error);
    bool anything = changing->stack.frozen.count > 0;
    if (result == 0 && request->name && (anything || request->kept))
        result = change_note(changing, &changing->stack, error);
    if (request->fresh || request->from)
        changing->stack.frozen = from.frozen;
    changing->stack.image = request->from ? from.image : request->kept ? changing->stack.image : NULL;
    changing->stack.token = request->token;
    return result < 0 ? result : change_write(changing, "stack", &changing->stack, error);
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

static int merge_at(int folder, int data, struct arena *arena, struct stack *stack, size_t at,
                    struct error *error)
{
    const char *names[2];
    for (size_t i = 0; i < 2; i++)
        names[i] = arena_printf(arena, "frozen/%s", stack->frozen.items[at + i]);
    _cleanup_close_ int newer = openat(data, names[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int older = openat(data, names[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (newer < 0 || older < 0)
        return error_errno(error, -errno, "cannot merge %s", names[0]);
    int result = upper_merge(newer, older, error);
    if (result == 0 && data != folder && syncfs(data) < 0) /* another file system than the note's */
        result = error_errno(error, -errno, "cannot merge %s", names[0]);
    if (result < 0)
        return result;
    memmove(stack->frozen.items + at, stack->frozen.items + at + 1,
            (stack->frozen.count - at - 1) * sizeof(*stack->frozen.items));
    stack->frozen.count--;
    result = stack_write(folder, "stack", stack, error);
    if (result == 0 && unlinkat(data, names[0], AT_REMOVEDIR) < 0)
        result = error_errno(error, -errno, "cannot remove %s", names[0]);
    return result;
}

int stack_settle(int folder, int data, struct arena *arena, struct stack *stack, struct error *error)
{
    int result = stack_read(folder, "stack", arena, stack, error);
    while (result == 0 && stack->frozen.count > FROZEN_LIMIT) {
        int at = find_mergeable(folder, arena, stack, error);
        if (at == -ENOENT)
            return 0; /* snapshots stand for all of them */
        result = at < 0 ? at : merge_at(folder, data, arena, stack, (size_t)at, error);
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

/* Also one that was taken, with the number that free_name() put behind it. */
static bool is_snapshot_name(const char *text, struct arena *arena)
{
    const char *dash = strrchr(text, '-');
    bool numbered =
        dash && dash[1] && strlen(dash + 1) <= 9 && strspn(dash + 1, "0123456789") == strlen(dash + 1);
    return name_is_valid(text) ||
           (numbered && name_is_valid(arena_strndup(arena, text, (size_t)(dash - text))));
}

static int check_request(const struct data_change *request, struct arena *arena, struct error *error)
{
    int result = data_check_name(request->file, error);
    const char *const names[] = {request->name, request->from};
    for (size_t i = 0; result == 0 && i < 2; i++)
        if (names[i] && !is_snapshot_name(names[i], arena))
            result = error_set(error, -EINVAL, "\"%s\" is not the name of a snapshot", names[i]);
    return result;
}

static int open_data(struct changing *changing, const char *store, struct error *error)
{
    int result = check_request(changing->request, changing->call->arena, error);
    if (result < 0)
        return result;
    changing->folder = data_lock(store, changing->request->file, error);
    changing->data = changing->folder;
    if (changing->folder < 0)
        return changing->folder;
    return stack_read(changing->folder, "stack", changing->call->arena, &changing->stack, error);
}

static int open_disk(struct changing *changing, struct error *error)
{
    if (!disk_is_limited(changing->folder))
        return 0;
    int data = disk_open(changing->folder, error);
    if (data < 0)
        return data;
    changing->data = data;
    changing->limited = true;
    return 0;
}

static void close_data(struct changing *changing)
{
    if (changing->limited)
        cleanup_close(&changing->data);
    cleanup_close(&changing->folder);
}

/* A snapshot that was asked for and is gone again is not there, whatever the last change was. */
static bool is_done(const struct changing *changing)
{
    const struct data_change *request = changing->request;
    bool last = request->token && text_is_same(request->token, changing->stack.token);
    return last && (!request->kept || !request->name ||
                    stack_exists(changing->folder,
                                 arena_printf(changing->call->arena, "snapshots/%s", request->name)));
}

/* A copy is made of the image when it is mounted. */
static int make_empty(const struct paths *paths, const struct data_change *request, struct error *error)
{
    char path[PATH_MAX];
    if (!request->whole)
        return layer_make(paths, request->file, error);
    snprintf(path, sizeof(path), "%s/%s/root", paths->layers, request->file);
    int result = layer_make_folder(paths, request->file, error);
    return result < 0 ? result : folder_make(path, 0755, error);
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
    if (result == -ENOENT && !request->kept) /* never written to, or removed by somebody */
        return request->fresh ? make_empty(paths, request, error) : 0;
    if (result == 0 && !is_done(&changing)) {
        result = check_unmounted(paths, request->file, call->arena, error);
        if (result == 0)
            result = open_disk(&changing, error);
        if (result == 0)
            result = request->whole ? change_whole(&changing, error) : change_upper(&changing, error);
        if (result < 0 && request->whole && changing.data >= 0)
            whole_settle(changing.folder, changing.data, changing.live, NULL);
        if (result == 0)
            sweep(&changing);
    }
    close_data(&changing);
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
        if (result < 0)
            stack_tidy_volume(changing.folder, call->arena, NULL);
        else
            sweep(&changing);
    }
    close_data(&changing);
    return result < 0 ? error_wrap(error, result, "volume %s", request->file) : 0;
}

int stack_tidy_volume(int folder, struct arena *arena, struct error *error)
{
    struct changing changing = {.call = &(struct call){.arena = arena}, .folder = folder, .data = folder};
    int result = volume_settle(folder, error);
    if (result == 0)
        result = stack_read(folder, "stack", arena, &changing.stack, error);
    if (result == 0)
        sweep(&changing);
    return result;
}

static int drop(const struct paths *paths, const char *store, const struct data_change *request,
                const struct call *call, struct error *error)
{
    struct changing changing = {.paths = paths, .request = request, .call = call, .folder = -1};
    int result = open_data(&changing, store, error);
    if (result == 0 && store == paths->layers)
        result = open_disk(&changing, error);
    const char *note = arena_printf(call->arena, "snapshots/%s", request->name ? request->name : "");
    if (result == 0 && request->name && unlinkat(changing.folder, note, 0) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "%s of %s", note, request->file);
    if (result == 0)
        sweep(&changing);
    close_data(&changing);
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
