/* What builds keep, and gc frees. */
#include <string.h>
#include <time.h>

#include "reconciler/cli/build_cache.h"
#include "reconciler/cli/collect.h"

/* What there are so many of. */
static const char *unit_of(const char *name)
{
    static const char *const units[][2] = {
        {"steps", "step"},       {"caches", "cache"}, {"failed", "root"},    {"logs", "file"},
        {"contexts", "archive"}, {"fetched", "file"}, {"unfinished", "step"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strcmp(units[i][0], name) == 0)
            return units[i][1];
    return name;
}

static void add_build(struct session *session, struct candidates *to, const char *name, const char *why,
                      bool young, const struct build_drop *drop, size_t count, int64_t bytes)
{
    if (!count)
        return;
    const char *size = bytes ? arena_printf(session->arena, ", %s", session_size(session, bytes)) : "";
    struct candidate *item = collect_add(session, to, "build", name,
                                         arena_printf(session->arena, "%zu %s%s%s, %s", count, unit_of(name),
                                                      count == 1 ? "" : "s", size, why),
                                         NULL);
    item->young = young;
    collect_add_step(session, item, STEP_BUILD_DROP, &build_drop_table,
                     arena_copy(session->arena, drop, sizeof(*drop)));
}

static void find_steps(struct session *session, const struct build_cache *cache, bool goes,
                       struct candidates *to)
{
    const char *why = goes ? "beyond the age or the budget of builds" : "within age and budget of builds";
    struct build_drop *steps = described_new(session->arena, &build_drop_table),
                      *caches = described_new(session->arena, &build_drop_table);
    int64_t step_bytes = 0, cache_bytes = 0;
    for (size_t i = 0; i < cache->seen.step_count; i++)
        if (cache->steps[i] == goes) {
            *arena_append(session->arena, steps->steps.items, steps->steps.count) = cache->seen.steps[i].key;
            step_bytes += cache->seen.steps[i].bytes;
        }
    for (size_t i = 0; i < cache->seen.cache_count; i++)
        if (cache->caches[i] == goes) {
            *arena_append(session->arena, caches->caches.items, caches->caches.count) =
                cache->seen.caches[i].file;
            cache_bytes += cache->cache_bytes[i];
        }
    add_build(session, to, "steps", why, !goes, steps, steps->steps.count, step_bytes);
    add_build(session, to, "caches", why, !goes, caches, caches->caches.count, cache_bytes);
}

static void find_failed(struct session *session, const struct build_cache *cache, bool expired,
                        struct candidates *to)
{
    struct build_drop *drop = described_new(session->arena, &build_drop_table);
    int64_t bytes = 0;
    for (size_t i = 0; i < cache->seen.failed_count; i++)
        if ((cache->seen.failed[i].expires <= time(NULL)) == expired) {
            *arena_append(session->arena, drop->failed.items, drop->failed.count) = cache->seen.failed[i].key;
            bytes += cache->seen.failed[i].bytes;
        }
    add_build(session, to, "failed", expired ? "expired" : "not expired yet", !expired, drop,
              drop->failed.count, bytes);
}

static void find_logs(struct session *session, const struct build_cache *cache, bool old,
                      struct candidates *to)
{
    struct build_drop *drop = described_new(session->arena, &build_drop_table);
    int64_t bytes = 0;
    for (size_t i = 0; i < cache->seen.log_count; i++)
        if ((time(NULL) - cache->seen.logs[i].used >= BUILD_LOG_AGE) == old) {
            *arena_append(session->arena, drop->logs.items, drop->logs.count) = cache->seen.logs[i].file;
            bytes += cache->seen.logs[i].bytes;
        }
    add_build(session, to, "logs", old ? "older than they are kept" : "not old yet", !old, drop,
              drop->logs.count, bytes);
}

/* Archives of recipes that no image was built from last. */
static void find_contexts(struct session *session, const struct observed_build *seen, bool old,
                          struct candidates *to)
{
    struct build_drop *drop = described_new(session->arena, &build_drop_table);
    for (size_t i = 0; i < seen->context_count; i++) {
        const struct observed_context *context = &seen->contexts[i];
        bool used = false;
        for (size_t j = 0; j < session->actual.count && !used; j++) {
            const char *note = session->actual.items[j].facts->context;
            used = note && strstr(note, context->digest);
        }
        if (!used && ((time(NULL) - context->made) * 1000 >= session->policy->retention) == old)
            *arena_append(session->arena, drop->contexts.items, drop->contexts.count) = context->digest;
    }
    add_build(session, to, "contexts",
              old ? "no image is built of them" : "no image is built of them, within the retention", !old,
              drop, drop->contexts.count, 0);
}

int collect_builds(struct session *session, struct candidates *to, struct error *error)
{
    struct build_cache cache;
    int result = build_cache_look(session, &cache, error);
    struct build_drop *left = described_new(session->arena, &build_drop_table);
    struct build_drop *fetched = described_new(session->arena, &build_drop_table);
    fetched->fetched = true;
    if (result >= 0)
        add_build(session, to, "unfinished", "left by a build that was killed", false, left,
                  cache.seen.left_count, 0);
    if (result >= 0)
        add_build(session, to, "fetched", "left by a build that did not end", false, fetched,
                  cache.seen.fetched_count, 0);
    for (int goes = 1; goes >= 0 && result >= 0; goes--) {
        find_steps(session, &cache, goes, to);
        find_failed(session, &cache, goes, to);
        find_logs(session, &cache, goes, to);
        find_contexts(session, &cache.seen, goes, to);
    }
    return result;
}
