/* image gc: of the images that nobody uses, those that are not worth their room: first what was not used for a time, then the
 * ones used longest ago, until all images together are within the budget. What fpsync gc would not free, this does not. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/collect.h"
#include "reconciler/cli/image.h"
#include "reconciler/unlisted.h"

struct lot { /* an image that could go */
    struct candidate *item;
    const struct observed_image *seen;
    int64_t used; /* seconds since the epoch; of what others stand on, the latest of theirs */
};

struct lots {
    struct lot *items;
    size_t count;
};

static const struct observed_image *seen_of(const struct session *session, const char *digest)
{
    const struct observed_storage *storage = &session->world.storage;
    for (size_t i = 0; i < storage->image_count; i++)
        if (strcmp(storage->images[i].digest, digest) == 0)
            return &storage->images[i];
    return NULL;
}

static int64_t use_of(const struct session *session, const struct observed_image *seen)
{
    const struct observed_storage *storage = &session->world.storage;
    int64_t used = seen->used;
    for (size_t i = 0; i < storage->image_count; i++)
        if (text_is_same(storage->images[i].lower, seen->digest) && storage->images[i].used > used)
            used = storage->images[i].used;
    return used;
}

/* Deltas before what they stand on, which is of the same age at least. */
static int compare(const void *left, const void *right)
{
    const struct lot *one = left, *other = right;
    if (one->used != other->used)
        return one->used < other->used ? -1 : 1;
    if (!one->seen->lower != !other->seen->lower)
        return one->seen->lower ? -1 : 1;
    return strcmp(one->seen->digest, other->seen->digest);
}

static struct lots find(struct session *session, struct candidates *images)
{
    struct lots lots = {.items = arena_array_of(session->arena, struct lot, images->count + 1)};
    for (size_t i = 0; i < images->count; i++) {
        const struct observed_image *seen = seen_of(session, images->items[i].name);
        if (seen)
            lots.items[lots.count++] =
                (struct lot){.item = &images->items[i], .seen = seen, .used = use_of(session, seen)};
    }
    if (lots.count)
        qsort(lots.items, lots.count, sizeof(*lots.items), compare);
    return lots;
}

static int64_t bytes_of(const struct session *session)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < session->world.storage.image_count; i++)
        bytes += session->world.storage.images[i].stored;
    return bytes;
}

/* Something stays that is a delta on it. */
static bool is_stood_on(const struct lots *lots, const struct lot *lot)
{
    for (size_t i = 0; i < lots->count; i++)
        if (text_is_same(lots->items[i].seen->lower, lot->seen->digest) && !lots->items[i].item->freed)
            return true;
    return false;
}

/* Without a bound whatever nobody uses goes. */
static void choose(const struct session *session, const struct lots *lots)
{
    const struct options *options = session->options;
    const struct policy_images *said = session->policy->images;
    const int64_t budget = options->budget ? options->budget : said->budget,
                  age = options->older ? options->older : said->age, now = time(NULL);
    int64_t bytes = bytes_of(session);
    for (size_t i = 0; i < lots->count; i++) {
        struct lot *lot = &lots->items[i];
        const bool old = age && (now - lot->used) * 1000 >= age, large = budget && bytes > budget;
        if ((budget || age) && !old && !large)
            continue;
        if (is_stood_on(lots, lot))
            continue;
        lot->item->freed = true;
        bytes -= lot->seen->stored;
    }
}

/* ---- what no spec lists ---- */

struct loose { /* an image of a build of the command line, which nobody uses */
    const struct entry *entry;
    const char *digest; /* NULL: it was never made */
};

struct looses {
    struct loose *items;
    size_t count;
};

/* Its bytes are not below what was made from it. */
static bool is_base(const struct session *session, const struct entry *entry)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *other = &session->actual.items[i];
        if (other != entry && image_names_base(other->facts->made_of, entry, true, session->arena))
            return true;
    }
    return false;
}

/* What was imported stays: there is nothing to make it from again. */
static bool is_loose(const struct entry *entry)
{
    const char *source = entry->record->source;
    return text_is_same(source, UNLISTED_BUILD) ||
           (text_is_same(source, UNLISTED_IMPORT) && !entry->facts->digest);
}

/* Their records keep nothing from here on. */
static struct looses find_loose(struct session *session)
{
    struct looses looses = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind != KIND_IMAGE || !is_loose(entry))
            continue;
        const struct image_row row = {.entry = entry,
                                      .digest = entry->facts->digest,
                                      .seen = entry->facts->digest ? seen_of(session, entry->facts->digest)
                                                                   : NULL};
        if (!image_users(session, &row, IMAGE_USE_BYTES).count && !is_base(session, entry))
            *arena_append(session->arena, looses.items, looses.count) =
                (struct loose){.entry = entry, .digest = entry->facts->digest};
    }
    for (size_t i = 0; i < looses.count; i++)
        looses.items[i].entry->facts->digest = NULL;
    return looses;
}

/* Of those with the digest, NULL: of those that were never made. Before the bytes: those without a name are what the next gc
 * frees. */
static int drop_records(struct session *session, const struct looses *looses, const char *digest,
                        struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < looses->count && result >= 0; i++)
        if (text_is_same(looses->items[i].digest, digest))
            result = image_forget(session, looses->items[i].entry->name, error);
    return result;
}

static void tell_unmade(const struct options *options, const struct looses *looses)
{
    for (size_t i = 0; i < looses->count; i++)
        if (!looses->items[i].digest && options->output == OUTPUT_TABLE && !options->quiet)
            printf("image %s: %s (it was never made)\n", looses->items[i].entry->name,
                   options->dry_run ? "would be forgotten" : "forgotten");
}

static const char *age_of(struct session *session, const struct lot *lot)
{
    const int64_t seconds = (int64_t)time(NULL) - lot->used;
    return seconds < 86400 ? arena_printf(session->arena, "%" PRId64 "h", seconds < 0 ? 0 : seconds / 3600)
                           : arena_printf(session->arena, "%" PRId64 "d", seconds / 86400);
}

/* Those that go with it; or whose it was when it was made, who may have another by now. */
static const char *names_of(struct session *session, const struct lot *lot, const struct looses *looses)
{
    const char *names = NULL, *maker = lot->seen->name;
    for (size_t i = 0; i < looses->count; i++)
        if (text_is_same(looses->items[i].digest, lot->seen->digest)) {
            const char *name = looses->items[i].entry->name;
            names = names ? arena_printf(session->arena, "%s and %s", names, name) : name;
        }
    if (names || !maker)
        return names ? names : "";
    const struct entry *entry = actual_find(&session->actual, KIND_IMAGE, maker);
    return entry ? arena_printf(session->arena, "an earlier %s", maker) : maker;
}

static void tell(struct session *session, const struct lot *lot, const struct looses *looses,
                 const char *word)
{
    const struct options *options = session->options;
    const char *names = names_of(session, lot, looses);
    if (options->output == OUTPUT_TABLE && !options->quiet)
        printf("image %s: %s (%s%s%s, last used %s ago)\n", lot->seen->digest, word, names,
               *names ? ", " : "", session_size(session, lot->seen->stored), age_of(session, lot));
    else if (options->output == OUTPUT_NAME && lot->item->freed)
        printf("image/%s\n", lot->seen->digest);
}

static size_t free_all(struct session *session, const struct lots *lots, const struct looses *looses,
                       struct json *list)
{
    const struct options *options = session->options;
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    size_t failed = 0;
    for (size_t i = 0; i < lots->count; i++) {
        const struct lot *lot = &lots->items[i];
        struct error error = {0};
        const char *word = !lot->item->freed ? "kept" : options->dry_run ? "would be freed" : "freed";
        const bool goes = lot->item->freed && !options->dry_run;
        if (goes && (drop_records(session, looses, lot->seen->digest, &error) < 0 ||
                     collect_free(session, pool, lot->item, &error) < 0)) {
            fail(options, &error, EXIT_ERROR);
            failed++;
            continue;
        }
        tell(session, lot, looses, word);
        json_append(list, collect_json(lot->item, lot->item->freed));
    }
    return failed;
}

int image_gc(struct session *session)
{
    const struct options *options = session->options;
    struct observed_snapshots seen = {0};
    struct candidates none = {0}, snapshots = {0}, images = {0};
    struct error error = {0};
    const struct call call = {.arena = session->arena, .cancel = -1};
    if (session_load_policy(session, &error) < 0)
        return fail_invalid(options, &session->problems);
    int result = storage_view.dump_snapshots(&session->paths, &call, &seen, &error);
    if (result >= 0 && !options->dry_run)
        result = session_write(session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    collect_snapshots(session, &seen, &none, &snapshots);
    const struct looses looses = find_loose(session);
    if (!options->dry_run && drop_records(session, &looses, NULL, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    tell_unmade(options, &looses);
    collect_images(session, &snapshots, &images);
    const struct lots lots = find(session, &images);
    choose(session, &lots);
    struct json *list = json_new_array();
    const size_t failed = free_all(session, &lots, &looses, list);
    if (options->output == OUTPUT_DATA)
        print_list(options, "objects", list);
    else
        json_free(list);
    if (!lots.count && options->output == OUTPUT_TABLE && !options->quiet)
        printf("Somebody stands on every image.\n");
    const int code = options->dry_run ? EXIT_IN_SYNC : image_drop_networks(session);
    return failed ? EXIT_SOME_FAILED : code;
}
