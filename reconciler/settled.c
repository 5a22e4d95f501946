#include "reconciler/settled.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/asked.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/session.h"
#include "reconciler/world_digest.h"

#define FORM      "fpsync settled 3"
#define FILE_SIZE ((size_t)64 << 20) /* bytes at most */

struct hint { /* struct world_hint as it lies in the file */
    struct described described;
    const char *lxc_name;
    int64_t pid, start;
    const char *boot;
    struct limits *limits;
    struct texts mounts;
    bool has_macvlans, on_host;
};

struct question { /* about a loan: struct observed_bind or observed_device without the answer */
    struct described described;
    const char *path, *source;
    bool read_only;
    int64_t mode;
};

struct loan {
    struct described described;
    const char *container, *lxc_name;
    struct list binds, devices; /* of question */
};

struct settled {
    struct described described;
    const char *identity;       /* see identity() */
    struct bytes questions;     /* see lib/asked.h */
    const char *answers;        /* digest of the answers */
    const char *record, *world; /* digests */
    struct bytes ports;         /* of world_digest() */
    struct list hints;
    struct list loans;
};

#define AT(type, member) .key = #member, .offset = offsetof(struct type, member)
static const struct field hint_rows[] = {
    {.id = 1, .type = FIELD_TEXT, AT(hint, lxc_name)},
    {.id = 2, .type = FIELD_NUMBER, AT(hint, pid)},
    {.id = 3, .type = FIELD_NUMBER, AT(hint, start)},
    {.id = 4, .type = FIELD_TEXT, AT(hint, boot)},
    {.id = 5, .type = FIELD_STRUCT, AT(hint, limits), .nested = &limits_table},
    {.id = 7, .type = FIELD_TEXTS, AT(hint, mounts)},
    {.id = 8, .type = FIELD_BOOL, AT(hint, has_macvlans)},
    {.id = 9, .type = FIELD_BOOL, AT(hint, on_host)},
};
static const struct table hint_table = {.name = "hint", .size = sizeof(struct hint), TABLE_ROWS(hint_rows)};
static const struct field question_rows[] = {
    {.id = 1, .type = FIELD_TEXT, AT(question, path)},
    {.id = 2, .type = FIELD_TEXT, AT(question, source)},
    {.id = 3, .type = FIELD_BOOL, AT(question, read_only)},
    {.id = 4, .type = FIELD_NUMBER, AT(question, mode)},
};
static const struct table question_table = {
    .name = "question", .size = sizeof(struct question), TABLE_ROWS(question_rows)};
static const struct field loan_rows[] = {
    {.id = 1, .type = FIELD_TEXT, AT(loan, container)},
    {.id = 2, .type = FIELD_LIST, AT(loan, binds), .nested = &question_table},
    {.id = 3, .type = FIELD_LIST, AT(loan, devices), .nested = &question_table},
    {.id = 4, .type = FIELD_TEXT, AT(loan, lxc_name)},
};
static const struct table loan_table = {.name = "loan", .size = sizeof(struct loan), TABLE_ROWS(loan_rows)};
static const struct field settled_rows[] = {
    {.id = 1, .type = FIELD_TEXT, AT(settled, identity)},
    {.id = 2, .type = FIELD_BYTES, AT(settled, questions)},
    {.id = 3, .type = FIELD_TEXT, AT(settled, answers)},
    {.id = 4, .type = FIELD_TEXT, AT(settled, record)},
    {.id = 5, .type = FIELD_TEXT, AT(settled, world)},
    {.id = 6, .type = FIELD_BYTES, AT(settled, ports)},
    {.id = 7, .type = FIELD_LIST, AT(settled, hints), .nested = &hint_table},
    {.id = 8, .type = FIELD_LIST, AT(settled, loans), .nested = &loan_table},
};
static const struct table settled_table = {
    .name = "settled", .size = sizeof(struct settled), TABLE_ROWS(settled_rows)};

/* What is added to one of these may be something that a plan depends on. Is it in a digest (settled.h), or does it make that
 * nothing is noted? Then let the number be the new one. */
_Static_assert(sizeof(struct options) == 336, "see identity() and is_usual()");
_Static_assert(sizeof(struct spec_request) == 72, "see identity()");
_Static_assert(sizeof(struct plan_request) == 192, "see is_settled()");
_Static_assert(sizeof(struct world_loans) == 56, "see look_at_loans()");
_Static_assert(sizeof(struct world) == 1144 && sizeof(struct world_guest) == 56, "see world_digest.c");

static const char *path_of(const struct session *session)
{
    return arena_printf(session->arena, "%s/settled", session->paths.run);
}

/* ---- which run ---- */

static bool is_usual(const struct options *options)
{
    return !options->target_count && !options->out && !options->plan && !options->exact &&
           !options->lxc_count && !options->lxc_path && !options->from && !options->name &&
           !options->argument_count && !options->build && options->wait < 0 && !options->follow &&
           !options->rebuild && !options_read_stdin(options) &&
           (strcmp(options->command, "apply") == 0 || strcmp(options->command, "plan") == 0);
}

static void put(struct digest *digest, const char *text)
{
    digest_add(digest, text ? text : "", text ? strlen(text) + 1 : 0);
    digest_add(digest, "", 1);
}

/* Who asks, and for what. Not in it: what decides nothing about an empty plan that holds nothing back (`force`, `take_over`,
 * `allow_mass_delete`), what is_settled() has seen to (`automatic`), and what is about talking and waiting. */
static bool identity(const struct session *session, char text[static DIGEST_TEXT_SIZE])
{
    const struct options *options = session->options;
    struct stat program;
    if (stat("/proc/self/exe", &program) < 0)
        return false;
    const int64_t numbers[] = {(int64_t)program.st_dev,
                               (int64_t)program.st_ino,
                               (int64_t)program.st_size,
                               program.st_mtim.tv_sec,
                               program.st_mtim.tv_nsec,
                               program.st_ctim.tv_sec,
                               program.st_ctim.tv_nsec,
                               geteuid(),
                               options->file_count && !options->automatic}; /* use_environment */
    _cleanup_digest_ struct digest *digest = digest_new();
    put(digest, FORM);
    put(digest, FPSYNC_VERSION);
    digest_add(digest, numbers, sizeof(numbers));
    put(digest, session->paths.root);
    put(digest, options->source);
    for (size_t i = 0; i < options->file_count; i++)
        put(digest, options->files[i]);
    digest_finish(digest, text);
    return true;
}

/* ---- asking ---- */

/* Nobody but us may have written it. */
static struct settled *read_settled(const struct session *session)
{
    _cleanup_close_ int fd = open(path_of(session), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 077) || info.st_size <= 0 || (size_t)info.st_size > FILE_SIZE)
        return NULL;
    const size_t size = (size_t)info.st_size;
    char *bytes = arena_alloc(session->arena, size + 1);
    for (size_t at = 0; at < size;) {
        const ssize_t got = read(fd, bytes + at, size - at);
        if (got <= 0)
            return NULL;
        at += (size_t)got;
    }
    void *object;
    struct error ignored;
    if (fields_decode_in_place(&settled_table, bytes, size, session->arena, &object, &ignored) < 0)
        return NULL;
    struct settled *settled = object;
    const bool whole = settled->identity && settled->questions.size && settled->answers && settled->record &&
                       settled->world && settled->ports.size == WORLD_PORTS_SIZE;
    return whole ? settled : NULL;
}

static void read_hints(const struct settled *settled, struct arena *arena, struct map *hints)
{
    struct world_hint *known = arena_array_of(arena, struct world_hint, settled->hints.count + 1);
    for (size_t i = 0; i < settled->hints.count; i++) {
        const struct hint *hint = settled->hints.items[i];
        known[i] = (struct world_hint){
            .init = {.pid = hint->pid, .start = hint->start, .boot = hint->boot, .limits = hint->limits},
            .mounts = hint->mounts,
            .has_macvlans = hint->has_macvlans,
            .on_host = hint->on_host};
        map_add(hints, hint->lxc_name, &known[i]);
    }
}

static struct world_loans loans_of(const struct loan *loan, struct arena *arena)
{
    struct world_loans loans = {.container = loan->container,
                                .lxc_name = loan->lxc_name ? loan->lxc_name : ""};
    for (size_t i = 0; i < loan->binds.count; i++) {
        const struct question *asked = loan->binds.items[i];
        *(struct observed_bind *)arena_append(arena, loans.binds, loans.bind_count) = (struct observed_bind){
            .path = asked->path, .source = asked->source, .read_only = asked->read_only};
    }
    for (size_t i = 0; i < loan->devices.count; i++) {
        const struct question *asked = loan->devices.items[i];
        *(struct observed_device *)arena_append(arena, loans.devices, loans.device_count) =
            (struct observed_device){.path = asked->path, .source = asked->source, .mode = asked->mode};
    }
    return loans;
}

static void look_at_loans(const struct settled *settled, struct session *session)
{
    struct world *world = &session->world;
    for (size_t i = 0; i < settled->loans.count; i++)
        *(struct world_loans *)arena_append(session->arena, world->loans, world->loan_count) =
            loans_of(settled->loans.items[i], session->arena);
    if (world->loan_count) {
        world_index(world, session->arena);
        world_look_at_known_loans(&session->paths, world);
    }
}

/* The cheapest first. The world is looked at last: it is the one thing that may differ by itself. */
bool settled_holds(struct session *session)
{
    char digest[DIGEST_TEXT_SIZE];
    struct error ignored;
    const struct settled *settled = is_usual(session->options) ? read_settled(session) : NULL;
    if (!settled || !identity(session, digest) || strcmp(digest, settled->identity) != 0 ||
        !asked_again(settled->questions, digest) || strcmp(digest, settled->answers) != 0 ||
        state_digest(session->state, digest, &ignored) < 0 || strcmp(digest, settled->record) != 0)
        return false;
    _cleanup_map_ struct map hints = {0};
    read_hints(settled, session->arena, &hints);
    if (world_look(&session->paths, &hints, session->arena, &session->world, &ignored) < 0)
        return false;
    look_at_loans(settled, session);
    world_digest(&session->world, settled->ports.data, digest);
    if (strcmp(digest, settled->world) == 0)
        return true;
    world_index(&session->world,
                session->arena); /* it was seen as the record says, so it need not be again */
    session->has_looked = true;
    return false;
}

/* ---- noting ---- */

static bool has_down_source(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->source_count; i++)
        if (snapshot->sources[i]->down)
            return true;
    return false;
}

static bool has_missing_source(const struct spec_set *set)
{
    for (size_t i = 0; i < set->source_count; i++)
        if (set->sources[i].is_missing)
            return true;
    return false;
}

/* Where on the host such a device is was asked while planning. */
static bool searches_devices(const struct world *world)
{
    for (size_t i = 0; i < world->loan_count; i++)
        if (world->loans[i].searched)
            return true;
    return false;
}

/* Nothing to do, for runs by hand and for automatic ones; and nothing was seen that is in no digest. */
static bool is_settled(const struct session *session, const struct plan *plan)
{
    struct error refusal;
    return !plan->count && !plan->held_count && !plan->moved && !session->problems.count &&
           !session->held_back.count && !session->failed.count && !session->snapshot.intent_count &&
           !has_down_source(&session->snapshot) && !has_missing_source(&session->set) &&
           !session->world.disk_count && !session->world.weighs_io && !searches_devices(&session->world) &&
           !session->world.difference_count && !session->world.look_count && !session->world.ids.count &&
           session_guard(session, plan, &refusal) == 0;
}

static void add_hints(const struct session *session, struct settled *settled)
{
    _cleanup_map_ struct map hints = {0};
    world_hints(&session->paths, &session->record, session->arena, &hints);
    for (size_t i = 0; i < hints.count; i++) {
        const struct world_hint *known = hints.entries[i].value;
        struct hint *hint = described_new(session->arena, &hint_table);
        hint->lxc_name = arena_strdup(session->arena, hints.entries[i].key);
        hint->pid = known->init.pid;
        hint->start = known->init.start;
        hint->boot = known->init.boot;
        hint->limits = (struct limits *)known->init.limits;
        hint->mounts = known->mounts;
        hint->has_macvlans = known->has_macvlans;
        hint->on_host = known->on_host;
        *arena_append(session->arena, settled->hints.items, settled->hints.count) =
            described_whole(&hint_table, hint);
    }
}

static void add_question(const struct session *session, struct list *list, struct question asked)
{
    struct question *question = described_new(session->arena, &question_table);
    asked.described = question->described;
    *question = asked;
    *arena_append(session->arena, list->items, list->count) = described_whole(&question_table, question);
}

static void add_loans(const struct session *session, struct settled *settled)
{
    for (size_t i = 0; i < session->world.loan_count; i++) {
        const struct world_loans *loans = &session->world.loans[i];
        struct loan *loan = described_new(session->arena, &loan_table);
        loan->container = loans->container;
        loan->lxc_name = loans->lxc_name;
        for (size_t j = 0; j < loans->bind_count; j++)
            add_question(session, &loan->binds,
                         (struct question){.path = loans->binds[j].path,
                                           .source = loans->binds[j].source,
                                           .read_only = loans->binds[j].read_only});
        for (size_t j = 0; j < loans->device_count; j++)
            add_question(session, &loan->devices,
                         (struct question){.path = loans->devices[j].path,
                                           .source = loans->devices[j].source,
                                           .mode = loans->devices[j].mode});
        *arena_append(session->arena, settled->loans.items, settled->loans.count) =
            described_whole(&loan_table, loan);
    }
}

/* Forwards are all that listeners are held against. */
static unsigned char *ports_of(const struct session *session, const struct plan *plan)
{
    unsigned char *ports = arena_alloc(session->arena, WORLD_PORTS_SIZE);
    for (size_t i = 0; i < plan->all.count; i++) {
        const struct object *object = plan->all.items[i];
        const struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
        for (size_t j = 0; body && j < body->ports.count; j++) {
            const struct port *port = body->ports.items[j];
            world_ports_add(ports, port->host, port->count);
        }
    }
    return ports;
}

static void write_settled(const struct session *session, const struct settled *settled)
{
    _cleanup_buffer_ struct buffer text = {0};
    fields_encode(&settled_table, settled, &text);
    const char *path = path_of(session), *new = arena_printf(session->arena, "%s.new", path);
    _cleanup_close_ int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    if (bytes_write(fd, text.bytes, text.length) < 0 || rename(new, path) < 0)
        unlink(new); /* then the next run finds out by itself */
}

void settled_note(struct session *session)
{
    _cleanup_session_ struct session now = {.lock = -1};
    struct plan plan;
    struct error ignored;
    struct bytes questions;
    char answers[DIGEST_TEXT_SIZE], record[DIGEST_TEXT_SIZE], world[DIGEST_TEXT_SIZE], who[DIGEST_TEXT_SIZE];
    if (!is_usual(session->options))
        return;
    asked_begin();
    bool good = session_open(session->options, SESSION_READ, &now, &ignored) >= 0 &&
                session_load(&now, &ignored) >= 0 && session_look(&now, &ignored) >= 0;
    now.looks = session->looks; /* nobody is asked twice */
    if (good)
        session_plan(&now, &plan);
    good = good && !now.builds.count &&
           !now.builds.fetch_count; /* their recipes and contexts are in no digest */
    good = asked_end(now.arena, &questions, answers) && good && is_settled(&now, &plan) &&
           identity(&now, who) && state_digest(now.state, record, &ignored) >= 0;
    if (!good)
        return;
    struct settled *settled = described_new(now.arena, &settled_table);
    unsigned char *ports = ports_of(&now, &plan);
    world_digest(&now.world, ports, world);
    settled->identity = who;
    settled->questions = questions;
    settled->answers = answers;
    settled->record = record;
    settled->world = world;
    settled->ports = (struct bytes){.data = ports, .size = WORLD_PORTS_SIZE};
    add_hints(&now, settled);
    add_loans(&now, settled);
    write_settled(&now, described_whole(&settled_table, settled));
}
