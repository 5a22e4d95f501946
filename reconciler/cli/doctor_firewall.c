/* doctor: which rule of whose firewall is in the way of containers, and what lets them through.
 *
 * Forward-hook drops win: what our own chains accept is not let through by that. */
#include <inttypes.h>

#include "lib/error.h"
#include "reconciler/cli/doctor.h"
#include "reconciler/forwards.h"
#include "reconciler/leases.h"
#include "reconciler/reach.h"
#include "reconciler/routes.h"

static int add_forwards(struct session *session, struct reaches *into, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind != KIND_CONTAINER)
            continue;
        const struct container *body = entry->object.body;
        const struct lease *lease = lease_recorded(session->actual.snapshot, KIND_CONTAINER, entry->name);
        const struct routes routes = {.arena = session->arena, .actual = &session->actual};
        const bool has6 = body->ports.count && routes_lead_in6(&routes, entry->name, body);
        for (size_t j = 0; j < body->ports.count && result == 0; j++) {
            const struct port *port = body->ports.items[j];
            const struct forward_state state = forwards_seen(session->arena, port, has6, &session->world);
            result = reach_add_port(session, lease, port, state.target, state.target6, into, error);
        }
    }
    return result;
}

/* The first way that a rule of others ends; one that surely does before one that may. NULL: none. */
static const struct reach *worst_of(const struct reaches *reaches, size_t *count)
{
    const struct reach *worst = NULL;
    *count = 0;
    for (size_t i = 0; i < reaches->count; i++) {
        const struct reach *reach = &reaches->items[i];
        if (reach->weighed.weight == WEIGHT_PASSES || reach->weighed.firewall == FIREWALL_OURS)
            continue;
        ++*count;
        if (!worst || (worst->weighed.weight != WEIGHT_ENDS && reach->weighed.weight == WEIGHT_ENDS))
            worst = reach;
    }
    return worst;
}

static const char *way_text(const struct session *session, const struct reach *reach)
{
    const struct crossing *crossing = &reach->crossing;
    if (crossing->bridged)
        return arena_printf(session->arena, "what containers of network %s send each other", reach->network);
    if (!crossing->host)
        return arena_printf(session->arena, "what leaves network %s by %s", reach->network, crossing->to);
    return arena_printf(session->arena, "what comes %s%s to port %" PRId64 "/%s",
                        reach->from == REACH_HOST         ? "from the host"
                        : reach->from == REACH_CONTAINERS ? "from network "
                                                          : "in by ",
                        reach->way ? reach->way : "", crossing->host, crossing->protocol);
}

/* `what` of them is to be; with something of others in the way `fault` is. */
static void check_ways(struct report *report, struct session *session, const char *what, const char *fault,
                       const struct reaches *reaches)
{
    size_t count;
    const struct reach *worst = worst_of(reaches, &count);
    const char *cost = "", *mend = "";
    if (worst) {
        const struct weighed *weighed = &worst->weighed;
        const char *more = count > 1 ? arena_printf(session->arena, "; %zu ways in all", count) : "";
        cost = arena_printf(session->arena, "%s%s %s in %s%s%s%s", way_text(session, worst),
                            weighed->answer ? " is answered, and the answer" : "",
                            weighed->weight == WEIGHT_ENDS ? "ends" : "may end", weighed->rule,
                            weighed->unless ? ", unless accepted by " : "",
                            weighed->unless ? weighed->unless : "", more);
        mend = reach_remedy(session, worst);
        if (worst->crossing.bridged)
            mend = arena_printf(session->arena, "sysctl -w net.bridge.bridge-nf-call-ip%stables=0, or: %s",
                                worst->crossing.is6 ? "6" : "", mend);
    }
    doctor_check(report, !worst, &(struct finding){what, fault, cost, mend, false});
}

void doctor_check_firewall(struct report *report, struct session *session)
{
    struct reaches forwards = {0}, out_of = {0}, within = {0};
    struct error error = {0};
    if (!firewall_view.weigh)
        return;
    int result = add_forwards(session, &forwards, &error);
    if (result >= 0)
        result = reach_add_networks(session, &out_of, &within, &error);
    if (result < 0 || (result = reach_weigh(session, &forwards, &error)) < 0 ||
        (result = reach_weigh(session, &out_of, &error)) < 0 ||
        (result = reach_weigh(session, &within, &error)) < 0) {
        doctor_check(report, false,
                     &(struct finding){"the host's firewall can be read",
                                       "the host's firewall cannot be read", error.text, "run fpsync as root",
                                       false});
        return;
    }
    check_ways(report, session, "no firewall of others ends what comes to containers by forwards",
               "a firewall of others ends what comes to containers by forwards", &forwards);
    check_ways(report, session, "no firewall of others ends what containers send out",
               "a firewall of others ends what containers send out", &out_of);
    check_ways(report, session, "no firewall of others parts containers of one network",
               "a firewall of others parts containers of one network", &within);
}
