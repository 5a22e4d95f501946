/* What a plan does not hold, for it may come later by itself, and says: what is named outside of the spec, and is not as it
 * would have to be there. Said with the action that is about it; ports and doctor tell of it at any time. */
#include <string.h>

#include "reconciler/plan_internal.h"

static void warn(struct planning *planning, struct action *action, const char *text, struct place at)
{
    *arena_append(planning->arena, action->warnings, action->warning_count) =
        (struct warning){.text = text, .at = at};
}

static bool is_of_bridge(const char *prefix, const char *address)
{
    const size_t length = strlen(address);
    return prefix && strncmp(prefix, address, length) == 0 && prefix[length] == '/';
}

/* Bridges that this run makes have theirs before anybody asks. */
static bool comes_with_bridge(const struct planning *planning, const char *address)
{
    const struct object_set *all = &planning->plan->all;
    for (size_t i = 0; i < all->count; i++) {
        const struct object *object = all->items[i];
        if (object->kind != KIND_NETWORK || network_is_attached(object->body))
            continue;
        const struct bridge *bridge = target_bridge(&planning->target, object->name, "");
        if (is_of_bridge(bridge->address, address) || is_of_bridge(bridge->address6, address))
            return true;
    }
    return false;
}

static bool is_missing(const struct planning *planning, const char *address)
{
    return world_lacks_address(planning->request->world, address) && !comes_with_bridge(planning, address);
}

/* Adopted containers are as they are. */
static bool ends_at(const struct planning *planning, const char *gateway)
{
    const struct object *object =
        gateway && strchr(gateway, '/') ? object_find(&planning->plan->all, KIND_CONTAINER, gateway) : NULL;
    const struct container *body = object ? object->body : NULL;
    return body && !body->router && !container_is_adopted(body);
}

static void check_network(struct planning *planning, struct action *action, const struct network *network)
{
    const struct {
        const char *key, *value;
        bool is_gateway;
    } named[] = {
        {"nat_address", network->nat_address, false},
        {"nat_address6", network->nat_address6, false},
        {"gateway", network->gateway, true},
        {"gateway6", network->gateway6, true},
    };
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        const char *text = NULL;
        if (named[i].is_gateway && ends_at(planning, named[i].value))
            text = arena_printf(planning->arena,
                                "%s: container %s is no router, what the network sends to others ends there",
                                named[i].key, named[i].value);
        else if (!named[i].is_gateway && is_missing(planning, named[i].value))
            text = arena_printf(planning->arena,
                                "%s: the host does not have %s, and what leaves under it gets no answers",
                                named[i].key, named[i].value);
        if (text)
            warn(planning, action, text,
                 field_place(&network_table, network, field_by_key(&network_table, named[i].key)));
    }
}

static void check_ports(struct planning *planning, struct action *action, const struct list *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        const struct port *port = ports->items[i];
        if (is_missing(planning, port->address))
            warn(
                planning, action,
                arena_printf(planning->arena,
                             "port %s: the host does not have that address, and only what others route to it "
                             "gets in",
                             port->listen),
                port->described.place);
    }
}

/* An init runs as root, wherever it likes. */
static void check_command(struct planning *planning, struct action *action, const struct container *body)
{
    const char *key = body->user ? "user" : body->directory ? "directory" : NULL;
    if (key && !body->command.count && action->verb != VERB_EXPAND)
        warn(planning, action,
             arena_printf(planning->arena, "%s: neither it nor its image has a command, and an init has none",
                          key),
             field_place(&container_table, body, field_by_key(&container_table, key)));
}

void plan_warnings(struct planning *planning)
{
    for (size_t i = 0; i < planning->plan->count; i++) {
        struct action *action = planning->plan->actions[i];
        if (action->object && action->kind == KIND_NETWORK)
            check_network(planning, action, action->object->body);
        if (action->object && action->kind == KIND_CONTAINER)
            check_ports(planning, action, &((const struct container *)action->object->body)->ports);
        if (action->object && action->kind == KIND_CONTAINER)
            check_command(planning, action, action->object->body);
    }
}
