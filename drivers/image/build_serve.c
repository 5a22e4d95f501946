/* Steps that --no-cache made take the places of the cached ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/build_effects.h"
#include "drivers/image/build_failed.h"
#include "drivers/image/build_making.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "lib/error.h"

struct serving {
    const struct paths *paths;
    const struct build_serve *request;
    int steps;                  /* folder build/steps */
    struct observed_build seen; /* before; what is gone has no key */
    struct arena *arena;
    struct error *error;
};

static int remove_step(struct serving *serving, const char *key);

/* What was made on it would lie on something else than it was made on. */
static int remove_above(struct serving *serving, const char *key)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < serving->seen.step_count; i++) {
        struct observed_step *step = &serving->seen.steps[i];
        if (step->key && step->on && strcmp(step->on, key) == 0)
            result = remove_step(serving, step->key);
    }
    return result;
}

static int remove_step(struct serving *serving, const char *key)
{
    for (size_t i = 0; i < serving->seen.step_count; i++)
        if (serving->seen.steps[i].key && strcmp(serving->seen.steps[i].key, key) == 0)
            serving->seen.steps[i].key = NULL;
    int result = remove_above(serving, key);
    return result < 0 ? result : tree_remove(serving->steps, key, serving->error);
}

/* One that does not say on what it stands may stand on any. */
static int remove_unknown(struct serving *serving)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < serving->seen.step_count; i++)
        if (serving->seen.steps[i].key && !serving->seen.steps[i].on)
            result = remove_step(serving, serving->seen.steps[i].key);
    return result;
}

static const char *cached_as(const struct serving *serving, const char *key)
{
    for (size_t i = 0; i < serving->request->made.count; i++)
        if (strcmp(serving->request->made.items[i], key) == 0)
            return serving->request->cached.items[i];
    return key;
}

/* Of what lies below it only the name changes. */
static int rewrite_note(const struct serving *serving, int step)
{
    _cleanup_buffer_ struct buffer note = {0}, text = {0};
    int result = buffer_read_file(&note, step, "note", IMAGE_NOTE_LIMIT, serving->error);
    const char *on = result < 0 || !note.length ? NULL : strstr(note.bytes, "\non ");
    if (!on)
        return result;
    on += strlen("\non ");
    const size_t length = strcspn(on, "\n");
    buffer_add(&text, note.bytes, (size_t)(on - note.bytes));
    buffer_text(&text, cached_as(serving, arena_strndup(serving->arena, on, length)));
    buffer_text(&text, on + length);
    _cleanup_close_ int fd =
        openat(step, "note.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || bytes_write(fd, text.bytes, text.length) < 0 ||
        renameat(step, "note.new", step, "note") < 0)
        return error_errno(serving->error, -errno, "cannot write a step's note");
    return 0;
}

static int rename_step(const struct serving *serving, const char *made, const char *cached)
{
    _cleanup_close_ int step = openat(serving->steps, made, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (step < 0)
        return errno == ENOENT ? 0 : error_errno(serving->error, -errno, "step %.12s", made);
    int result = rewrite_note(serving, step);
    return result == 0 && renameat(serving->steps, made, serving->steps, cached) < 0
               ? error_errno(serving->error, -errno, "cannot name step %.12s", cached)
               : result;
}

static int serve(struct serving *serving)
{
    const struct build_serve *request = serving->request;
    int result = remove_unknown(serving);
    for (size_t i = request->made.count; result == 0 && i-- > 0;)
        if (build_view.has_step(serving->paths, request->made.items[i]))
            result = remove_step(serving, request->cached.items[i]);
    for (size_t i = 0; result == 0 && i < request->made.count; i++)
        result = rename_step(serving, request->made.items[i], request->cached.items[i]);
    return result < 0 ? result : build_failed_rename(serving->paths, request, serving->arena, serving->error);
}

int build_serve_steps(const struct paths *paths, const struct build_serve *request, const struct call *call,
                      struct error *error)
{
    _cleanup_close_ int steps = build_folder_open(paths, BUILD_FOLDER_STEPS, error);
    struct serving serving = {
        .paths = paths, .request = request, .steps = steps, .arena = call->arena, .error = error};
    int result = steps < 0 ? steps : 0;
    if (result == 0 && request->made.count != request->cached.count)
        result = error_set(error, -EINVAL, "steps without a key to be cached under");
    for (size_t i = 0; result == 0 && i < request->made.count; i++) {
        result = build_check_key(request->made.items[i], error);
        if (result == 0)
            result = build_check_key(request->cached.items[i], error);
    }
    if (result == 0)
        result = build_view.dump(paths, call->arena, &serving.seen, error);
    if (result == 0)
        result = serve(&serving);
    return result < 0 ? error_wrap(error, result, "steps that were made anew") : 0;
}
