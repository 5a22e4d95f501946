#include "reconciler/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "drivers/image/view_source.h"
#include "lib/asked.h"
#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"
#include "reconciler/contest.h"
#include "reconciler/members.h"
#include "reconciler/narrow.h"
#include "reconciler/permission.h"

/* Defaults of SEMANTICS 11 and 48. */
#define ID_FIRST        0x70000000
#define ID_LAST         0x7fffffff
#define HOLDER_SIZE     64    /* bytes of what the holder of the lock writes about itself */
#define WORKER_PATIENCE 30000 /* milliseconds */
#define SUBNET_POOL     "10.64.0.0/11"

/* Each folder with its mode; parents of what unprivileged containers reach need x for others. */
static int make_folders(const struct paths *paths, struct error *error)
{
    const struct {
        const char *path;
        mode_t mode;
    } folders[] = {{paths->store, 0711},  {paths->state, 0700},   {paths->images, 0700},
                   {paths->layers, 0700}, {paths->volumes, 0700}, {paths->lxc, 0711},
                   {paths->run, 0711},    {paths->mounts, 0711},  {paths->networks, 0755}};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char part[256];
        if (access(folders[i].path, F_OK) == 0)
            continue;
        for (const char *slash = strchr(folders[i].path + 1, '/');; slash = strchr(slash + 1, '/')) {
            size_t length = slash ? (size_t)(slash - folders[i].path) : strlen(folders[i].path);
            snprintf(part, sizeof(part), "%.*s", (int)length, folders[i].path);
            if (mkdir(part, slash ? 0755 : folders[i].mode) < 0 && errno != EEXIST)
                return error_errno(error, -errno, "cannot create %s", part);
            if (!slash)
                break;
        }
    }
    return 0;
}

/* The holder writes who it is into the file; it is only read while somebody else holds the lock. */
static int lock_failed(const struct paths *paths, int64_t patience, struct error *error)
{
    _cleanup_buffer_ struct buffer holder = {0};
    buffer_read_file(&holder, AT_FDCWD, paths->lock, 4096, NULL);
    while (holder.length && holder.bytes[holder.length - 1] == ' ')
        holder.bytes[--holder.length] = '\0';
    return error_set(error, -EWOULDBLOCK, "another run holds %s: %s%s", paths->lock,
                     holder.length ? holder.bytes : "unknown",
                     patience ? "" : "; --lock-timeout 60s waits for its end");
}

/* Whether the process that wrote itself into the lock file still is one; a zombie has no program any more. */
static bool holder_lives(const struct paths *paths)
{
    _cleanup_buffer_ struct buffer holder = {0};
    char program[64], target[16];
    int pid = 0;
    if (buffer_read_file(&holder, AT_FDCWD, paths->lock, 4096, NULL) < 0 || !holder.length ||
        sscanf(holder.bytes, "pid %d,", &pid) != 1)
        return true; /* it has not said yet who it is */
    snprintf(program, sizeof(program), "/proc/%d/exe", pid);
    return readlink(program, target, sizeof(target)) >= 0 || errno != ENOENT;
}

static void ignore_alarm(int signal)
{
    (void)signal;
}

/* flock() has no timeout: an interval timer interrupts it, again and again, so that none is missed. */
static int wait_for_lock(int fd, int64_t milliseconds)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (milliseconds <= 0)
        return -EWOULDBLOCK;
    struct sigaction action = {.sa_handler = ignore_alarm}, before;
    sigaction(SIGALRM, &action, &before);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec when = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000},
                              .it_interval = {0, 10 * 1000000}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    timer_settime(timer, 0, &when, NULL);
    int result = flock(fd, LOCK_EX) < 0 ? -errno : 0;
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
    return result == -EINTR ? -EWOULDBLOCK : result;
}

/* What a killed run had under way ends by itself, soon; only then is there something to look at. */
static int await_workers(const struct paths *paths, struct error *error)
{
    _cleanup_close_ int fd = open(paths->workers, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot open %s", paths->workers);
    int result = wait_for_lock(fd, WORKER_PATIENCE);
    return result == 0
               ? 0
               : error_errno(error, result, "workers of an earlier run do not end (%s)", paths->workers);
}

static int take_lock(struct session *session, struct error *error)
{
    const struct paths *paths = &session->paths;
    int fd = open(paths->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open %s", paths->lock);
    int64_t patience = session->options->automatic && !session->options->lock_timeout
                           ? 60000
                           : session->options->lock_timeout;
    int result = wait_for_lock(fd, patience);
    /* A run that was killed while it started a worker holds the lock on in that child, until the child's exec. */
    if (result == -EWOULDBLOCK && !holder_lives(paths))
        result = wait_for_lock(fd, WORKER_PATIENCE);
    if (result < 0) {
        close(fd);
        return result == -EWOULDBLOCK ? lock_failed(paths, patience, error)
                                      : error_errno(error, result, "cannot lock %s", paths->lock);
    }
    /* Always as long, so that the file is never cut: that costs more than all the rest of taking the lock. */
    _cleanup_buffer_ struct buffer who = {0};
    buffer_printf(&who, "pid %d, fpsync %s", getpid(), session->options->command);
    while (who.length < HOLDER_SIZE)
        buffer_text(&who, " ");
    if (pwrite(fd, who.bytes, who.length, 0) < 0) {
        close(fd);
        return error_errno(error, -errno, "cannot write %s", paths->lock);
    }
    session->lock = fd;
    return await_workers(paths, error);
}

int session_enter(const struct options *options, enum session_mode mode, struct session *session,
                  struct error *error)
{
    *session = (struct session){.options = options, .arena = arena_new(), .lock = -1};
    session->lease_rules =
        (struct lease_rules){.id_first = ID_FIRST, .id_last = ID_LAST, .pool = SUBNET_POOL};
    int result = paths_make(options->root, session->arena, &session->paths, error);
    if (result >= 0 && mode == SESSION_WRITE)
        result = make_folders(&session->paths, error);
    if (result >= 0 && mode == SESSION_WRITE)
        result = take_lock(session, error);
    if (result >= 0)
        result = state_open(session->paths.state, STATE_READ, &session->state, error);
    return result;
}

int session_read(struct session *session, struct error *error)
{
    int result = state_read(session->state, session->arena, &session->snapshot, error);
    if (result >= 0)
        result = actual_decode(session->state, &session->snapshot, session->arena, &session->actual, error);
    return result;
}

int session_open(const struct options *options, enum session_mode mode, struct session *session,
                 struct error *error)
{
    int result = session_enter(options, mode, session, error);
    return result >= 0 ? session_read(session, error) : result;
}

int session_write(struct session *session, struct error *error)
{
    state_close(TAKE_PTR(session->state));
    return state_open(session->paths.state, STATE_WRITE, &session->state, error);
}

void session_close(struct session *session)
{
    metadata_clear(&session->metadata);
    state_close(session->state);
    if (session->lock >= 0)
        close(session->lock);
    arena_free(session->arena);
}

int session_look(struct session *session, struct error *error)
{
    session->lease_rules.host = *session->snapshot.host ? session->snapshot.host : session->paths.root;
    if (session->has_looked) { /* once: who looks again means it */
        session->has_looked = false;
        return 0;
    }
    return world_observe(&session->paths, &session->actual, session->arena, &session->world, error);
}

static bool is_recorded(const struct session *session, const char *source)
{
    for (size_t i = 0; i < session->actual.count; i++)
        if (text_is_same(session->actual.items[i].record->source, source))
            return true;
    return false;
}

/* A path that names nothing, given by hand and never applied, is a slip of the pen. */
static int check_arguments(const struct session *session, struct error *error)
{
    for (size_t i = 0; i < session->set.source_count && session->options->file_count; i++) {
        const struct spec_source *source = &session->set.sources[i];
        if (source->is_missing && !session->options->automatic && !is_recorded(session, source->name))
            return error_set(error, -ENOENT, "%s: there is no such file, or no *.yaml in that folder",
                             source->argument);
    }
    return 0;
}

/* SEMANTICS 19: what was taken down by hand stays down until it is applied by hand. */
static struct texts down_sources(const struct session *session)
{
    struct texts down = {0};
    for (size_t i = 0; i < session->snapshot.source_count && session->options->automatic; i++)
        if (session->snapshot.sources[i]->down)
            *arena_append(session->arena, down.items, down.count) = session->snapshot.sources[i]->name;
    return down;
}

/* The files that problems were found in. */
static void add_broken_files(const struct session *session, const struct problems *problems,
                             struct texts *files)
{
    for (size_t i = 0; i < problems->count; i++) {
        const char *file = spec_file_owner(session->arena, problems->items[i].place.file);
        bool known = false;
        for (size_t j = 0; j < files->count && !known; j++)
            known = strcmp(files->items[j], file) == 0;
        if (!known)
            *arena_append(session->arena, files->items, files->count) = file;
    }
}

/* SEMANTICS 17: broken files are held back singly if the rest validates, else together. */
static int hold_back_files(struct session *session, struct spec_request *request,
                           const struct object_set *recorded, struct error *error)
{
    struct problems problems = session->problems;
    for (size_t i = 0; i < problems.count; i++)
        if (strcmp(problems.items[i].place.file, session->paths.conf) == 0)
            return -EINVAL; /* what is permitted is in doubt */
    size_t before;
    int result = -EINVAL;
    do {
        before = request->held_back.count;
        add_broken_files(session, &problems, &request->held_back);
        problems = (struct problems){.arena = session->arena};
        result = specs_load(request, recorded, session->arena, &session->set, &problems, error);
    } while (result == -EINVAL && request->held_back.count > before);
    if (result >= 0)
        session->held_back = request->held_back;
    return result;
}

/* SEMANTICS 26: recipes are read with the specs, and what is wrong in them is told with what is wrong there. */
int session_load_builds(struct session *session, struct error *error)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    session->builds_request = (struct builds_request){
        .desired = &session->set.objects,
        .actual = &session->actual,
        .policy = session->policy,
        .salt = session->options->no_cache && !session->has_built
                    ? arena_printf(session->arena, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec)
                    : NULL,
        .epoch = getenv("SOURCE_DATE_EPOCH")};
    builds_read(&session->builds_request, session->arena, &session->problems, &session->builds);
    builds_imply(&session->builds, session->arena, &session->set.objects);
    if (!session->problems.count || session->held_back.count)
        return 0;
    problems_sort(&session->problems);
    return error_set(error, -EINVAL, "a recipe is invalid");
}

int session_load(struct session *session, struct error *error)
{
    struct object_set recorded = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        /* A volume that was never finished may become another. */
        if (!entry_is_retained(entry) && (entry->kind != KIND_VOLUME || !entry_is_unfinished(entry)))
            *arena_append(session->arena, recorded.items, recorded.count) = &entry->object;
    }
    struct spec_request request = {.arguments = session->options->files,
                                   .count = session->options->file_count,
                                   .source_name = session->options->source,
                                   .default_directory = session->paths.specs,
                                   .left_out = down_sources(session),
                                   .use_environment =
                                       session->options->file_count && !session->options->automatic};
    session->problems = (struct problems){.arena = session->arena};
    if (!policy_load(session->paths.conf, session->arena, &session->policy, &session->problems))
        session->policy = NULL; /* the set is refused for it, and what is in force stays so */
    int result = specs_load(&request, &recorded, session->arena, &session->set, &session->problems, error);
    if (result == -EINVAL && session->options->automatic && recorded.count)
        result = hold_back_files(session, &request, &recorded, error);
    if (result >= 0)
        result = check_arguments(session, error);
    if (result >= 0)
        result = session_load_builds(session, error);
    if (result >= 0 && session->options->target_count)
        result = narrow_set(&session->set, &session->builds, session->options->targets,
                            session->options->target_count, session->arena, error);
    return result;
}

int session_load_policy(struct session *session, struct error *error)
{
    session->problems = (struct problems){.arena = session->arena};
    if (policy_load(session->paths.conf, session->arena, &session->policy, &session->problems))
        return 0;
    return error_set(error, -EINVAL, "%s says nothing that could be used", session->paths.conf);
}

int session_check_start(const struct session *session, const struct entry *container, struct error *error)
{
    struct refusal refusal;
    const char *lost = object_lost_value(&container->object, session->arena);
    if (lost)
        return error_set(error, -ENODATA,
                         "container %s: the value of %s is not kept any more; fpsync apply with the file "
                         "that declares it brings it back",
                         container->name, lost);
    if (session->policy &&
        permission_is_refused(session->policy, &session->paths, &container->object, session->arena, &refusal))
        return error_set(error, -EPERM, "container %s: %s; %s", container->name, refusal.reason,
                         refusal.hint);
    return 0;
}

int session_check_layer(const struct session *session, const struct entry *container, struct error *error)
{
    const struct target target = {.paths = &session->paths, .arena = session->arena};
    const bool there = world_has_layer(&session->world, target_layer_file(&target, &container->object));
    const char *layer = layer_lost(&session->actual, &container->object, container, there);
    return layer ? error_set(error, -ENOENT,
                             "container %s: the data of its layer %s is gone from the store; fpsync restore "
                             "--from FILE brings back a backup, fpsync reset %s begins anew",
                             container->name, layer, container->name)
                 : 0;
}

int session_check_volumes(const struct session *session, const struct entry *container, struct error *error)
{
    const struct list *volumes = &((const struct container *)container->object.body)->volumes;
    for (size_t i = 0; i < volumes->count; i++) {
        const char *volume = ((const struct mount *)volumes->items[i])->volume;
        if (!world_has_volume(&session->world, paths_file_name(session->arena, volume)))
            return error_set(
                error, -ENOENT,
                "container %s: volume %s is not in the store, and would begin empty; fpsync plan "
                "with the file that declares it says what becomes of it",
                container->name, volume);
    }
    return 0;
}

/* Who listens is looked up only for a port that is refused: it takes a walk over all processes. */
static void name_holder(struct session *session, struct held *held)
{
    if (held->listener)
        held->reason = arena_printf(session->arena, "port %s: %s listens there on the host", held->port,
                                    world_listener_name(held->listener, session->arena));
}

/* A source of --source or stdin has no path that could be gone. */
static struct texts gone_sources(const struct session *session)
{
    struct texts gone = {0};
    for (size_t i = 0; i < session->snapshot.source_count; i++) {
        const char *name = session->snapshot.sources[i]->name;
        if (*name == '/' && ask_access(name) < 0 && errno == ENOENT)
            *arena_append(session->arena, gone.items, gone.count) = name;
    }
    return gone;
}

/* Automatic runs let contested drift stand. */
static int64_t contested_at(const struct session *session)
{
    return session->options->automatic ? contest_now() : 0;
}

const char *session_left(struct session *session, const struct entry *entry)
{
    const char *store = entry->kind == KIND_VOLUME ? session->paths.volumes : session->paths.layers;
    int64_t bytes =
        storage_view.measure(store, paths_file_name(session->arena, entry->was ? entry->was : entry->name));
    int64_t days = ((int64_t)time(NULL) - entry->record->since) / 86400;
    return arena_printf(session->arena, "retained for %" PRId64 " day%s, %s", days, days == 1 ? "" : "s",
                        session_size(session, bytes));
}

const char *session_size(struct session *session, int64_t bytes)
{
    char size[UNITS_TEXT_SIZE];
    size_print(bytes >> 20 ? bytes >> 20 << 20 : bytes, size);
    return arena_printf(session->arena, "%s%s", size, bytes < 1024 ? " bytes" : "");
}

/* SEMANTICS 9: the plan says what is picked up again. */
static void measure_left(struct session *session, const struct object_set *desired)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (entry_is_retained(entry) && object_find(desired, entry->kind, entry->name))
            entry->left = session_left(session, entry);
    }
}

/* Under the names that the set asks for. */
static void view_record(struct session *session, const struct object_set *desired)
{
    const struct renames_request wanted = {.paths = &session->paths,
                                           .desired = desired,
                                           .actual = &session->record,
                                           .world = &session->world,
                                           .sources = session->set.sources,
                                           .source_count = session->set.source_count,
                                           .narrowed = session->options->target_count};
    struct actual view;
    renames_find(&wanted, session->arena, &view, &session->renames);
    session->actual = view;
}

/* Of the images that come from a file or folder, those that will tell how they are to be run. */
static struct texts find_layouts(const struct session *session)
{
    static const char file[] = "file:";
    struct texts layouts = {0};
    for (size_t i = 0; i < session->set.objects.count; i++) {
        const struct object *object = session->set.objects.items[i];
        const char *source = object->kind == KIND_IMAGE ? ((const struct image *)object->body)->source : NULL;
        if (source && strncmp(source, file, strlen(file)) == 0 &&
            image_is_made(&session->set.objects, &session->builds, object->name,
                          actual_find(&session->actual, KIND_IMAGE, object->name), session->arena) &&
            image_source_is_layout(source + strlen(file)))
            *arena_append(session->arena, layouts.items, layouts.count) = object->name;
    }
    return layouts;
}

/* The set with what images say about being run; the set itself where none of them says anything. */
static const struct object_set *with_metadata(struct session *session)
{
    const struct metadata_request request = {.paths = &session->paths,
                                             .desired = &session->set.objects,
                                             .actual = &session->actual,
                                             .world = &session->world,
                                             .renames = &session->renames,
                                             .builds = &session->builds,
                                             .layouts = find_layouts(session)};
    metadata_clear(&session->metadata);
    session->metadata = (struct metadata){0};
    if (!metadata_is_needed(&request))
        return &session->set.objects;
    struct object_set *merged = arena_new_of(session->arena, struct object_set);
    metadata_merge(&request, session->arena, merged, &session->metadata);
    if (merged->count != session->set.objects.count)
        view_record(session, merged);
    return merged;
}

void session_plan(struct session *session, struct plan *plan)
{
    if (!session->record.items)
        session->record = session->actual;
    view_record(session, &session->set.objects);
    follow_look(&session->paths, &session->set.objects, &session->builds, &session->actual, session->arena,
                &session->world);
    const struct object_set *desired = with_metadata(session);
    measure_left(session, desired);
    const struct plan_request request = {.paths = &session->paths,
                                         .desired = desired,
                                         .sources = session->set.sources,
                                         .source_count = session->set.source_count,
                                         .gone_sources = gone_sources(session),
                                         .actual = &session->actual,
                                         .renames = &session->renames,
                                         .world = &session->world,
                                         .narrowed = session->options->target_count,
                                         .policy = session->policy,
                                         .metadata = &session->metadata,
                                         .force = session->options->force,
                                         .offline = session->options->offline,
                                         .builds = &session->builds,
                                         .lease_rules = &session->lease_rules,
                                         .contested_at = contested_at(session)};
    world_look_at_loans(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_use(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_ids(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_routes6(&session->actual, desired, session->arena, &session->world);
    world_look_at_disks(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_claims(&session->paths, &session->actual, desired, session->arena, &session->world);
    plan_make(&request, session->arena, plan);
    for (size_t i = 0; i < plan->held_count; i++)
        name_holder(session, &plan->held[i]);
}

void session_plan_recorded(struct session *session, struct plan *plan)
{
    struct object_set set = {0};
    for (size_t i = 0; i < session->actual.count; i++)
        if (!entry_is_retained(&session->actual.items[i]))
            *arena_append(session->arena, set.items, set.count) = &session->actual.items[i].object;
    const struct plan_request request = {.paths = &session->paths,
                                         .desired = &set,
                                         .actual = &session->actual,
                                         .world = &session->world,
                                         .policy = session->policy,
                                         .stops = session->stops,
                                         .starts = session->starts,
                                         .lease_rules = &session->lease_rules,
                                         .contested_at = contested_at(session)};
    world_look_at_loans(&session->paths, &session->actual, &set, session->arena, &session->world);
    world_look_at_disks(&session->paths, &session->actual, &set, session->arena, &session->world);
    follow_look(&session->paths, request.desired, NULL, &session->actual, session->arena, &session->world);
    plan_make(&request, session->arena, plan);
    plan->moved = NULL; /* every object stands under its own source here */
}

/* A missing file, an empty folder, and files without a word are hardly ever meant; one that declares nothing any more
 * in so many words is believed of a person, not of an automatic run that may have met it half written. */
static bool is_suspicious(const struct session *session, const struct spec_source *source)
{
    if (!source->prunes || !is_recorded(session, source->name))
        return false;
    if (source->is_missing || source->is_empty || !session->options->automatic)
        return source->is_missing || source->is_empty;
    for (size_t i = 0; i < session->set.objects.count; i++)
        if (strcmp(session->set.objects.items[i]->source, source->name) == 0)
            return false;
    return true;
}

int session_guard(const struct session *session, const struct plan *plan, struct error *error)
{
    if (session->settled)
        return 0;
    if (!session->snapshot.record_count && world_has_marked(&session->world))
        return error_set(error, -EPERM,
                         "objects with fpsync's mark exist, but the database %s is empty or missing; fpsync "
                         "doctor --rebuild "
                         "with the same files makes the record again, without touching them",
                         session->paths.state);
    if (plan->moved && !session->options->take_over)
        return error_set(error, -EPERM, "%s; --take-over moves it", plan->moved);
    for (size_t i = 0; i < session->set.source_count; i++)
        if (is_suspicious(session, &session->set.sources[i]) && plan->removals &&
            !session->options->allow_mass_delete)
            return error_set(
                error, -EPERM,
                "source %s is missing or empty, and what it declared would go (%zu of %zu objects); "
                "--allow-mass-delete removes it",
                session->set.sources[i].name, plan->removals, plan->recorded);
    if (plan->removals > 3 && plan->removals * 4 > plan->recorded && !session->options->allow_mass_delete)
        return error_set(
            error, -EPERM,
            "this run would remove %zu of %zu objects; --allow-mass-delete does it, fpsync plan lists them",
            plan->removals, plan->recorded);
    return 0;
}

/* "NAME" is that of project `default`, else the only one called so. */
static int find_named(struct session *session, enum kind kind, const char *name, struct entry **entry,
                      struct error *error)
{
    _cleanup_map_ struct map names = {0};
    struct entry *found = NULL;
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *item = &session->actual.items[i];
        if (item->kind != kind)
            continue;
        map_add(&names, item->name, item);
        map_add(&names, name_bare(item->name), item);
        bool exact = strcmp(item->name, name) == 0;
        bool bare = !strchr(name, '/') && strcmp(name_bare(item->name), name) == 0;
        bool standard = bare && strncmp(item->name, "default/", 8) == 0;
        if (bare && !standard && found && strncmp(found->name, "default/", 8) != 0)
            return error_set(error, -EINVAL, "%s %s: both %s and %s are called so; write PROJECT/NAME",
                             kind_name(kind), name, found->name, item->name);
        if (exact || standard || (bare && !found))
            found = item;
    }
    const struct members members = found || kind != KIND_CONTAINER
                                       ? (struct members){0}
                                       : members_of(&session->actual, name, session->arena);
    if (members.count)
        return error_set(error, -EINVAL, "%s is a set; name one of its members: %s", name,
                         members_print(&members, session->arena));
    if (!found) {
        const char *near = map_nearest(&names, name);
        return error_set(error, -ENOENT, "no %s %s is recorded%s%s%s", kind_name(kind), name,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    *entry = found;
    return 0;
}

int session_find_container(struct session *session, const char *argument, struct entry **entry,
                           struct error *error)
{
    const char *name = strncmp(argument, "container/", 10) == 0 ? argument + 10 : argument;
    return find_named(session, KIND_CONTAINER, name, entry, error);
}

int session_find_object(struct session *session, const char *argument, struct entry **entry,
                        struct error *error)
{
    const char *slash = strchr(argument, '/');
    enum kind kind;
    if (!slash || kind_parse(arena_strndup(session->arena, argument, (size_t)(slash - argument)), &kind) < 0)
        return error_set(error, -EINVAL, "expected KIND/NAME, found \"%s\"", argument);
    return find_named(session, kind, slash + 1, entry, error);
}
