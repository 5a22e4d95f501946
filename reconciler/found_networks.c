#include "reconciler/found_networks.h"

#include <stdio.h>
#include <string.h>

#include "lib/map.h"
#include "reconciler/addresses.h"
#include "reconciler/addresses6.h"
#include "reconciler/found.h"
#include "specs/forms.h"

/* Where a NIC belongs, as its network has to say it. */
struct place_of_nic {
    const char *link; /* bridge, or parent of a macvlan */
    bool macvlan;
    const char *address; /* without prefix; NULL: the guest's own affair */
    const char *subnet, *gateway;
    const char *address6, *subnet6, *gateway6; /* as LXC has them; the first without prefix */
};

static const struct observed_guest_nic *nic_inside(const struct nic *nic, const struct observed_guest *inside)
{
    char ifname[32];
    snprintf(ifname, sizeof(ifname), "eth%lld", (long long)nic->index);
    for (size_t i = 0; inside && i < inside->count; i++)
        if (strcmp(inside->nics[i].ifname, ifname) == 0)
            return &inside->nics[i];
    return NULL;
}

const char *found_mac(const struct nic *nic, const struct observed_guest *inside)
{
    const struct observed_guest_nic *seen = nic_inside(nic, inside);
    return seen && seen->mac ? seen->mac : nic->mac;
}

static const char *subnet6_of(struct arena *arena, const char *address)
{
    const struct form_context context = {.arena = arena};
    return form_canonical(&context, FORM_SUBNET6,
                          arena_printf(arena, "%s/64", address6_at(arena, address, 0)));
}

/* Spelled as the kernel would; an address of another prefix than 64 bits is not to be said, and stays as it is. */
static void place6(const struct found_networks *networks, const struct nic *nic,
                   const struct observed_guest_nic *seen, struct place_of_nic *place)
{
    const struct form_context context = {.arena = networks->arena};
    struct arena *arena = networks->arena;
    place->address6 = nic->address6;
    place->gateway6 = nic->gateway6                             ? nic->gateway6
                      : nic->address6 && seen && seen->gateway6 ? seen->gateway6
                                                                : NULL;
    if (place->gateway6)
        place->gateway6 = form_canonical(&context, FORM_GATEWAY6, place->gateway6);
    if (!nic->address6 || !text_is_same(strchr(nic->address6, '/'), "/64"))
        return;
    const char *address = arena_strndup(arena, nic->address6, strcspn(nic->address6, "/"));
    if (!(address = form_canonical(&context, FORM_IPV6, address)) || address6_host(address) == 0)
        return;
    place->address6 = address;
    place->subnet6 = subnet6_of(arena, address);
}

static struct place_of_nic place_of(const struct found_networks *networks, const struct nic *nic,
                                    const struct observed_guest *inside)
{
    const struct observed_guest_nic *seen = nic_inside(nic, inside);
    struct place_of_nic place = {.link = nic->bridge, .macvlan = nic->macvlan};
    place6(networks, nic, seen, &place);
    if (!nic->address || (seen && seen->addresses.count && !texts_have(&seen->addresses, nic->address)))
        return place;
    place.address = arena_strndup(networks->arena, nic->address, strcspn(nic->address, "/"));
    place.subnet = subnet_of(networks->arena, nic->address);
    place.gateway = nic->gateway                             ? nic->gateway
                    : seen && seen->gateway && !seen->metric ? seen->gateway
                                                             : NULL;
    return place;
}

/* A network's gateway is another host of its subnet, or, of IPv6, of the link. LXC takes any. */
static bool gateway_fits(const struct place_of_nic *place)
{
    struct subnet subnet;
    uint32_t gateway;
    return !place->gateway ||
           (place->address && subnet_parse(place->subnet, &subnet) && ipv4_parse(place->gateway, &gateway) &&
            gateway > subnet.first && gateway < subnet.last && strcmp(place->gateway, place->address) != 0);
}

static bool gateway6_fits(const struct place_of_nic *place, struct arena *arena)
{
    if (!place->gateway6)
        return true;
    return place->address6 && strcmp(place->gateway6, place->address6) != 0 &&
           (strncmp(place->gateway6, "fe80:", strlen("fe80:")) == 0 ||
            text_is_same(subnet6_of(arena, place->gateway6), place->subnet6));
}

/* A bridge of ours is no LAN to be attached to. */
static bool can_be_said(const struct found_networks *networks, const struct place_of_nic *place)
{
    const struct form_context context = {.arena = networks->arena, .project = "default", .folder = "/"};
    const char *ours = arena_printf(networks->arena, "fp%sn", networks->paths->tag);
    return form_canonical(&context, FORM_INTERFACE, place->link) &&
           strncmp(place->link, ours, strlen(ours)) != 0 &&
           (!place->address || (form_canonical(&context, FORM_IPV4, place->address) &&
                                form_canonical(&context, FORM_SUBNET, place->subnet) &&
                                address_fits(place->address, place->subnet))) &&
           gateway_fits(place) && (!place->address6 || (place->address && place->subnet6)) &&
           gateway6_fits(place, networks->arena);
}

/* What a router told a guest with an address of its own: no network gives it that, and a guard would cut it off from it.
 * Its lines leave it what it has. */
static bool has_more6(const struct nic *nic, const struct place_of_nic *place,
                      const struct observed_guest *inside)
{
    const struct observed_guest_nic *seen = place->address ? nic_inside(nic, inside) : NULL;
    for (size_t i = 0; seen && i < seen->addresses6.count; i++) {
        const char *address = seen->addresses6.items[i];
        const size_t length = strcspn(address, "/");
        const bool own = place->address6 && strlen(place->address6) == length &&
                         strncmp(address, place->address6, length) == 0;
        if (!own && strncmp(address, "fe80:", strlen("fe80:")) != 0)
            return true;
    }
    return false;
}

static bool is_none(const char *gateway)
{
    return !gateway || strcmp(gateway, GATEWAY_NONE) == 0;
}

static bool same_gateway(const char *network, const char *place)
{
    return text_is_same(network, place) || (is_none(network) && !place);
}

static bool fits4(const struct network *network, const struct place_of_nic *place, bool by_gateway)
{
    return text_is_same(network->subnet, place->subnet) &&
           (!by_gateway || same_gateway(network->gateway, place->gateway));
}

/* One without an address of IPv6 must not get one. */
static bool fits6(const struct network *network, const struct place_of_nic *place, bool by_gateway)
{
    if (!place->address6)
        return !network->range6;
    return text_is_same(network->subnet6, place->subnet6) &&
           (!by_gateway || same_gateway(network->gateway6, place->gateway6));
}

static bool fits(const struct network *network, const struct place_of_nic *place, bool by_gateway)
{
    if (!text_is_same(place->macvlan ? network->parent : network->bridge, place->link))
        return false;
    return !place->address || (fits4(network, place, by_gateway) && fits6(network, place, by_gateway));
}

static const char *find(const struct object_set *set, const struct list *used,
                        const struct place_of_nic *place, bool by_gateway)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i]->kind == KIND_NETWORK && fits(set->items[i]->body, place, by_gateway) &&
            !list_find(used, &attachment_table, set->items[i]->name))
            return set->items[i]->name;
    return NULL;
}

static bool has(const struct object_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i]->kind == KIND_NETWORK && strcmp(set->items[i]->name, name) == 0)
            return true;
    return false;
}

/* Called after the interface; a number behind it where another network is called so. */
static const char *free_name(const struct found_networks *networks, const char *link)
{
    struct paths untagged = *networks->paths;
    untagged.tag = "";
    const char *base = found_name(&untagged, networks->arena, link), *name = base;
    for (int number = 2; has(&networks->known, name) || has(&networks->made, name); number++)
        name = arena_printf(networks->arena, "%s-%d", base, number);
    return name;
}

static void say(struct network *body, size_t offset, const char *value)
{
    if (!value)
        return;
    *(const char **)((char *)body + offset) = value;
    field_mark(&network_table, body, offset);
}

static void say_subnets(struct network *body, const struct place_of_nic *place)
{
    say(body, offsetof(struct network, subnet), place->subnet);
    say(body, offsetof(struct network, gateway), place->gateway);
    say(body, offsetof(struct network, subnet6), place->subnet6);
    say(body, offsetof(struct network, gateway6), place->gateway6);
}

static const char *make(struct found_networks *networks, const struct place_of_nic *place)
{
    struct arena *arena = networks->arena;
    struct network *body = described_new(arena, &network_table);
    struct object *object = arena_new_of(arena, struct object);
    char id[OBJECT_ID_SIZE];
    *object = (struct object){.kind = KIND_NETWORK, .name = free_name(networks, place->link), .body = body};
    object->id = arena_strdup(arena, object_id(KIND_NETWORK, object->name, id));
    *(place->macvlan ? &body->parent : &body->bridge) = place->link;
    field_mark(&network_table, body,
               place->macvlan ? offsetof(struct network, parent) : offsetof(struct network, bridge));
    say_subnets(body, place);
    *arena_append(arena, networks->made.items, networks->made.count) = object;
    return object->name;
}

/* Made without an address, or without one of IPv6, a network takes on the subnet of the first that has one. */
static const char *complete(struct found_networks *networks, const struct list *used,
                            const struct place_of_nic *place)
{
    for (size_t i = 0; place->address && i < networks->made.count; i++) {
        struct object *object = networks->made.items[i];
        struct network *body = object->body;
        if ((body->subnet && !fits4(body, place, true)) || body->subnet6 ||
            list_find(used, &attachment_table, object->name) ||
            !text_is_same(place->macvlan ? body->parent : body->bridge, place->link))
            continue;
        say_subnets(body, place);
        return object->name;
    }
    return NULL;
}

static const char *network_for(struct found_networks *networks, const struct list *used,
                               const struct place_of_nic *place)
{
    const char *name = find(&networks->known, used, place, true);
    if (!name)
        name = find(&networks->made, used, place, true);
    if (name)
        return name;
    if (!networks->makes)
        return find(&networks->known, used, place, false);
    name = complete(networks, used, place);
    return name ? name : make(networks, place);
}

static void add(struct found_networks *networks, struct list *list, const char *network,
                const struct place_of_nic *place, bool default_route)
{
    struct attachment *attachment = described_new(networks->arena, &attachment_table);
    attachment->network = network;
    attachment->address = place->address;
    attachment->address6 = place->address6;
    attachment->dhcp = !place->address;
    attachment->default_route = default_route;
    field_mark(&attachment_table, attachment, offsetof(struct attachment, network));
    field_mark(&attachment_table, attachment,
               place->address ? offsetof(struct attachment, address) : offsetof(struct attachment, dhcp));
    if (place->address6)
        field_mark(&attachment_table, attachment, offsetof(struct attachment, address6));
    if (default_route)
        field_mark(&attachment_table, attachment, offsetof(struct attachment, default_route));
    *arena_append(networks->arena, list->items, list->count) = attachment;
}

bool found_networks_tell(struct found_networks *networks, const struct container_definition *definition,
                         const struct observed_guest *inside, struct container *body)
{
    struct list list = {0};
    bool leads_out = false;
    for (size_t i = 0; i < definition->nics.count; i++) {
        const struct place_of_nic place = place_of(networks, definition->nics.items[i], inside);
        if (!can_be_said(networks, &place) || has_more6(definition->nics.items[i], &place, inside))
            return false;
    }
    for (size_t i = 0; i < definition->nics.count; i++) {
        const struct place_of_nic place = place_of(networks, definition->nics.items[i], inside);
        const char *network = network_for(networks, &list, &place);
        if (!network)
            return false;
        /* The default route goes to the first way out, and a guest that asks the LAN may be told of one. */
        add(networks, &list, network, &place, i > 0 && place.gateway && !leads_out);
        leads_out = leads_out || place.gateway;
    }
    body->networks = list;
    return true;
}
