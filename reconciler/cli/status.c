/* status: what is recorded, what is seen, and where the two differ. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"
#include "reconciler/contest.h"
#include "reconciler/ended.h"

struct line {
    const struct entry *entry;
    const struct action *action; /* what would mend its drift; NULL */
    const struct observed_container *seen;
    const char *phase;
};

/* A volume does not run: as people are told. Phases are a closed list, and stay in data as they are. */
static const char *phase_text(const struct line *line)
{
    const enum kind kind = line->entry->kind;
    const bool rests = kind != KIND_CONTAINER && kind != KIND_NETWORK;
    return rests && strcmp(line->phase, "running") == 0 ? "present" : line->phase;
}

static const struct action *action_on(const struct plan *plan, const struct entry *entry)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->entry == entry)
            return plan->actions[i];
    return NULL;
}

/* What the last run found out about this very init: nothing probes between runs. */
static bool was_probed(const struct entry *entry, const struct observed_container *seen)
{
    const struct facts *facts = entry->facts;
    return facts->probed && seen && seen->init_pid && seen->init_pid == facts->init_pid &&
           seen->init_start == facts->init_start &&
           health_is_probed(((const struct container *)entry->object.body)->health);
}

static const char *health_phase(const struct entry *entry, const struct observed_container *seen)
{
    return !was_probed(entry, seen) ? "running" : entry->facts->ailment ? "unhealthy" : "healthy";
}

static const char *phase_of(const struct actual *actual, const struct line *line)
{
    const struct record *record = line->entry->record;
    if (line->action && contest_is_drift(&line->action->causes) &&
        contest_find(&line->entry->facts->repairs, &line->action->causes, contest_now()))
        return "contested";
    if (line->entry->kind != KIND_CONTAINER || entry_is_retained(line->entry))
        return record->phase ? record->phase : "pending";
    if (line->seen && line->seen->running)
        return !line->seen->init_pid ? "starting" : health_phase(line->entry, line->seen);
    if (record->stopped_by)
        return "stopped";
    int64_t status;
    if (!line->action && container_ended(line->entry, line->seen, &status))
        return status ? "failed" : "completed";
    if (entry_is_unfinished(line->entry))
        return entry_has_intent(actual, line->entry) ? "failed" : "pending";
    return line->action ? "failed" : "stopped";
}

/* The container's NIC as it is inside; NULL: it does not run. */
static const struct observed_guest_nic *observed_nic(const struct session *session, const struct entry *entry,
                                                     const char *mac)
{
    const struct observed_container *seen =
        world_container(&session->world, object_lxc_name(&session->paths, session->arena, &entry->object));
    const struct observed_guest *guest = seen ? world_guest(&session->world, seen)->nics : NULL;
    for (size_t i = 0; guest && i < guest->count; i++)
        if (text_is_same(guest->nics[i].mac, mac))
            return &guest->nics[i];
    return NULL;
}

static void show(const char *address, struct buffer *text, struct json *array)
{
    buffer_printf(text, "%s%s", text->length ? " " : "", address);
    json_append(array, json_new_text(address));
}

static void show_observed(const struct session *session, const struct texts *addresses, struct buffer *text,
                          struct json *array)
{
    for (size_t i = 0; i < addresses->count; i++)
        show(arena_strndup(session->arena, addresses->items[i], strcspn(addresses->items[i], "/")), text,
             array);
}

/* Ours, or where it has none of ours what a LAN gave it. */
static void show_place(const struct session *session, const struct entry *entry,
                       const struct lease_address *address, struct buffer *text, struct json *array)
{
    const struct observed_guest_nic *nic =
        address->address ? NULL : observed_nic(session, entry, address->mac);
    if (address->address)
        show(address->address, text, array);
    if (nic)
        show_observed(session, &nic->addresses, text, array);
    if (address->address6)
        show(address->address6, text, array);
    else if (nic)
        show_observed(session, &nic->addresses6, text, array);
}

static void addresses_of(const struct session *session, const struct entry *entry, struct buffer *text,
                         struct json *array)
{
    for (size_t i = 0; i < session->snapshot.lease_count; i++) {
        const struct lease *lease = session->snapshot.leases[i];
        if (strcmp(lease->kind, kind_name(entry->kind)) != 0 || strcmp(lease->name, entry->name) != 0)
            continue;
        if (lease->subnet)
            show(lease->subnet, text, array);
        if (lease->subnet6)
            show(lease->subnet6, text, array);
        for (size_t j = 0; j < lease->addresses.count; j++) {
            const struct lease_address *address = lease->addresses.items[j];
            if (address->index >= 0)
                show_place(session, entry, address, text, array);
        }
    }
}

/* Not a phase: those are a closed list, and it runs. */
static bool is_frozen(const struct line *line)
{
    return line->seen && line->seen->init_pid && line->seen->frozen;
}

static struct json *line_json(const struct session *session, const struct line *line)
{
    const struct record *record = line->entry->record;
    struct json *object = json_new_object();
    _cleanup_buffer_ struct buffer unused = {0};
    json_set(object, "kind", json_new_text(record->kind));
    json_set(object, "name", json_new_text(record->name));
    json_set(object, "phase", json_new_text(line->phase));
    json_set(object, "reason", json_new_text(is_frozen(line) ? "frozen" : record->reason));
    json_set(object, "since", json_new_number(record->since));
    if (was_probed(line->entry, line->seen)) {
        json_set(object, "probed", json_new_number(line->entry->facts->probed));
        json_set(object, "ailment", json_new_text(line->entry->facts->ailment));
    }
    json_set(object, "source", json_new_text(record->source));
    json_set(object, "pid",
             line->seen && line->seen->init_pid ? json_new_number(line->seen->init_pid) : json_new_null());
    if (line->seen)
        json_set(object, "lxc_name", json_new_text(line->seen->lxc_name));
    if (line->entry->facts->digest)
        json_set(object, "digest", json_new_text(line->entry->facts->digest));
    addresses_of(session, line->entry, &unused, json_set(object, "addresses", json_new_array()));
    struct json *drift = json_set(object, "drift", json_new_array());
    for (size_t i = 0; line->action && i < line->action->causes.count; i++)
        json_append(drift, json_new_text(line->action->causes.items[i].field));
    return object;
}

/* SEMANTICS 22: whoever reads it is told how old it is. */
static void print_probe(const struct facts *facts)
{
    const time_t when = (time_t)facts->probed;
    struct tm local;
    char text[32] = "";
    if (localtime_r(&when, &local))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    printf("           probed %s by a run; nothing probes between runs%s%s\n", text,
           facts->ailment ? ": " : "", facts->ailment ? facts->ailment : "");
}

static bool is_up(const char *phase)
{
    return strcmp(phase, "running") == 0 || strcmp(phase, "healthy") == 0 || strcmp(phase, "unhealthy") == 0;
}

static void print_line(const struct session *session, const struct line *line)
{
    _cleanup_buffer_ struct buffer addresses = {0};
    _cleanup_json_ struct json *unused = json_new_array();
    char pid[24] = "-";
    addresses_of(session, line->entry, &addresses, unused);
    if (line->seen && line->seen->init_pid)
        snprintf(pid, sizeof(pid), "%" PRId64, line->seen->init_pid);
    printf("%-10s %-28s %-10s %-8s %s\n", line->entry->record->kind, line->entry->name, phase_text(line), pid,
           addresses.length ? addresses.bytes : "-");
    for (size_t i = 0; line->action && i < line->action->causes.count; i++)
        printf("           %s\n", line->action->causes.items[i].field);
    if (is_frozen(line))
        printf("           frozen\n");
    if (was_probed(line->entry, line->seen))
        print_probe(line->entry->facts);
    if (line->entry->record->reason && !is_up(line->phase))
        printf("           %s\n", line->entry->record->reason);
}

/* A container's own layer is part of it, and would double the table. */
static bool is_shown(const struct options *options, const struct line *line)
{
    const struct entry *entry = line->entry;
    bool part = entry->kind == KIND_LAYER && entry->object.implicit && !entry_is_retained(entry);
    return !part || options->verbose;
}

int run_status(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct plan plan;
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0)
        result = session_look(&session, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    session_plan_recorded(&session, &plan);
    struct json *objects = json_new_array();
    if (options->output == OUTPUT_TABLE && session.actual.count)
        printf("%-10s %-28s %-10s %-8s %s\n", "KIND", "NAME", "PHASE", "PID", "ADDRESSES");
    for (size_t i = 0; i < session.actual.count; i++) {
        struct line line = {.entry = &session.actual.items[i]};
        line.action = action_on(&plan, line.entry);
        if (line.entry->kind == KIND_CONTAINER)
            line.seen = world_container(&session.world,
                                        object_lxc_name(&session.paths, session.arena, &line.entry->object));
        line.phase = phase_of(&session.actual, &line);
        if (options->output == OUTPUT_DATA)
            json_append(objects, line_json(&session, &line));
        else if (options->output == OUTPUT_NAME)
            printf("%s\n", line.entry->object.id);
        else if (is_shown(options, &line))
            print_line(&session, &line);
    }
    if (options->output == OUTPUT_DATA) {
        print_list(options, "objects", objects);
    } else {
        json_free(objects);
        for (size_t i = 0; i < plan.held_count && options->output == OUTPUT_TABLE; i++)
            printf("held       %s: %s\n", plan.held[i].name, plan.held[i].reason);
    }
    return options->drift && (plan.count || plan.held_count) ? EXIT_PENDING : EXIT_IN_SYNC;
}
