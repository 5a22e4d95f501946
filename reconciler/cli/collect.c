/* gc: the only way in which data goes without a spec asking for it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/collect.h"

struct candidate *collect_add(struct session *session, struct candidates *to, const char *kind,
                              const char *name, const char *why, struct entry *entry)
{
    struct candidate *item = arena_append(session->arena, to->items, to->count);
    *item = (struct candidate){.kind = kind, .name = name, .why = why, .entry = entry};
    return item;
}

void collect_add_step(struct session *session, struct candidate *item, enum step_kind kind,
                      const struct table *table, void *request)
{
    steps_add(session->arena, &item->steps, kind, described_whole(table, request));
}

/* What the data is worth something with. */
static const char *stands_on(struct session *session, const struct entry *entry)
{
    if (entry->kind == KIND_VOLUME)
        return arena_printf(session->arena, "of type %s", ((struct volume *)entry->object.body)->type);
    const char *digest = entry->facts->digest, *image = ((struct layer *)entry->object.body)->image;
    return !image && !digest
               ? "on an image that is not known" /* found without a record of its container */
               : arena_printf(session->arena, "on image %s%s%.12s", image ? image : "without a name",
                              digest ? ", sha256:" : "", digest ? digest : "");
}

static bool is_kept(const struct entry *entry)
{
    const char *retain = entry->kind == KIND_VOLUME ? ((struct volume *)entry->object.body)->retain
                                                    : ((struct layer *)entry->object.body)->retain;
    return strcmp(retain, "keep") == 0;
}

/* The snapshots that somebody asked for and that go with it: ", with snapshot a, b"; "" where there are none. */
static const char *with_snapshots(struct session *session, const struct entry *entry,
                                  const struct observed_snapshots *seen)
{
    const char *file = paths_file_name(session->arena, entry->name), *text = "";
    for (size_t i = 0; i < seen->count; i++) {
        const struct observed_snapshot *snapshot = &seen->items[i];
        if (snapshot->kept && strcmp(snapshot->kind, entry->record->kind) == 0 &&
            strcmp(snapshot->file, file) == 0)
            text = arena_printf(session->arena, "%s%s%s", text, *text ? ", " : ", with snapshot ",
                                snapshot->name);
    }
    return text;
}

static void find_data(struct session *session, struct entry *entry, const struct observed_snapshots *seen,
                      struct candidates *to)
{
    int64_t age = (int64_t)time(NULL) - entry->record->since;
    entry->was = renames_moved(&session->snapshot, &session->world, session->arena, entry->kind, entry->kind,
                               entry->name);
    const char *why =
        arena_printf(session->arena, "%s, %s%s%s", session_left(session, entry), stands_on(session, entry),
                     is_kept(entry) ? ", retain: keep" : "", with_snapshots(session, entry, seen));
    struct candidate *item = collect_add(session, to, entry->record->kind, entry->name, why, entry);
    struct data_reference *data = described_new(session->arena, &data_reference_table);
    data->file = paths_file_name(session->arena, entry->was ? entry->was : entry->name);
    item->young = age * 1000 < session->policy->retention;
    item->kept = is_kept(entry);
    collect_add_step(session, item, entry->kind == KIND_LAYER ? STEP_LAYER_DELETE : STEP_VOLUME_DELETE,
                     &data_reference_table, data);
}

static bool is_freed(const struct candidates *data, const char *kind, const char *file, struct arena *arena)
{
    for (size_t i = 0; i < data->count; i++)
        if (data->items[i].entry && data->items[i].freed && strcmp(data->items[i].kind, kind) == 0 &&
            strcmp(paths_file_name(arena, data->items[i].name), file) == 0)
            return true;
    return false;
}

/* What its folders hold, which others may share with it: "" where they cannot be looked into. */
static const char *size_of(struct session *session, const struct observed_snapshot *snapshot)
{
    const bool of_volume = strcmp(snapshot->kind, "volume") == 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < snapshot->frozen.count; i++)
        bytes += storage_view.measure(
            of_volume ? session->paths.volumes : session->paths.layers,
            arena_printf(session->arena, "%s/frozen/%s", snapshot->file, snapshot->frozen.items[i]));
    return bytes ? arena_printf(session->arena, ", %s", session_size(session, bytes)) : "";
}

void collect_snapshots(struct session *session, const struct observed_snapshots *seen,
                       const struct candidates *data, struct candidates *to)
{
    for (size_t i = 0; i < seen->count; i++) {
        const struct observed_snapshot *snapshot = &seen->items[i];
        if (is_freed(data, snapshot->kind, snapshot->file, session->arena))
            continue;
        int64_t age = (int64_t)time(NULL) - snapshot->made;
        const char *name = arena_printf(session->arena, "%s@%s",
                                        snapshot_owner(session->arena, snapshot->file), snapshot->name);
        const char *why = snapshot->kept
                              ? "a snapshot by command: goes by name, or with what it is of"
                              : arena_printf(session->arena, "kept by fpsync for %" PRId64 " day%s",
                                             age / 86400, age / 86400 == 1 ? "" : "s");
        why = arena_printf(session->arena, "%s%s", why, size_of(session, snapshot));
        struct candidate *item = collect_add(session, to, snapshot->kind, name, why, NULL);
        struct data_change *change = described_new(session->arena, &data_change_table);
        change->file = snapshot->file;
        change->name = snapshot->name;
        item->young = age * 1000 < session->policy->retention;
        item->kept = snapshot->kept;
        item->snapshot = snapshot;
        collect_add_step(session, item,
                         strcmp(snapshot->kind, "layer") == 0 ? STEP_LAYER_DROP : STEP_VOLUME_DROP,
                         &data_change_table, change);
    }
}

static bool stands_below(const struct candidates *snapshots, const char *digest)
{
    for (size_t i = 0; i < snapshots->count; i++)
        if (!snapshots->items[i].freed && snapshots->items[i].snapshot->image &&
            strcmp(snapshots->items[i].snapshot->image, digest) == 0)
            return true;
    return false;
}

/* In use: by an image's record, or by a layer that stands on it, retained ones included. */
static bool image_is_used(const struct session *session, const char *digest)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->facts->digest && strcmp(entry->facts->digest, digest) == 0)
            return true;
        /* A retained layer of a rebuilt record does not know on which it stands. */
        if (entry->kind == KIND_LAYER && entry_is_retained(entry) && !entry->facts->digest)
            return true;
    }
    return false;
}

static void find_retained(struct session *session, const struct observed_snapshots *seen,
                          struct candidates *to)
{
    for (size_t i = 0; i < session->actual.count; i++)
        if (entry_is_retained(&session->actual.items[i]))
            find_data(session, &session->actual.items[i], seen, to);
}

static bool image_is_needed(const struct session *session, const struct candidates *snapshots,
                            const char *digest)
{
    return image_is_used(session, digest) || stands_below(snapshots, digest);
}

/* By an image that is a delta on it, and stays. */
static bool is_lower(const struct session *session, const struct candidates *snapshots, const char *digest)
{
    const struct observed_storage *storage = &session->world.storage;
    for (size_t i = 0; i < storage->image_count; i++)
        if (storage->images[i].lower && strcmp(storage->images[i].lower, digest) == 0 &&
            image_is_needed(session, snapshots, storage->images[i].digest))
            return true;
    return false;
}

static void find_images_of(struct session *session, const struct candidates *snapshots, bool deltas,
                           struct candidates *to)
{
    for (size_t i = 0; i < session->world.storage.image_count; i++) {
        const struct observed_image *seen = &session->world.storage.images[i];
        if (deltas != (seen->lower != NULL) || image_is_needed(session, snapshots, seen->digest) ||
            is_lower(session, snapshots, seen->digest))
            continue;
        struct candidate *item =
            collect_add(session, to, "image", seen->digest, "no image or layer stands on it", NULL);
        struct image_reference *image = described_new(session->arena, &image_reference_table);
        image->digest = seen->digest;
        collect_add_step(session, item, STEP_IMAGE_REMOVE, &image_reference_table, image);
    }
}

void collect_images(struct session *session, const struct candidates *snapshots, struct candidates *to)
{
    find_images_of(session, snapshots, true, to);
    find_images_of(session, snapshots, false, to);
}

static const struct candidate *find_candidate(const struct candidates *among, const char *kind,
                                              const char *name)
{
    for (size_t i = 0; i < among->count; i++)
        if (strcmp(among->items[i].kind, kind) == 0 && strcmp(among->items[i].name, name) == 0)
            return &among->items[i];
    return NULL;
}

static void add_leftover_step(struct session *session, struct candidate *item, const char *file)
{
    const bool download = strcmp(item->kind, "download") == 0;
    if (download || strcmp(item->kind, "image") == 0) {
        struct image_reference *image = described_new(session->arena, &image_reference_table);
        image->digest = file;
        image->left = !download;
        image->download = download;
        collect_add_step(session, item, STEP_IMAGE_REMOVE, &image_reference_table, image);
        return;
    }
    struct data_reference *data = described_new(session->arena, &data_reference_table);
    data->file = file;
    data->left = true;
    collect_add_step(session, item, strcmp(item->kind, "layer") == 0 ? STEP_LAYER_DELETE : STEP_VOLUME_DELETE,
                     &data_reference_table, data);
}

/* What was to go already. Of retained data that has not come to its end it goes with that. */
static void find_leftovers(struct session *session, const struct observed_leftovers *seen,
                           const struct candidates *data, struct candidates *to)
{
    for (size_t i = 0; i < seen->count; i++) {
        const struct observed_leftover *left = &seen->items[i];
        const bool download = strcmp(left->kind, "download") == 0,
                   is_image = download || strcmp(left->kind, "image") == 0;
        const char *name = is_image ? left->file : snapshot_owner(session->arena, left->file);
        if (find_candidate(data, left->kind, name))
            continue;
        add_leftover_step(session,
                          collect_add(session, to, left->kind, name,
                                      download ? "left by a download that did not end"
                                               : "left by a removal that did not end",
                                      NULL),
                          left->file);
    }
}

static bool is_named(const struct options *options, const struct candidate *item, struct arena *arena)
{
    const char *id = arena_printf(arena, "%s/%s", item->kind, item->name);
    const char *bare = arena_printf(arena, "%s/%s", item->kind, name_bare(item->name));
    for (size_t i = 0; i < options->argument_count; i++)
        if (strcmp(options->arguments[i], id) == 0 || strcmp(options->arguments[i], bare) == 0)
            return true;
    return false;
}

/* Named ones are freed whatever their age; without names all that the retention allows, or all with --force. What is to
 * be kept is never, and a person's snapshot by its name only. */
static bool is_chosen(const struct options *options, const struct candidate *item, struct arena *arena)
{
    if (item->kept && (!item->snapshot || !options->argument_count))
        return false;
    return options->argument_count ? is_named(options, item, arena) : options->force || !item->young;
}

int collect_free(struct session *session, struct pool *pool, const struct candidate *item,
                 struct error *error)
{
    struct pool_reply reply = {0};
    int result = pool_submit(pool, (void *)item, &item->steps, 0, error);
    do {
        result = result < 0 ? result : pool_wait(pool, -1, &reply, error);
    } while (result > 0 && !reply.done);
    if (result < 0)
        return result;
    if (reply.code < 0)
        return error_set(error, reply.code, "%s %s: %s", item->kind, item->name, reply.message);
    if (!item->entry)
        return 0;
    result = state_begin(session->state, error);
    if (result >= 0)
        result = state_delete_record(session->state, item->kind, item->name, error);
    return result < 0 ? result : state_commit(session->state, error);
}

/* A name that is not among what can be freed is said before anything is. */
static int check_names(const struct session *session, const struct candidates *data,
                       const struct candidates *others, size_t other_count, struct error *error)
{
    for (size_t i = 0; i < session->options->argument_count; i++) {
        char *const name = session->options->arguments[i];
        const struct options one = {.arguments = &name, .argument_count = 1};
        bool found = strncmp(name, "image/", strlen("image/")) == 0; /* free only once the layers are */
        for (size_t j = 0; j < data->count; j++) {
            if (!is_named(&one, &data->items[j], session->arena))
                continue;
            found = true;
            if (data->items[j].kept)
                return error_set(error, -EPERM,
                                 "%s is retained with retain: keep; declared again with another word and "
                                 "removed, it can be freed",
                                 name);
        }
        for (size_t j = 0; j < other_count; j++)
            for (size_t k = 0; k < others[j].count; k++)
                found = found || is_named(&one, &others[j].items[k], session->arena);
        if (!found)
            return error_set(
                error, -ENOENT,
                "%s is not retained: it is in use or not there; fpsync gc --dry-run lists what is", name);
    }
    return 0;
}

struct json *collect_json(const struct candidate *item, bool chosen)
{
    struct json *object = json_new_object();
    json_set(object, "kind", json_new_text(item->kind));
    json_set(object, "name", json_new_text(item->name));
    json_set(object, "reason", json_new_text(item->why));
    json_set(object, "freed", json_new_bool(chosen));
    return object;
}

struct collection {
    struct session *session;
    struct pool *pool;
    struct json *list;
    size_t found, failed;
};

static void collect(struct collection *collection, struct candidates *found)
{
    struct session *session = collection->session;
    const struct options *options = session->options;
    for (size_t i = 0; i < found->count; i++) {
        struct candidate *item = &found->items[i];
        struct error error = {0};
        bool chosen = is_chosen(options, item, session->arena);
        const char *word = !chosen ? "kept" : options->dry_run ? "would be freed" : "freed";
        collection->found++;
        if (chosen && !options->dry_run && collect_free(session, collection->pool, item, &error) < 0) {
            fail(options, &error, EXIT_ERROR);
            collection->failed++;
            continue;
        }
        item->freed = chosen;
        if (chosen && item->entry) { /* it is not retained, and stands on no image, any more */
            item->entry->record->phase = NULL;
            item->entry->facts->digest = NULL;
        }
        if (options->output == OUTPUT_TABLE)
            printf("%s %s: %s (%s)\n", item->kind, item->name, word, item->why);
        else if (options->output == OUTPUT_NAME && chosen)
            printf("%s/%s\n", item->kind, item->name);
        json_append(collection->list, collect_json(item, chosen));
    }
}

int run_gc(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct candidates data = {0}, snapshots = {0}, leftovers = {0}, images = {0}, built = {0};
    struct observed_snapshots seen = {0};
    struct observed_leftovers left = {0};
    struct error error = {0};
    int result = session_open(options, options->dry_run ? SESSION_READ : SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    struct problems problems = {.arena = session.arena};
    result = session_look(&session, &error);
    const struct call call = {.arena = session.arena, .cancel = -1};
    if (result >= 0)
        result = storage_view.dump_snapshots(&session.paths, &call, &seen, &error);
    if (result >= 0)
        result = storage_view.dump_leftovers(&session.paths, session.arena, &left, &error);
    if (result >= 0 && !policy_load(session.paths.conf, session.arena, &session.policy, &problems))
        result = error_set(&error, -EINVAL, "%s:%u: %s", problems.items[0].place.file,
                           problems.items[0].place.line, problems.items[0].message);
    if (result >= 0 && !options->dry_run)
        result = session_write(&session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session.paths, 1, session.arena);
    struct collection collection = {.session = &session, .pool = pool, .list = json_new_array()};
    find_retained(&session, &seen, &data);
    collect_snapshots(&session, &seen, &data, &snapshots); /* none of the data is freed yet: all of them */
    find_leftovers(&session, &left, &data, &leftovers);
    if (check_names(&session, &data, (struct candidates[]){snapshots, leftovers}, 2, &error) < 0) {
        json_free(collection.list);
        return fail(options, &error, EXIT_ERROR);
    }
    collect(&collection, &data);
    snapshots = (struct candidates){0};
    collect_snapshots(&session, &seen, &data, &snapshots);
    collect(&collection, &snapshots);
    collect(&collection, &leftovers);
    collect_images(&session, &snapshots,
                   &images); /* after the layers: what stood on an image may be gone now */
    collect(&collection, &images);
    if (!options->argument_count) {
        if (collect_builds(&session, &built, &error) < 0)
            collection.failed += fail(options, &error, EXIT_ERROR) != 0;
        collect(&collection, &built);
    }
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "objects", collection.list);
        print_data(options, object);
    } else {
        json_free(collection.list);
        if (!collection.found && !options->quiet && options->output == OUTPUT_TABLE)
            printf("Nothing is retained.\n");
    }
    return collection.failed ? EXIT_SOME_FAILED : EXIT_IN_SYNC;
}
