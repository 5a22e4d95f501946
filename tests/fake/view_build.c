/* What builds have left in the fake world. */
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "drivers/image/build.h"
#include "lib/error.h"
#include "tests/fake/seen.h"
#include "tests/fake/world.h"

/* The clock of the fake world goes by what happens in it, from a day long ago; what it keeps was used within the hour. */
static int64_t as_of_now(int64_t moment)
{
    return time(NULL) - 3600 + (moment - 1700000000);
}

static void see_failed(const struct seen *world, struct arena *arena, struct observed_build *out)
{
    const struct seen *failed = seen_in(world, "failed");
    for (const struct seen *i = seen_first(failed); i; i = seen_next(i)) {
        struct observed_failed *seen = arena_append(arena, out->failed, out->failed_count);
        *seen = (struct observed_failed){.key = seen_key(i),
                                         .place = described_new(arena, &build_place_table),
                                         .expires = as_of_now(seen_number(i, "expires"))};
        seen->of = seen_text(i, "of");
        seen->place->image = seen_text(i, "image");
        seen->place->key = seen->key;
        described_whole(&build_place_table, seen->place);
    }
}

static int dump(const struct paths *paths, struct arena *arena, struct observed_build *out,
                struct error *error)
{
    const struct seen *world;
    fake_trace("build_view.dump");
    int result = seen_world(paths->root, &world, error);
    if (result < 0)
        return result;
    *out = (struct observed_build){0};
    const struct seen *steps = seen_in(world, "steps"), *caches = seen_in(world, "caches");
    for (const struct seen *i = seen_first(steps); i; i = seen_next(i)) {
        struct observed_step *seen = arena_append(arena, out->steps, out->step_count);
        *seen = (struct observed_step){
            .key = seen_key(i), .bytes = seen_number(i, "bytes"), .used = as_of_now(seen_number(i, "used"))};
    }
    for (const struct seen *i = seen_first(caches); i; i = seen_next(i)) {
        struct observed_cache *seen = arena_append(arena, out->caches, out->cache_count);
        *seen = (struct observed_cache){.file = seen_key(i), .used = as_of_now(seen_number(i, "used"))};
    }
    const struct seen *contexts = seen_in(world, "contexts");
    for (const struct seen *i = seen_first(contexts); i; i = seen_next(i)) {
        struct observed_context *seen = arena_append(arena, out->contexts, out->context_count);
        *seen = (struct observed_context){.digest = seen_key(i), .made = seen_number(i, "made")};
    }
    see_failed(world, arena, out);
    return 0;
}

static bool has_step(const struct paths *paths, const char *key)
{
    const struct seen *world;
    if (seen_world(paths->root, &world, NULL) < 0)
        return false;
    const struct seen *steps = seen_in(world, "steps");
    for (const struct seen *i = seen_first(steps); i; i = seen_next(i))
        if (strcmp(seen_key(i), key) == 0)
            return true;
    return false;
}

/* As the fake effect noted it: a folder of the test. */
static const char *context(const struct paths *paths, struct arena *arena, const char *digest)
{
    const struct seen *world;
    if (seen_world(paths->root, &world, NULL) < 0)
        return NULL;
    const struct seen *contexts = seen_in(world, "contexts");
    for (const struct seen *i = seen_first(contexts); i; i = seen_next(i))
        if (strcmp(seen_key(i), digest) == 0)
            return arena_strdup(arena, seen_text(i, "folder"));
    return NULL;
}

static int failed_run(const struct paths *paths, struct arena *arena, const char *key, struct build_run **run,
                      struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    void *read = NULL;
    int result = buffer_read_file(&text, AT_FDCWD, arena_printf(arena, "%s/fake/run-%s", paths->root, key),
                                  (size_t)1 << 20, error);
    if (result == 0)
        result = fields_decode(&build_run_table, text.bytes, text.length, arena, &read, error);
    if (result == 0)
        *run = read;
    return result;
}

const struct build_view build_view = {
    .dump = dump, .has_step = has_step, .context = context, .failed_run = failed_run};
