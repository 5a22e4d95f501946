/* image: what the store has, under which names, and who stands on it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/asked.h"
#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/cli.h"
#include "reconciler/pool.h"
#include "specs/image_config.h"

struct image_row {                     /* a name, or what is in the store without one */
    const struct entry *entry;         /* NULL: no name */
    const struct observed_image *seen; /* NULL: not in the store */
    const char *digest;                /* NULL: never made */
};

struct image_rows {
    struct image_row *items;
    size_t count;
};

static const struct observed_image *find_seen(const struct session *session, const char *digest)
{
    const struct observed_storage *storage = &session->world.storage;
    for (size_t i = 0; digest && i < storage->image_count; i++)
        if (strcmp(storage->images[i].digest, digest) == 0)
            return &storage->images[i];
    return NULL;
}

static bool has_name(const struct image_rows *rows, const char *digest)
{
    for (size_t i = 0; i < rows->count; i++)
        if (text_is_same(rows->items[i].digest, digest))
            return true;
    return false;
}

static struct image_rows find_rows(const struct session *session)
{
    struct image_rows rows = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_IMAGE)
            *arena_append(session->arena, rows.items, rows.count) =
                (struct image_row){.entry = entry,
                                   .digest = entry->facts->digest,
                                   .seen = find_seen(session, entry->facts->digest)};
    }
    for (size_t i = 0; i < session->world.storage.image_count; i++) {
        const struct observed_image *seen = &session->world.storage.images[i];
        if (!has_name(&rows, seen->digest))
            *arena_append(session->arena, rows.items, rows.count) =
                (struct image_row){.seen = seen, .digest = seen->digest};
    }
    return rows;
}

/* Objects that stand on the bytes, or go by the name: "container/shop/web". An image below a delta is the delta's. */
static struct texts users_of(const struct session *session, const struct image_row *row)
{
    struct texts users = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        const bool stands =
            entry->kind != KIND_IMAGE && row->digest && text_is_same(entry->facts->digest, row->digest);
        const bool goes_by = row->entry && entry != row->entry && !entry_is_retained(entry) &&
                             plan_uses(&entry->object, KIND_IMAGE, row->entry->name);
        /* A container says it for the layer of its own name. */
        const bool said = entry->kind == KIND_LAYER && entry->object.implicit && !entry_is_retained(entry);
        if ((stands || goes_by) && !said)
            *arena_append(session->arena, users.items, users.count) = entry->object.id;
    }
    for (size_t i = 0; row->digest && i < session->world.storage.image_count; i++) {
        const struct observed_image *seen = &session->world.storage.images[i];
        if (text_is_same(seen->lower, row->digest))
            *arena_append(session->arena, users.items, users.count) =
                arena_printf(session->arena, "image/%.12s", seen->digest);
    }
    return users;
}

static const char *age_of(const struct session *session, const struct image_row *row)
{
    const int64_t seconds = row->seen ? (int64_t)time(NULL) - row->seen->made : -1;
    const char *unit = seconds < 3600 ? "m" : seconds < 48 * 3600 ? "h" : "d";
    const int64_t length = seconds < 3600 ? 60 : seconds < 48 * 3600 ? 3600 : 86400;
    return seconds < 0 ? "-" : arena_printf(session->arena, "%" PRId64 "%s", seconds / length, unit);
}

static struct json *texts_json(const struct texts *texts)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < texts->count; i++)
        json_append(list, json_new_text(texts->items[i]));
    return list;
}

/* Values that are not to be shown are not, here as in plans. */
static struct json *config_json(const struct session *session, const char *text)
{
    struct image_config *config;
    if (!text || image_config_parse(session->arena, text, &config, NULL) < 0)
        return json_new_null();
    for (size_t i = 0; i < config->env.count; i++)
        if (variable_is_hidden(config->env.items[i].key))
            config->env.items[i].value = "(sensitive)";
    return image_config_to_json(config);
}

static struct json *row_json(const struct session *session, const struct image_row *row, bool whole)
{
    const struct image *body = row->entry ? row->entry->object.body : NULL;
    const struct texts users = users_of(session, row);
    struct json *object = json_new_object();
    json_set(object, "name", json_new_text(row->entry ? row->entry->name : NULL));
    json_set(object, "digest", json_new_text(row->digest));
    json_set(object, "bytes", row->seen ? json_new_number(row->seen->bytes) : json_new_null());
    json_set(object, "made", row->seen ? json_new_number(row->seen->made) : json_new_null());
    json_set(object, "lower", json_new_text(row->seen ? row->seen->lower : NULL));
    json_set(object, "source", json_new_text(body ? body->source : NULL));
    json_set(object, "origin", json_new_text(row->entry ? row->entry->facts->origin : NULL));
    json_set(object, "used_by", texts_json(&users));
    if (whole)
        json_set(object, "config", config_json(session, row->entry ? row->entry->facts->config : NULL));
    return object;
}

static void print_row(struct session *session, const struct image_row *row)
{
    const struct image *body = row->entry ? row->entry->object.body : NULL;
    const struct texts users = users_of(session, row);
    printf("%-24s %-12.12s %10s %5s  %-32s  ", row->entry ? row->entry->name : "-",
           row->digest ? row->digest : "-", row->seen ? session_size(session, row->seen->bytes) : "missing",
           age_of(session, row), body && body->source ? body->source : "-");
    for (size_t i = 0; i < users.count; i++)
        printf("%s%s", i ? ", " : "", users.items[i]);
    printf("%s\n", users.count ? "" : "-");
}

static int list_images(struct session *session)
{
    const struct options *options = session->options;
    const struct image_rows rows = find_rows(session);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    if (options->output == OUTPUT_TABLE && rows.count)
        printf("%-24s %-12s %10s %5s  %-32s  %s\n", "NAME", "DIGEST", "SIZE", "AGE", "SOURCE", "USED BY");
    for (size_t i = 0; i < rows.count; i++) {
        const struct image_row *row = &rows.items[i];
        if (list)
            json_append(list, row_json(session, row, false));
        else if (options->output == OUTPUT_NAME)
            printf("image/%s\n", row->entry ? row->entry->name : row->digest);
        else
            print_row(session, row);
    }
    if (list)
        print_list(options, "images", list);
    return EXIT_IN_SYNC;
}

/* By full name, by the bare one where it is the only one, or by the first twelve digits of its digest or more. */
static int find_row(struct session *session, const char *argument, struct image_row *row, struct error *error)
{
    const struct image_rows rows = find_rows(session);
    const char *name =
        strncmp(argument, "image/", strlen("image/")) == 0 ? argument + strlen("image/") : argument;
    const char *digest = strncmp(name, "sha256:", strlen("sha256:")) == 0 ? name + strlen("sha256:") : name;
    struct entry *entry = NULL;
    if (strlen(digest) >= 12 && strspn(digest, "0123456789abcdef") == strlen(digest))
        for (size_t i = 0; i < rows.count; i++)
            if (rows.items[i].digest && strncmp(rows.items[i].digest, digest, strlen(digest)) == 0) {
                *row = rows.items[i];
                return 0;
            }
    int result = session_find_object(session, arena_printf(session->arena, "image/%s", name), &entry, error);
    for (size_t i = 0; result >= 0 && i < rows.count; i++)
        if (rows.items[i].entry == entry)
            *row = rows.items[i];
    return result;
}

static int inspect_images(struct session *session)
{
    const struct options *options = session->options;
    struct json *list = json_new_array();
    for (size_t i = 1; i < options->argument_count; i++) {
        struct error error = {0};
        struct image_row row = {0};
        if (find_row(session, options->arguments[i], &row, &error) < 0) {
            json_free(list);
            return fail(options, &error, EXIT_ERROR);
        }
        json_append(list, row_json(session, &row, true));
    }
    print_list(options, "images", list);
    return EXIT_IN_SYNC;
}

/* ---- removal ---- */

/* One step of a worker; `done`: its result, or NULL where that is not asked for. */
static int run_step(struct session *session, enum step_kind kind, void *request, void **done,
                    struct error *error)
{
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    struct steps steps = {0};
    struct pool_reply reply = {0};
    steps_add(session->arena, &steps, kind, described_whole(step_type(kind)->request, request));
    int result = pool_submit(pool, request, &steps, 0, error);
    do {
        result = result < 0 ? result : pool_wait(pool, -1, &reply, error);
    } while (result > 0 && !reply.done);
    if (result >= 0 && reply.code < 0)
        result = error_set(error, reply.code, "%s", reply.message);
    if (result >= 0 && done)
        *done = reply.result_count ? reply.results[0] : NULL;
    return result;
}

static int free_bytes(struct session *session, const char *digest, struct error *error)
{
    struct image_reference *image = described_new(session->arena, &image_reference_table);
    image->digest = digest;
    return run_step(session, STEP_IMAGE_REMOVE, image, NULL, error);
}

/* The name first: bytes without one are what gc frees, should the run end in between. */
static int remove_row(struct session *session, const struct image_row *row, struct error *error)
{
    int result = 0;
    if (row->entry) {
        result = state_begin(session->state, error);
        if (result >= 0)
            result = state_delete_record(session->state, kind_name(KIND_IMAGE), row->entry->name, error);
        if (result >= 0)
            result = state_commit(session->state, error);
    }
    for (size_t i = 0; i < session->actual.count && result >= 0; i++) { /* another name of the same bytes */
        const struct entry *entry = &session->actual.items[i];
        if (entry != row->entry && entry->kind == KIND_IMAGE &&
            text_is_same(entry->facts->digest, row->digest))
            return 0;
    }
    return result >= 0 && row->seen ? free_bytes(session, row->digest, error) : result;
}

/* And what stands on it without being an object: snapshots, and retained layers that do not know on what they stand. */
static int add_data(const struct session *session, const char *digest, struct texts *users,
                    struct error *error)
{
    struct observed_snapshots seen = {0};
    const struct call call = {.arena = session->arena, .cancel = -1};
    int result = storage_view.dump_snapshots(&session->paths, &call, &seen, error);
    for (size_t i = 0; i < seen.count; i++)
        if (digest && text_is_same(seen.items[i].image, digest))
            *arena_append(session->arena, users->items, users->count) =
                arena_printf(session->arena, "%s/%s@%s", seen.items[i].kind,
                             snapshot_owner(session->arena, seen.items[i].file), seen.items[i].name);
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_LAYER && entry_is_retained(entry) && !entry->facts->digest)
            *arena_append(session->arena, users->items, users->count) = entry->object.id;
    }
    return result;
}

static int check_unused(const struct session *session, const struct image_row *row, const char *argument,
                        struct error *error)
{
    struct texts users = users_of(session, row);
    _cleanup_buffer_ struct buffer text = {0};
    int result = add_data(session, row->digest, &users, error);
    if (result < 0)
        return result;
    for (size_t i = 0; i < users.count; i++)
        buffer_printf(&text, "%s%s", i ? ", " : "", users.items[i]);
    return users.count ? error_set(error, -EBUSY, "image %s is used by %s", argument, text.bytes) : 0;
}

static int remove_images(struct session *session)
{
    const struct options *options = session->options;
    struct error error = {0};
    struct image_row *rows = arena_array_of(session->arena, struct image_row, options->argument_count);
    int result = 0;
    for (size_t i = 1; i < options->argument_count && result >= 0; i++) {
        result = find_row(session, options->arguments[i], &rows[i], &error);
        if (result >= 0)
            result = check_unused(session, &rows[i], options->arguments[i], &error);
    }
    if (result < 0)
        return fail(options, &error, result == -EBUSY ? EXIT_REFUSED : EXIT_ERROR);
    result = session_write(session, &error);
    for (size_t i = 1; i < options->argument_count && result >= 0; i++) {
        result = remove_row(session, &rows[i], &error);
        if (result >= 0 && options->output == OUTPUT_TABLE && !options->quiet)
            printf("image %s: removed\n", options->arguments[i]);
    }
    return result < 0 ? fail(options, &error, EXIT_ERROR) : EXIT_IN_SYNC;
}

/* ---- export ---- */

/* "FOLDER[:TAG]": the last colon counts, as a tag has no slash. */
static const char *split_tag(struct arena *arena, const char *argument, const char **tag)
{
    const char *colon = strrchr(argument, ':');
    const bool has_tag = colon && !strchr(colon, '/');
    *tag = has_tag ? colon + 1 : NULL;
    return has_tag ? arena_strndup(arena, argument, (size_t)(colon - argument)) : argument;
}

/* Under the lock, so that nobody frees what is being read. */
static int export_image(struct session *session)
{
    const struct options *options = session->options;
    struct image_export *export = described_new(session->arena, &image_export_table);
    struct image_row row = {0};
    struct error error = {0};
    void *done = NULL;
    if (options->argument_count != 3) {
        error_set(&error, -EINVAL, "image export needs the name of an image and a folder: FOLDER[:TAG]");
        return fail(options, &error, EXIT_ERROR);
    }
    int result = find_row(session, options->arguments[1], &row, &error);
    if (result >= 0 && !row.seen)
        result = error_set(&error, -ENOENT, "image %s is not in the store", options->arguments[1]);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const char *path = split_tag(session->arena, options->arguments[2], &export->tag);
    export->digest = row.digest;
    const char *here = *path == '/' ? NULL : ask_getcwd(session->arena);
    export->path = here ? arena_join(session->arena, here, '/', path) : path;
    result = run_step(session, STEP_IMAGE_EXPORT, export, &done, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const struct image_exported *exported = done;
    if (options->output == OUTPUT_TABLE && !options->quiet && exported)
        printf("image %s: %s, %s\n", options->arguments[1], exported->digest,
               session_size(session, exported->bytes));
    return EXIT_IN_SYNC;
}

/* ---- pulling ---- */

/* SEMANTICS 12: the name is bound to what its source has today. What stands on it follows at the next apply. */
static struct action *pull_action(struct session *session, struct entry *entry)
{
    struct action *action = arena_new_of(session->arena, struct action);
    *action = (struct action){
        .id = arena_printf(session->arena, "%s %s", verb_name(VERB_RECREATE), entry->object.id),
        .kind = KIND_IMAGE,
        .name = entry->name,
        .verb = VERB_RECREATE,
        .class = CLASS_RECREATE,
        .object = &entry->object,
        .entry = entry,
        .uid = entry->record->uid};
    struct change *cause = arena_append(session->arena, action->causes.items, action->causes.count);
    *cause = (struct change){.field = "asked for", .class = CLASS_RECREATE};
    return action;
}

static int pull_images(struct session *session)
{
    const struct options *options = session->options;
    struct error error = {0};
    struct plan plan;
    if (session_load_policy(session, &error) < 0)
        return fail_invalid(options, &session->problems);
    session_plan_recorded(session, &plan); /* its leases hold; of its actions none is done */
    plan.actions = NULL;
    plan.count = plan.held_count = plan.resolver_count = plan.release_count = plan.await_count = 0;
    plan.rules_change_first = plan.rules_change_last = false;
    for (size_t i = 1; i < options->argument_count; i++) {
        struct image_row row = {0};
        if (find_row(session, options->arguments[i], &row, &error) < 0)
            return fail(options, &error, EXIT_ERROR);
        struct entry *entry = row.entry ? actual_find(&session->actual, KIND_IMAGE, row.entry->name) : NULL;
        if (!entry) {
            error_set(&error, -EINVAL, "image %s has no name, and so no source", options->arguments[i]);
            return fail(options, &error, EXIT_ERROR);
        }
        if (!plan_acts_on(&plan, entry))
            *arena_append(session->arena, plan.actions, plan.count) = pull_action(session, entry);
    }
    const struct execution_request request = {.stop_timeout = -1};
    return execute_and_report(session, &plan, &request);
}

int run_image(const struct options *options)
{
    static const struct {
        const char *word;
        bool acts, named;
        int (*run)(struct session *);
    } verbs[] = {{"ls", false, false, list_images},
                 {"inspect", false, true, inspect_images},
                 {"rm", true, true, remove_images},
                 {"export", true, true, export_image},
                 {"pull", true, true, pull_images}};
    const char *word = options->argument_count ? options->arguments[0] : "ls";
    struct error error = {0};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(verbs[i].word, word) != 0)
            continue;
        if (verbs[i].named != (options->argument_count > 1)) {
            error_set(&error, -EINVAL,
                      verbs[i].named ? "image %s needs the name of an image" : "image %s takes no name",
                      word);
            return fail(options, &error, EXIT_ERROR);
        }
        _cleanup_session_ struct session session = {.options = options, .lock = -1};
        int result = session_open(options, verbs[i].acts ? SESSION_WRITE : SESSION_READ, &session, &error);
        if (result >= 0)
            result = session_look(&session, &error);
        return result < 0 ? fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR)
                          : verbs[i].run(&session);
    }
    error_set(&error, -EINVAL, "image: expected ls, inspect, export, pull or rm, found \"%s\"", word);
    return fail(options, &error, EXIT_ERROR);
}
