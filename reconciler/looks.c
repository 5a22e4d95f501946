#include "reconciler/looks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/compile.h"
#include "reconciler/pool.h"

#define WIDTH    8     /* servers that are asked at the same time */
#define PATIENCE 30000 /* milliseconds for one answer: what is there serves until the next run */

struct asking {
    const struct looks_request *request;
    struct arena *arena;
    struct looks *looks;
    struct pool *pool;
};

/* ---- whom ---- */

static bool is_wanted(const struct looks_request *request, const struct image *image)
{
    return image->source && (request->by_hand || image->follow || text_is_same(image->pull, "always"));
}

/* Of another source it is made anew anyway. */
static bool has_answer(const struct image *image, const struct entry *entry)
{
    return entry && entry->facts->digest && entry->facts->origin &&
           text_is_same(((const struct image *)entry->object.body)->source, image->source);
}

static const char *stamp_path(const struct asking *asking, const char *image)
{
    return arena_printf(asking->arena, "%s/asked/%s", asking->request->paths->run,
                        paths_file_name(asking->arena, image));
}

static bool is_due(const struct asking *asking, const struct object *object)
{
    const struct image *image = object->body;
    struct stat status;
    if (asking->request->offline)
        return false;
    if (asking->request->by_hand || !image->follow || stat(stamp_path(asking, object->name), &status) < 0)
        return true;
    const int64_t age = (int64_t)time(NULL) - status.st_mtim.tv_sec;
    return age < 0 || age * 1000 >= image->follow;
}

/* Should it not be written, then it is asked once more. */
static void stamp(const struct asking *asking, const char *image)
{
    const char *folder = arena_printf(asking->arena, "%s/asked", asking->request->paths->run);
    mkdir(folder, 0700);
    int fd = open(stamp_path(asking, image), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    futimens(fd, NULL);
    close(fd);
}

/* ---- asking ---- */

static struct steps *question(const struct asking *asking, const struct object *object,
                              const struct entry *entry)
{
    struct steps *steps = arena_new_of(asking->arena, struct steps);
    struct image_make *make = described_new(asking->arena, &image_make_table);
    const struct policy *policy = asking->request->policy;
    compile_image_source(asking->arena, policy, object, make);
    make->origin = entry->facts->origin;
    if (make->downloads && make->downloads->tries > 1) { /* nobody waits long for what can be asked again */
        make->downloads = arena_copy(asking->arena, make->downloads, sizeof(*make->downloads));
        make->downloads->tries = 1;
    }
    steps_add(asking->arena, steps, STEP_IMAGE_LOOK, described_whole(&image_make_table, make));
    return steps;
}

static void take(const struct asking *asking, const struct pool_reply *reply)
{
    struct world_look *look = reply->owner;
    const struct image_looked *looked = reply->result_count ? reply->results[0] : NULL;
    if (reply->code < 0 || !looked || !looked->origin) {
        look->trouble = reply->message ? arena_strdup(asking->arena, reply->message) : "no answer";
        return;
    }
    look->answer = arena_strdup(asking->arena, looked->origin);
}

/* Until there is room for one more, or (`all`) nothing is under way. */
static int hear(const struct asking *asking, bool all, struct error *error)
{
    int result = 1;
    while (result > 0 && (all ? pool_busy(asking->pool) > 0 : !pool_has_room(asking->pool))) {
        struct pool_reply reply = {0};
        result = pool_wait(asking->pool, -1, &reply, error);
        if (result > 0 && reply.done)
            take(asking, &reply);
    }
    return result < 0 ? result : 0;
}

static void ask(const struct asking *asking, struct world_look *look, const struct object *object,
                const struct entry *entry)
{
    struct error error = {0};
    int result = hear(asking, false, &error);
    if (result == 0)
        result = pool_submit(asking->pool, look, question(asking, object, entry), PATIENCE, &error);
    if (result < 0)
        look->trouble = arena_strdup(asking->arena, error.text);
}

/* Of what follows; also of those that are not asked about now, so that a run knows of them. */
static void find(const struct asking *asking)
{
    const struct object_set *desired = asking->request->desired;
    for (size_t i = 0; i < desired->count; i++) {
        const struct object *object = desired->items[i];
        if (object->kind == KIND_IMAGE && is_wanted(asking->request, object->body))
            *arena_append(asking->arena, asking->looks->items, asking->looks->count) =
                (struct world_look){.image = object->name};
    }
}

static void ask_all(struct asking *asking)
{
    const struct looks_request *request = asking->request;
    struct looks *looks = asking->looks;
    struct error error = {0};
    find(asking);
    if (!looks->count)
        return;
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(request->paths, WIDTH, asking->arena);
    asking->pool = pool;
    for (size_t i = 0; i < looks->count; i++) {
        struct world_look *look = &looks->items[i];
        const struct object *object = object_find(request->desired, KIND_IMAGE, look->image);
        const struct entry *entry = actual_find(request->actual, KIND_IMAGE, look->image);
        if (!has_answer(object->body, entry) || !is_due(asking, object))
            continue;
        ask(asking, look, object, entry);
    }
    hear(asking, true, &error);
}

/* With the record as it is now. */
static void compare(const struct asking *asking, struct world_look *look)
{
    const struct object *object = object_find(asking->request->desired, KIND_IMAGE, look->image);
    const struct entry *entry = actual_find(asking->request->actual, KIND_IMAGE, look->image);
    look->changed = NULL;
    if (!look->answer || !object || !has_answer(object->body, entry))
        return;
    if (!image_origin_is(entry->facts->origin, look->answer))
        look->changed = look->answer;
    else if (asking->request->writes)
        stamp(asking, look->image);
}

void looks_ask(const struct looks_request *request, struct arena *arena, struct looks *looks)
{
    struct asking asking = {.request = request, .arena = arena, .looks = looks};
    if (!looks->asked)
        ask_all(&asking);
    looks->asked = true;
    for (size_t i = 0; i < looks->count; i++)
        compare(&asking, &looks->items[i]);
}
