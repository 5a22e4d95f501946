#include "reconciler/cli/build_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/cli/image.h"
#include "specs/recipe.h"

struct item { /* a step or a cache */
    int64_t used, bytes;
    size_t depth;  /* how many steps it stands on */
    size_t number; /* in its list */
    bool is_step;
};

struct choosing {
    struct build_cache *cache;
    int64_t total; /* bytes of what stays */
};

static void drop_step(struct choosing *choosing, size_t number)
{
    const struct observed_build *seen = &choosing->cache->seen;
    if (choosing->cache->steps[number])
        return;
    choosing->cache->steps[number] = true;
    choosing->total -= seen->steps[number].bytes;
    for (size_t i = 0; i < seen->step_count; i++)
        if (seen->steps[i].on && strcmp(seen->steps[i].on, seen->steps[number].key) == 0)
            drop_step(choosing, i);
}

static void drop_item(struct choosing *choosing, const struct item *item)
{
    if (item->is_step) {
        drop_step(choosing, item->number);
        return;
    }
    choosing->cache->caches[item->number] = true;
    choosing->total -= item->bytes;
}

/* Steps of one build were used at the same time: of those the upper ones are worth less. */
static int by_use(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    return a->used != b->used     ? (a->used > b->used) - (a->used < b->used)
           : a->depth != b->depth ? (a->depth < b->depth) - (a->depth > b->depth)
                                  : (a->number > b->number) - (a->number < b->number);
}

static size_t depth_of(const struct map *steps, const struct observed_step *step)
{
    size_t depth = 0;
    while (step->on && (step = map_get(steps, step->on)) && depth < RECIPE_INSTRUCTIONS)
        depth++;
    return depth;
}

static void choose(const struct policy_builds *policy, struct item *items, size_t count,
                   struct choosing *choosing)
{
    const int64_t now = time(NULL);
    if (count)
        qsort(items, count, sizeof(*items), by_use);
    for (size_t i = 0; i < count; i++)
        choosing->total += items[i].bytes;
    for (size_t i = 0; i < count; i++)
        if ((now - items[i].used) * 1000 >= policy->age || choosing->total > policy->budget)
            drop_item(choosing, &items[i]);
}

int build_cache_look(struct session *session, struct build_cache *cache, struct error *error)
{
    struct observed_build *seen = &cache->seen;
    struct arena *arena = session->arena;
    struct choosing choosing = {.cache = cache};
    int result = build_view.dump(&session->paths, arena, seen, error);
    if (result < 0)
        return result;
    struct item *items = arena_array_of(arena, struct item, seen->step_count + seen->cache_count + 1);
    cache->steps = arena_array_of(arena, bool, seen->step_count + 1);
    cache->caches = arena_array_of(arena, bool, seen->cache_count + 1);
    cache->cache_bytes = arena_array_of(arena, int64_t, seen->cache_count + 1);
    _cleanup_map_ struct map steps = {0};
    for (size_t i = 0; i < seen->step_count; i++)
        map_add(&steps, seen->steps[i].key, &seen->steps[i]);
    for (size_t i = 0; i < seen->step_count; i++)
        items[i] = (struct item){.used = seen->steps[i].used,
                                 .bytes = seen->steps[i].bytes,
                                 .depth = depth_of(&steps, &seen->steps[i]),
                                 .number = i,
                                 .is_step = true};
    for (size_t i = 0; i < seen->cache_count; i++) {
        cache->cache_bytes[i] = storage_view.measure(
            arena_join(arena, session->paths.build, '/', BUILD_FOLDER_CACHES), seen->caches[i].file);
        items[seen->step_count + i] =
            (struct item){.used = seen->caches[i].used, .bytes = cache->cache_bytes[i], .number = i};
    }
    choose(session->policy->builds, items, seen->step_count + seen->cache_count, &choosing);
    return 0;
}

/* ---- before a run ---- */

/* Whoever was killed has left intents, too. */
void build_cache_end_left(struct session *session)
{
    struct observed_build seen = {0};
    struct error error = {0};
    if (!session->snapshot.intent_count ||
        build_view.dump(&session->paths, session->arena, &seen, &error) < 0 || !seen.left_count)
        return;
    const int result =
        image_step(session, STEP_BUILD_DROP, described_new(session->arena, &build_drop_table), NULL, &error);
    fprintf(stderr,
            result < 0 ? "fpsync: what a killed build has left: %s\n"
                       : "fpsync: ended what a build that was killed had left running\n",
            error.text);
}

/* ---- after a build ---- */

/* Builds of one run share steps: each once. */
static struct build_serve *find_anew(struct session *session, const struct plan *plan)
{
    struct build_serve *serve = described_new(session->arena, &build_serve_table);
    _cleanup_map_ struct map known = {0};
    for (size_t i = 0; i < plan->count; i++) {
        const struct texts *anew = &plan->actions[i]->anew;
        for (size_t j = 0; j + 1 < anew->count; j += 2) {
            if (!map_add(&known, anew->items[j], serve))
                continue;
            *arena_append(session->arena, serve->made.items, serve->made.count) = anew->items[j];
            *arena_append(session->arena, serve->cached.items, serve->cached.count) = anew->items[j + 1];
        }
    }
    return serve;
}

static int drop_excess(struct session *session, struct error *error)
{
    struct build_cache cache;
    struct build_drop *drop = described_new(session->arena, &build_drop_table);
    int result = build_cache_look(session, &cache, error);
    for (size_t i = 0; result == 0 && i < cache.seen.step_count; i++)
        if (cache.steps[i])
            *arena_append(session->arena, drop->steps.items, drop->steps.count) = cache.seen.steps[i].key;
    for (size_t i = 0; result == 0 && i < cache.seen.cache_count; i++)
        if (cache.caches[i])
            *arena_append(session->arena, drop->caches.items, drop->caches.count) = cache.seen.caches[i].file;
    drop->fetched = cache.seen.fetched_count > 0;
    return result < 0 || (!drop->steps.count && !drop->caches.count && !drop->fetched)
               ? result
               : image_step(session, STEP_BUILD_DROP, drop, NULL, error);
}

void build_cache_tidy(struct session *session, const struct plan *plan)
{
    struct error error = {0};
    bool built = false;
    for (size_t i = 0; i < plan->count; i++)
        built |= plan->actions[i]->verb == VERB_BUILD;
    if (!built || !session->policy)
        return;
    struct build_serve *serve = find_anew(session, plan);
    int result = serve->made.count ? image_step(session, STEP_BUILD_SERVE, serve, NULL, &error) : 0;
    if (result == 0)
        result = drop_excess(session, &error);
    if (result < 0)
        fprintf(stderr, "fpsync: what builds keep: %s\n", error.text);
}
