/* snapshot, reset and restore: data kept under a name, begun anew, and brought back.
 *
 * What any of them replaces is kept. A container's layer is frozen without a copy, which takes a new root and so a
 * restart; a volume is copied while the containers on it stand still. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"
#include "reconciler/wish.h"

struct asked {
    struct session session;
    struct plan plan;
    enum verb verb;
    struct observed_snapshots snapshots;
    struct entry *entry;     /* the container, volume or layer that an action is about */
    const char *kind, *file; /* of the data behind it */
    bool refused;            /* by what the host permits */
};

const char *snapshot_owner(struct arena *arena, const char *file)
{
    char *name = arena_strdup(arena, file), *mark = strchr(name, '_');
    if (mark)
        *mark = '/';
    return name;
}

/* ---- what is meant ---- */

static struct entry *find_entry(struct asked *asked, enum kind kind, const char *name)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < asked->session.actual.count; i++) {
        struct entry *entry = &asked->session.actual.items[i];
        if (entry->kind != kind)
            continue;
        if (strcmp(entry->name, name) == 0)
            return entry;
        if (!strchr(name, '/') && strcmp(name_bare(entry->name), name) == 0)
            found = found && strncmp(found->name, "default/", 8) == 0 ? found : entry;
    }
    return found;
}

static const char *layer_of(const struct entry *container)
{
    const char *layer = ((const struct container *)container->object.body)->layer;
    return layer ? layer : container->name;
}

/* A layer that a container writes to is changed by the container's action: it has to give it up for that moment. */
static struct entry *user_of(struct asked *asked, const char *layer)
{
    for (size_t i = 0; i < asked->session.actual.count; i++) {
        struct entry *entry = &asked->session.actual.items[i];
        if (entry->kind == KIND_CONTAINER && !container_is_adopted(entry->object.body) &&
            strcmp(layer_of(entry), layer) == 0)
            return entry;
    }
    return NULL;
}

/* The root of what LXC had before is its own: no layer, and nothing that could be kept beside it. */
static int find_container(struct asked *asked, const char *word, struct error *error)
{
    int result = session_find_container(&asked->session, word, &asked->entry, error);
    if (result < 0)
        return result;
    if (container_is_adopted(asked->entry->object.body))
        return error_set(error, -ENOTSUP,
                         "container %s was adopted: its root is its own, and no layer that fpsync keeps",
                         asked->entry->name);
    asked->file = paths_file_name(asked->session.arena, layer_of(asked->entry));
    return 0;
}

static int find_target(struct asked *asked, const char *word, struct error *error)
{
    static const char layer[] = "layer/", volume[] = "volume/";
    struct arena *arena = asked->session.arena;
    bool is_layer = strncmp(word, layer, strlen(layer)) == 0,
         is_volume = strncmp(word, volume, strlen(volume)) == 0;
    asked->kind = is_volume ? "volume" : "layer";
    if (!is_layer && !is_volume)
        return find_container(asked, word, error);
    struct entry *entry = find_entry(asked, is_layer ? KIND_LAYER : KIND_VOLUME,
                                     word + (is_layer ? strlen(layer) : strlen(volume)));
    if (!entry)
        return error_set(error, -ENOENT, "no %s is recorded; fpsync status -o name -v lists what is", word);
    struct entry *user = is_layer ? user_of(asked, entry->name) : NULL;
    asked->entry = user ? user : entry;
    asked->file = paths_file_name(arena, entry->name);
    return 0;
}

static const struct observed_snapshot *find_snapshot(const struct asked *asked, const char *name)
{
    for (size_t i = 0; i < asked->snapshots.count; i++) {
        const struct observed_snapshot *seen = &asked->snapshots.items[i];
        if (strcmp(seen->kind, asked->kind) == 0 && strcmp(seen->file, asked->file) == 0 &&
            strcmp(seen->name, name) == 0)
            return seen;
    }
    return NULL;
}

static const char *name_now(struct arena *arena, const char *what)
{
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof(when), "%Y%m%d-%H%M%S", gmtime_r(&now, &utc));
    return arena_printf(arena, "%s-%s", what, when);
}

/* The same command, which did not come to its end: what it has made already is made when it is asked again. */
static const struct intent *find_interrupted(const struct asked *asked, const char *wish, bool *spent)
{
    const struct session *session = &asked->session;
    const struct intent *found = wish_find(&session->actual, asked->entry, wish);
    *spent = found && wish_is_spent(found, &session->actual, asked->entry, &session->paths, &session->world,
                                    session->arena);
    return *spent ? NULL : found;
}

static const char *new_token(struct arena *arena)
{
    char fresh[17];
    state_new_uid(fresh);
    return arena_strdup(arena, fresh);
}

static const struct observed_container *seen_of(const struct asked *asked, const struct entry *container)
{
    const struct session *session = &asked->session;
    return world_container(&session->world,
                           object_lxc_name(&session->paths, session->arena, &container->object));
}

static bool runs(const struct asked *asked, const struct entry *container)
{
    return container_is_up(seen_of(asked, container));
}

/* ---- the actions ---- */

static struct action *new_action(struct asked *asked, struct entry *entry, enum verb verb)
{
    struct session *session = &asked->session;
    const struct target target = {.paths = &session->paths,
                                  .arena = session->arena,
                                  .all = &asked->plan.all,
                                  .grants = &asked->plan.grants};
    struct action *action = arena_new_of(session->arena, struct action);
    *action = (struct action){.id = arena_printf(session->arena, "%s %s", verb_name(verb), entry->object.id),
                              .kind = entry->kind,
                              .name = entry->name,
                              .verb = verb,
                              .class = CLASS_RESTART,
                              .object = &entry->object,
                              .entry = entry,
                              .uid = entry->record->uid};
    if (entry->kind == KIND_CONTAINER)
        action->config_changed = entry_has_intent(&session->actual, entry) ||
                                 plan_config_differs(&target, &entry->object, entry, seen_of(asked, entry));
    action->shares_rules = entry->kind == KIND_CONTAINER;
    struct change *cause = arena_append(session->arena, action->causes.items, action->causes.count);
    *cause = (struct change){.field = "asked for", .class = CLASS_RESTART};
    *arena_append(session->arena, asked->plan.actions, asked->plan.count) = action;
    return action;
}

static bool runs_on_volume(const struct asked *asked, const struct entry *entry, const char *volume)
{
    return entry->kind == KIND_CONTAINER && plan_uses(&entry->object, KIND_VOLUME, volume) &&
           runs(asked, entry);
}

/* Whether anything is to be started, which the host may have to permit. */
static bool starts_anything(const struct asked *asked, const char *from)
{
    if (asked->entry->kind == KIND_CONTAINER)
        return runs(asked, asked->entry);
    for (size_t i = 0; i < asked->session.actual.count && from; i++)
        if (runs_on_volume(asked, &asked->session.actual.items[i], asked->entry->name))
            return true;
    return false;
}

static int check_start(struct asked *asked, const struct entry *container, struct error *error)
{
    int result = session_check_start(&asked->session, container, error);
    asked->refused = result == -EPERM;
    return result;
}

/* Those on a volume that becomes another one. */
static int restart_users(struct asked *asked, struct action *action, struct error *error)
{
    for (size_t i = 0; i < asked->session.actual.count; i++) {
        struct entry *entry = &asked->session.actual.items[i];
        if (!runs_on_volume(asked, entry, action->name))
            continue;
        int result = check_start(asked, entry, error);
        if (result == 0)
            result = session_check_layer(&asked->session, entry, error);
        if (result == 0)
            result = session_check_volumes(&asked->session, entry, error);
        if (result < 0)
            return result;
        struct action *restart = new_action(asked, entry, VERB_RESTART);
        *arena_append(asked->session.arena, restart->needs, restart->need_count) = action;
    }
    return 0;
}

/* A layer that begins anew does so on its image of today, unless it is to stay on the old one. */
static const char *reset_digest(struct asked *asked)
{
    const struct entry *entry = asked->entry;
    const struct target target = {
        .paths = &asked->session.paths, .arena = asked->session.arena, .all = &asked->plan.all};
    const struct entry *image =
        actual_find(&asked->session.actual, KIND_IMAGE, target_image(&target, &entry->object));
    const struct follow follow =
        follow_of(&target, &asked->session.actual, &asked->session.world, &entry->object, false);
    bool stays =
        follow.how == FOLLOW_STAY || !image || !world_has_image(&asked->session.world, image->facts->digest);
    return stays ? NULL : image->facts->digest;
}

/* Asked before anything is stopped: what is frozen below an upper is no root by itself, nor the other way round. */
static int check_kind(const struct asked *asked, const struct observed_snapshot *back, struct error *error)
{
    const struct entry *entry = asked->entry;
    if (!back || entry->kind != KIND_CONTAINER || back->whole == root_is_copy(entry->object.body))
        return 0;
    return error_set(error, -EINVAL, "snapshot %s is of a %s, and the root of container %s is a %s now",
                     back->name, back->whole ? "copy" : "layer", entry->name, back->whole ? "layer" : "copy");
}

static int plan_wish(struct asked *asked, const char *from, struct error *error)
{
    struct arena *arena = asked->session.arena;
    const struct options *options = asked->session.options;
    const struct observed_snapshot *back = from ? find_snapshot(asked, from) : NULL;
    if (from && !back)
        return error_set(error, -ENOENT, "%s %s has no snapshot %s; fpsync snapshot lists what there is",
                         asked->kind, snapshot_owner(arena, asked->file), from);
    if (check_kind(asked, back, error) < 0)
        return error->code;
    if (options->name && !name_is_valid(options->name))
        return error_set(error, -EINVAL, "--name: expected a name (a-z, 0-9 and '-'), found \"%s\"",
                         options->name);
    const char *wish = arena_printf(arena, "%s %s %s", verb_name(asked->verb),
                                    options->name ? options->name : "-", from ? from : "-");
    bool spent;
    const struct intent *again = find_interrupted(asked, wish, &spent);
    if (options->name && find_snapshot(asked, options->name) && !again)
        return error_set(error, -EEXIST, "%s %s has a snapshot %s already%s", asked->kind,
                         snapshot_owner(arena, asked->file), options->name,
                         spent ? ", of a command that was interrupted; what was written since is not in it"
                               : "");
    if (asked->entry->kind == KIND_CONTAINER && runs(asked, asked->entry) &&
        (check_start(asked, asked->entry, error) < 0 ||
         session_check_volumes(&asked->session, asked->entry, error) < 0))
        return error->code;
    if (asked->entry->kind == KIND_CONTAINER && asked->verb != VERB_RESET &&
        session_check_layer(&asked->session, asked->entry, error) < 0)
        return error->code;
    struct action *action = new_action(asked, asked->entry, asked->verb);
    action->snapshot = again && again->snapshot       ? again->snapshot
                       : options->name                ? options->name
                       : asked->verb == VERB_SNAPSHOT ? name_now(arena, "snapshot")
                       : asked->verb == VERB_RESET    ? name_now(arena, "before-reset")
                                                      : name_now(arena, "before-restore");
    action->from = from;
    action->wish = wish;
    action->token = again ? again->token : new_token(arena);
    action->digest = back ? back->image : asked->verb == VERB_RESET ? reset_digest(asked) : NULL;
    if (action->digest && !world_has_image(&asked->session.world, action->digest))
        return error_set(error, -ENOENT,
                         "the image %.12s that snapshot %s stands on is not in the store any more",
                         action->digest, from);
    return action->kind == KIND_VOLUME && from ? restart_users(asked, action, error) : 0;
}

static void tell(const struct asked *asked)
{
    const struct options *options = asked->session.options;
    for (size_t i = 0; i < asked->plan.count && options->output == OUTPUT_TABLE; i++) {
        const struct action *action = asked->plan.actions[i];
        const char *what = action->kind == KIND_CONTAINER ? ""
                           : action->kind == KIND_LAYER   ? "layer/"
                                                          : "volume/";
        if (!action->kept_as)
            continue;
        printf("%s is kept as snapshot %s", asked->verb == VERB_SNAPSHOT ? "What is there" : "What was there",
               action->kept_as);
        if (asked->verb == VERB_SNAPSHOT)
            printf("; fpsync restore %s%s %s brings it back\n", what, action->name, action->kept_as);
        else
            printf("; fpsync restore %s%s %s undoes this\n", what, action->name, action->kept_as);
    }
}

/* The containers that ran before and were left stopped, because their data could not be changed or the command was ended.
 * Not one whose layer may stand on another image by now. */
static void find_stopped(const struct asked *asked, struct arena *arena, struct texts *names)
{
    for (size_t i = 0; i < asked->plan.count; i++) {
        const struct action *action = asked->plan.actions[i];
        bool same = !action->digest || text_is_same(action->digest, action->entry->facts->digest);
        if (action->kind == KIND_CONTAINER && same && runs(asked, action->entry))
            *arena_append(arena, names->items, names->count) = arena_strdup(arena, action->name);
    }
}

static int act(const struct options *options, enum verb verb, const char *word, const char *from)
{
    struct asked asked = {.session = {.options = options, .lock = -1}, .verb = verb};
    struct error error = {0};
    int code = EXIT_ERROR;
    int result = session_open(options, SESSION_WRITE, &asked.session, &error);
    if (result == -EWOULDBLOCK)
        code = EXIT_LOCKED;
    if (result >= 0)
        result = session_look(&asked.session, &error);
    if (result >= 0) {
        const struct call here = {.arena = asked.session.arena, .cancel = -1};
        result = storage_view.dump_snapshots(&asked.session.paths, &here, &asked.snapshots, &error);
    }
    if (result >= 0)
        result = find_target(&asked, word, &error);
    if (result >= 0 && starts_anything(&asked, from))
        result = session_load_policy(&asked.session, &error);
    if (result >= 0) {
        session_plan_recorded(&asked.session, &asked.plan); /* for leases and rules of what is recorded */
        asked.plan.actions = NULL;
        asked.plan.count = asked.plan.resolver_count = asked.plan.held_count = 0;
        asked.plan.rules_change_last = false;
        result = plan_wish(&asked, from, &error);
    }
    if (result < 0 && asked.session.problems.count) {
        code = fail_invalid(options, &asked.session.problems);
    } else if (result < 0) {
        code = fail(options, &error, asked.refused ? EXIT_REFUSED : code);
    } else {
        const struct execution_request request = {.stop_timeout = options->timeout};
        code = execute_and_report(&asked.session, &asked.plan, &request);
        tell(&asked);
    }
    struct arena *arena = arena_new();
    struct texts stopped = {0};
    const int interruptions = take_interruptions(); /* in any case: they were not about what is started now */
    if (interruptions == 1 || (code == EXIT_SOME_FAILED && !interruptions))
        find_stopped(&asked, arena, &stopped);
    session_close(&asked.session);
    if (stopped.count)
        start_again(options, &stopped, arena);
    arena_free(arena);
    return code;
}

/* ---- the list ---- */

static struct json *snapshot_json(struct arena *arena, const struct observed_snapshot *seen)
{
    struct json *object = json_new_object();
    json_set(object, "kind", json_new_text(seen->kind));
    json_set(object, "name", json_new_text(snapshot_owner(arena, seen->file)));
    json_set(object, "snapshot", json_new_text(seen->name));
    json_set(object, "made", json_new_number(seen->made));
    json_set(object, "by", json_new_text(seen->kept ? "command" : "fpsync"));
    json_set(object, "image", json_new_text(seen->image));
    return object;
}

static void print_snapshot(const struct options *options, struct arena *arena,
                           const struct observed_snapshot *seen)
{
    char when[32], id[160];
    time_t made = (time_t)seen->made;
    struct tm utc;
    const char *owner = snapshot_owner(arena, seen->file);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&made, &utc));
    snprintf(id, sizeof(id), "%s/%s@%s", seen->kind, owner, seen->name);
    if (options->output == OUTPUT_NAME)
        printf("%s\n", id);
    else
        printf("%-56s %s  %s%s%.12s\n", id, when, seen->kept ? "by command" : "by fpsync",
               seen->image ? "  on " : "", seen->image ? seen->image : "");
}

static int list(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct observed_snapshots found = {0};
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    const struct call call = {.arena = session.arena, .cancel = -1};
    if (result >= 0)
        result = storage_view.dump_snapshots(&session.paths, &call, &found, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    struct json *array = json_new_array();
    for (size_t i = 0; i < found.count; i++) {
        json_append(array, snapshot_json(session.arena, &found.items[i]));
        if (options->output != OUTPUT_DATA)
            print_snapshot(options, session.arena, &found.items[i]);
    }
    if (options->output == OUTPUT_DATA)
        print_list(options, "snapshots", array);
    else
        json_free(array);
    if (!found.count && options->output == OUTPUT_TABLE && !options->quiet)
        printf("There are no snapshots.\n");
    return EXIT_IN_SYNC;
}

/* ---- commands ---- */

static int check_count(const struct options *options, size_t wanted, const char *usage)
{
    struct error error = {0};
    if (options->argument_count == wanted)
        return 0;
    error_set(&error, -EINVAL, "%s: expected %s", options->command, usage);
    return fail(options, &error, EXIT_ERROR);
}

int run_snapshot(const struct options *options)
{
    if (!options->argument_count)
        return list(options);
    int code = check_count(options, 1, "CONTAINER, layer/NAME or volume/NAME");
    return code ? code : act(options, VERB_SNAPSHOT, options->arguments[0], NULL);
}

int run_reset(const struct options *options)
{
    int code = check_count(options, 1, "CONTAINER");
    return code ? code : act(options, VERB_RESET, options->arguments[0], NULL);
}

int run_restore(const struct options *options)
{
    if (options->from && !options->argument_count)
        return backup_restore(options);
    int code = check_count(options, 2, "CONTAINER, layer/NAME or volume/NAME, and the name of a snapshot");
    return code ? code : act(options, VERB_RESTORE, options->arguments[0], options->arguments[1]);
}
