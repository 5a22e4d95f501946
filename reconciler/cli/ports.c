/* ports: which ports of the host lead into which container, whether they really do, and for whom: what the packet
 * filters of others let through is asked of their rules. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"
#include "reconciler/forwards.h"
#include "reconciler/reach.h"
#include "reconciler/routes.h"

struct line {
    const struct entry *entry;
    const struct port *port;
    struct forward_state state; /* of its forwards in the kernel */
    const char *closed;         /* why nothing gets in; NULL: it is open */
    bool is_elsewhere;   /* by an address that no interface has: only what is routed to the host gets in */
    size_t first, count; /* of the ways to it */
};

struct lines {
    struct line *items;
    size_t count;
    struct reaches reaches; /* of all lines */
};

static bool has6(const struct session *session, const struct entry *entry)
{
    const struct routes routes = {.arena = session->arena, .actual = &session->actual};
    return routes_lead_in6(&routes, entry->name, entry->object.body);
}

static const char *why_closed(const struct session *session, const struct line *line)
{
    const char *lxc_name = object_lxc_name(&session->paths, session->arena, &line->entry->object);
    const struct forward_state *state = &line->state;
    const struct container *body = line->entry->object.body;
    if (!container_is_up(world_container(&session->world, lxc_name)))
        return "the container does not run";
    if (state->standing == state->wanted)
        return body->set && !state->target && !state->target6
                   ? "others of its set get what comes in; fpsync apply adds it"
                   : NULL;
    const struct observed_listener *listener =
        line->port->take ? NULL : world_listener(&session->world, line->port, has6(session, line->entry));
    if (listener)
        return arena_printf(session->arena, "%s of the host listens there",
                            world_listener_name(listener, session->arena));
    return state->wanted == 1
               ? "its forward is missing; fpsync apply repairs it"
               : arena_printf(session->arena, "%zu of its %zu forwards are missing; fpsync apply repairs it",
                              state->wanted - state->standing, state->wanted);
}

static const char *from_text(enum reach_from from)
{
    return from == REACH_HOST ? "host" : from == REACH_CONTAINERS ? "containers" : "outside";
}

static const char *rule_text(const struct session *session, const struct reach *reach)
{
    const struct weighed *weighed = &reach->weighed;
    return arena_printf(session->arena, "%s%s in %s%s%s", weighed->answer ? "what it answers " : "",
                        weighed->weight == WEIGHT_ENDS ? "ends" : "may end", weighed->rule,
                        weighed->unless ? ", unless accepted by " : "",
                        weighed->unless ? weighed->unless : "");
}

/* The ways that one rule ends, or may, in one line: "outside (eth0, eth1)". */
static void print_ends(const struct session *session, const struct reach *reaches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct reach *reach = &reaches[i];
        const char *ways = "", *rule;
        bool seen = false;
        if (reach->weighed.weight == WEIGHT_PASSES)
            continue;
        rule = rule_text(session, reach);
        for (size_t j = 0; j < count; j++) {
            if (reaches[j].from != reach->from || reaches[j].weighed.weight == WEIGHT_PASSES ||
                strcmp(rule_text(session, &reaches[j]), rule) != 0)
                continue;
            seen = seen || j < i;
            if (reaches[j].way && !strstr(ways, reaches[j].way))
                ways = arena_printf(session->arena, "%s%s%s", ways, *ways ? ", " : "", reaches[j].way);
        }
        if (!seen)
            printf("    from %s%s%s%s: %s\n", from_text(reach->from), *ways ? " (" : "", ways,
                   *ways ? ")" : "", rule);
    }
}

/* "the host, containers": from where all ways are open. */
static const char *open_to(const struct session *session, const struct reach *reaches, size_t count)
{
    const char *text = "";
    for (enum reach_from from = REACH_HOST; from <= REACH_OUTSIDE; from++) {
        bool open = false, shut = false;
        for (size_t i = 0; i < count; i++) {
            if (reaches[i].from != from)
                continue;
            open = open || reaches[i].weighed.weight == WEIGHT_PASSES;
            shut = shut || reaches[i].weighed.weight != WEIGHT_PASSES;
        }
        if (open && !shut)
            text = arena_printf(session->arena, "%s%s%s", text, *text ? ", " : "", from_text(from));
    }
    return text;
}

static void print_line(const struct session *session, const struct line *line, const struct reach *reaches)
{
    const struct port *port = line->port;
    const char *target = "-";
    if (line->state.target || line->state.target6) {
        const char *at = line->state.target ? line->state.target
                                            : arena_printf(session->arena, "[%s]", line->state.target6);
        target = port->count > 1 ? arena_printf(session->arena, "%s:%" PRId64 "-%" PRId64, at, port->guest,
                                                port->guest + port->count - 1)
                                 : arena_printf(session->arena, "%s:%" PRId64, at, port->guest);
    }
    printf("%-24s %-28s %-22s ", port->listen, line->entry->name, target);
    if (line->closed) {
        printf("closed: %s\n", line->closed);
        return;
    }
    const char *to = open_to(session, reaches, line->count);
    printf("open on %s%s%s%s%s\n", port->address ? port->address : "all addresses",
           line->is_elsewhere ? ", which the host does not have," : "",
           line->state.target && line->state.target6 ? ", IPv6 too, save ::1" : "",
           *to           ? " to: "
           : line->count ? " to nobody for sure"
                         : "",
           to);
    print_ends(session, reaches, line->count);
}

static struct json *way_json(const struct session *session, const struct reach *reach)
{
    const struct weighed *weighed = &reach->weighed;
    struct json *object = json_new_object();
    json_set(object, "from", json_new_text(from_text(reach->from)));
    json_set(object, "way", json_new_text(reach->way));
    json_set(object, "protocol", json_new_text(reach->crossing.protocol));
    json_set(object, "family", json_new_text(reach->crossing.is6 ? "ip6" : "ip"));
    json_set(object, "open",
             weighed->weight == WEIGHT_MAY_END ? json_new_null()
                                               : json_new_bool(weighed->weight == WEIGHT_PASSES));
    json_set(object, "rule", json_new_text(weighed->rule));
    json_set(object, "unless", json_new_text(weighed->unless));
    json_set(object, "remedy",
             json_new_text(weighed->weight == WEIGHT_PASSES ? NULL : reach_remedy(session, reach)));
    return object;
}

static struct json *line_json(const struct session *session, const struct line *line,
                              const struct reach *reaches)
{
    struct json *object = json_new_object();
    json_set(object, "listen", json_new_text(line->port->listen));
    json_set(object, "address", json_new_text(line->port->address));
    json_set(object, "host", json_new_number(line->port->host));
    json_set(object, "protocol", json_new_text(line->port->protocol));
    json_set(object, "count", json_new_number(line->port->count));
    json_set(object, "container", json_new_text(line->entry->name));
    json_set(object, "target", json_new_text(line->state.target));
    json_set(object, "target6", json_new_text(line->state.target6));
    json_set(object, "guest", json_new_number(line->port->guest));
    json_set(object, "open", json_new_bool(!line->closed));
    json_set(object, "reason", json_new_text(line->closed));
    json_set(object, "address_missing", json_new_bool(line->is_elsewhere));
    struct json *ways = json_new_array();
    for (size_t i = 0; i < line->count; i++)
        json_append(ways, way_json(session, &reaches[i]));
    json_set(object, "ways", ways);
    return object;
}

static const char *find_text(const struct texts *texts, const char *text)
{
    for (size_t i = 0; texts && text && i < texts->count; i++)
        if (strcmp(texts->items[i], text) == 0)
            return texts->items[i];
    return NULL;
}

/* Of a forward that the members of a set share: what leads to this one. */
static void narrow_to_member(struct forward_state *state, const struct lease *lease,
                             const struct container *body)
{
    const char *target = NULL, *target6 = NULL;
    for (size_t i = 0; lease && i < body->networks.count; i++) {
        const struct lease_address *address =
            lease_in(lease, item_key(&attachment_table, body->networks.items[i]));
        if (!address)
            continue;
        const struct texts one = {.items = &state->target, .count = state->target != NULL};
        const struct texts one6 = {.items = &state->target6, .count = state->target6 != NULL};
        const char *is = find_text(state->shared ? state->shared : &one, address->address);
        const char *is6 = find_text(state->shared6 ? state->shared6 : &one6, address->address6);
        target = target ? target : is;
        target6 = target6 ? target6 : is6;
    }
    state->target = target;
    state->target6 = target6;
}

static int add_line(const struct session *session, const struct entry *entry, const struct port *port,
                    struct lines *lines, struct error *error)
{
    const struct lease *lease = lease_recorded(session->actual.snapshot, KIND_CONTAINER, entry->name);
    struct line *line = arena_append(session->arena, lines->items, lines->count);
    *line = (struct line){.entry = entry,
                          .port = port,
                          .state = forwards_seen(session->arena, port, has6(session, entry), &session->world),
                          .first = lines->reaches.count};
    const struct container *body = entry->object.body;
    if (body->set)
        narrow_to_member(&line->state, lease, body);
    line->closed = why_closed(session, line);
    line->is_elsewhere = world_lacks_address(&session->world, port->address);
    int result = line->closed ? 0
                              : reach_add_port(session, lease, port, line->state.target, line->state.target6,
                                               &lines->reaches, error);
    line->count = lines->reaches.count - line->first;
    return result;
}

static int add_lines(const struct session *session, struct lines *lines, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        const struct list *ports =
            entry->kind == KIND_CONTAINER ? &((const struct container *)entry->object.body)->ports : NULL;
        for (size_t j = 0; ports && j < ports->count && result == 0; j++)
            result = add_line(session, entry, ports->items[j], lines, error);
    }
    return result < 0 ? result : reach_weigh(session, &lines->reaches, error);
}

int run_ports(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct lines lines = {0};
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0)
        result = session_look(&session, &error);
    if (result >= 0)
        result = add_lines(&session, &lines, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    if (!list)
        printf("%-24s %-28s %-22s %s\n", "PORT", "CONTAINER", "LEADS TO", "STATE");
    for (size_t i = 0; i < lines.count; i++) {
        const struct line *line = &lines.items[i];
        const struct reach *reaches = line->count ? lines.reaches.items + line->first : NULL;
        if (list)
            json_append(list, line_json(&session, line, reaches));
        else
            print_line(&session, line, reaches);
    }
    if (list)
        print_list(options, "ports", list);
    return EXIT_IN_SYNC;
}
