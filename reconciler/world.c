#include "reconciler/world.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "specs/ports.h"

/* Guests are asked only about what runs and is ours; without a config the mark is gone, and the name has to do. */
static bool is_open(const struct observed_container *container)
{
    return (container->ours || !container->defined) && container_is_up(container);
}

static bool is_parented(const struct actual *actual, const char *network)
{
    const struct entry *entry = actual_find(actual, KIND_NETWORK, network);
    return entry && ((const struct network *)entry->object.body)->parent;
}

static bool has_parents(const struct actual *actual)
{
    for (size_t i = 0; i < actual->count; i++)
        if (actual->items[i].kind == KIND_NETWORK &&
            ((const struct network *)actual->items[i].object.body)->parent)
            return true;
    return false;
}

static bool has_macvlans(const struct actual *actual, const struct container *body)
{
    for (size_t i = 0; i < body->networks.count; i++)
        if (is_parented(actual, ((const struct attachment *)body->networks.items[i])->network))
            return true;
    return false;
}

static void add_mounts(const struct container *body, struct arena *arena, struct texts *paths)
{
    for (size_t i = 0; i < body->volumes.count; i++) {
        const char *path = ((const struct mount *)body->volumes.items[i])->path;
        if (!texts_have(paths, path))
            *arena_append(arena, paths->items, paths->count) = path;
    }
}

/* By the record, and by what an earlier run was about when it died. */
static struct texts mounts_of(const struct actual *actual, const struct entry *entry, struct arena *arena)
{
    struct texts paths = {0};
    add_mounts(entry->object.body, arena, &paths);
    for (size_t i = 0; i < actual->snapshot->intent_count; i++) {
        const struct intent *intent = actual->snapshot->intents[i];
        void *body;
        if (intent_is_of(intent, entry) && intent->body.size &&
            fields_decode(&container_table, intent->body.data, intent->body.size, arena, &body, NULL) >= 0)
            add_mounts(body, arena, &paths);
    }
    return paths;
}

void world_hints(const struct paths *paths, const struct actual *actual, struct arena *arena,
                 struct map *hints)
{
    const bool parents = has_parents(actual);
    for (size_t i = 0; i < actual->count; i++) {
        const struct entry *entry = &actual->items[i];
        if (entry->kind != KIND_CONTAINER)
            continue;
        struct world_hint *hint = arena_new_of(arena, struct world_hint);
        *hint = (struct world_hint){
            .init = {.pid = entry->facts->init_pid,
                     .start = entry->facts->init_start,
                     .boot = entry->facts->boot,
                     .limits = ((const struct container *)entry->object.body)->limits},
            .mounts = mounts_of(actual, entry, arena),
            .on_host = ((const struct container *)entry->object.body)->host_network,
            .has_macvlans = parents && has_macvlans(actual, entry->object.body),
        };
        map_add(hints, object_lxc_name(paths, arena, &entry->object), hint);
    }
}

/* What stands in its network is the host's, and nobody's to look after. */
static bool is_on_host(const struct map *hints, const struct observed_container *container)
{
    const struct world_hint *known = map_get(hints, container->lxc_name);
    return known && known->on_host;
}

static int observe_guests(const struct paths *paths, const struct map *hints, const struct call *call,
                          struct world *world, struct error *error)
{
    size_t count = world->containers.count;
    int64_t *pids = arena_array_of(call->arena, int64_t, count + 1);
    size_t open = 0;
    for (size_t i = 0; i < count; i++)
        if (is_open(&world->containers.items[i]) && !is_on_host(hints, &world->containers.items[i]))
            pids[open++] = world->containers.items[i].init_pid;
    world->guests = arena_array_of(call->arena, struct world_guest, count + 1);
    struct observed_guest *guests = NULL;
    int result =
        !open ? 0 : network_view.dump_guests(paths, &world->network, pids, open, call, &guests, error);
    for (size_t i = 0, next = 0; i < count && result >= 0; i++) {
        if (!is_open(&world->containers.items[i]))
            continue;
        const struct world_hint *known = map_get(hints, world->containers.items[i].lxc_name);
        if (!known || !known->on_host)
            world->guests[i].nics = &guests[next++];
        if (known && known->has_macvlans)
            result = network_view.dump_macvlans(paths, &guests[next - 1], call, error);
        if (known && known->mounts.count)
            storage_view.look_mounts(&world->storage, world->containers.items[i].init_pid, &known->mounts,
                                     call->arena, &world->guests[i].mounts);
    }
    return result;
}

static struct index index_rules(struct arena *arena, const struct list *list, const struct table *table)
{
    return index_make_pointers(arena, list->items, list->count, table->rows[0].offset);
}

#define INDEX(arena, items, count, field)                                                                    \
    index_make((arena), (items), (count), sizeof(*(items)), offsetof(__typeof__(*(items)), field))

void world_index(struct world *world, struct arena *arena)
{
    const struct observed_storage *storage = &world->storage;
    const struct observed_network *network = &world->network;
    world->by.containers = INDEX(arena, world->containers.items, world->containers.count, lxc_name);
    world->by.images = INDEX(arena, storage->images, storage->image_count, digest);
    world->by.layers = INDEX(arena, storage->layers, storage->layer_count, file);
    world->by.volumes = INDEX(arena, storage->volumes, storage->volume_count, file);
    world->by.roots = INDEX(arena, storage->roots, storage->root_count, lxc_name);
    world->by.bridges = INDEX(arena, network->bridges, network->bridge_count, ifname);
    world->by.ports = INDEX(arena, network->ports, network->port_count, ifname);
    world->by.marks = INDEX(arena, network->ports, network->port_count, mark);
    world->by.resolvers = INDEX(arena, network->resolvers, network->resolver_count, bridge);
    world->by.guards = index_rules(arena, &network->rules->guards, &rule_guard_table);
    world->by.forwards = index_rules(arena, &network->rules->forwards, &rule_forward_table);
    world->by.networks = index_rules(arena, &network->rules->networks, &rule_network_table);
}

int world_look(const struct paths *paths, const struct map *hints, struct arena *arena, struct world *world,
               struct error *error)
{
    const struct call call = {.arena = arena, .cancel = -1};
    *world = (struct world){0};
    int result = container_view.dump(paths, hints, &call, &world->containers, error);
    if (result >= 0)
        result = storage_view.dump(paths, &call, &world->storage, error);
    if (result >= 0)
        result = network_view.dump(paths, &call, &world->network, error);
    if (result >= 0)
        result = observe_guests(paths, hints, &call, world, error);
    return result;
}

int world_observe(const struct paths *paths, const struct actual *actual, struct arena *arena,
                  struct world *world, struct error *error)
{
    _cleanup_map_ struct map hints = {0};
    world_hints(paths, actual, arena, &hints);
    int result = world_look(paths, &hints, arena, world, error);
    if (result >= 0)
        world_index(world, arena);
    return result;
}

const struct observed_container *world_container(const struct world *world, const char *lxc_name)
{
    return index_find(&world->by.containers, lxc_name);
}

const struct world_guest *world_guest(const struct world *world, const struct observed_container *container)
{
    return &world->guests[container - world->containers.items];
}

const struct observed_bridge *world_bridge(const struct world *world, const char *ifname)
{
    return index_find(&world->by.bridges, ifname);
}

const struct observed_port *world_port(const struct world *world, const char *ifname)
{
    return index_find(&world->by.ports, ifname);
}

const struct observed_port *world_marked_port(const struct world *world, const char *mark)
{
    return index_find(&world->by.marks, mark);
}

const struct observed_port *world_marked_next(const struct world *world, const struct observed_port *port)
{
    return index_next(&world->by.marks, port, port->mark);
}

bool world_has_guard(const struct world *world, const char *port)
{
    return index_find(&world->by.guards, port);
}

const struct rule_forward *world_forward(const struct world *world, const char *listen)
{
    return index_find(&world->by.forwards, listen);
}

bool world_has_network_rules(const struct world *world, const char *bridge)
{
    return index_find(&world->by.networks, bridge);
}

const struct observed_root *world_root(const struct world *world, const char *lxc_name)
{
    return index_find(&world->by.roots, lxc_name);
}

const struct observed_resolver *world_resolver(const struct world *world, const char *bridge)
{
    return index_find(&world->by.resolvers, bridge);
}

const char *world_image_changed(const struct world *world, const char *image)
{
    for (size_t i = 0; i < world->look_count; i++)
        if (strcmp(world->looks[i].image, image) == 0)
            return world->looks[i].changed;
    return NULL;
}

bool world_has_image(const struct world *world, const char *digest)
{
    return digest && index_find(&world->by.images, digest);
}

const char *world_layer_type(const struct world *world, const char *file)
{
    const struct observed_data *layer = index_find(&world->by.layers, file);
    return layer ? layer->type : NULL;
}

bool world_has_layer(const struct world *world, const char *file)
{
    return index_find(&world->by.layers, file);
}

int64_t world_volume_size(const struct world *world, const char *file)
{
    const struct observed_data *volume = index_find(&world->by.volumes, file);
    return volume ? volume->size : 0;
}

bool world_has_volume(const struct world *world, const char *file)
{
    return index_find(&world->by.volumes, file);
}

bool container_is_up(const struct observed_container *container)
{
    return container && container->running && container->init_pid > 0;
}

bool world_has_marked(const struct world *world)
{
    for (size_t i = 0; i < world->containers.count; i++)
        if (world->containers.items[i].ours)
            return true;
    for (size_t i = 0; i < world->network.bridge_count; i++)
        if (world->network.bridges[i].mark && strncmp(world->network.bridges[i].mark, "fpsync ", 7) == 0)
            return true;
    return false;
}

bool listener_meets(const struct observed_listener *listener, const struct port *port, bool has6)
{
    const bool of6 = port->address && strchr(port->address, ':');
    const bool family = (listener->takes4 && !of6) || (listener->takes6 && (of6 || (has6 && !port->address)));
    const bool address =
        !listener->address || !port->address || strcmp(listener->address, port->address) == 0;
    return family && address && listener->port >= port->host && listener->port < port->host + port->count &&
           port_speaks(port, listener->protocol);
}

const struct observed_listener *world_listener(const struct world *world, const struct port *port, bool has6)
{
    for (size_t i = 0; i < world->network.listener_count; i++)
        if (listener_meets(&world->network.listeners[i], port, has6))
            return &world->network.listeners[i];
    return NULL;
}

/* Of the loopback are all of 127/8; those of a link alone are not looked for. */
bool world_lacks_address(const struct world *world, const char *address)
{
    const struct texts *has = world->network.own_addresses;
    struct in6_addr six;
    if (!address || !has || strncmp(address, "127.", 4) == 0 ||
        (inet_pton(AF_INET6, address, &six) == 1 &&
         (IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_LINKLOCAL(&six))))
        return false;
    for (size_t i = 0; i < has->count; i++)
        if (strcmp(has->items[i], address) == 0)
            return false;
    return true;
}

const char *world_listener_name(const struct observed_listener *listener, struct arena *arena)
{
    if (listener->process)
        return listener->process;
    const char *name = network_view.name_listener ? network_view.name_listener(listener, arena) : NULL;
    return name ? name : "a process";
}
