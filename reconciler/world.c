#include "reconciler/world.h"

#include <string.h>

#include "lib/error.h"
#include "lib/map.h"

/* Guests are asked only about what runs and is ours; without a config the mark is gone, and the name has to do. */
static bool is_open(const struct observed_container *container)
{
    return (container->ours || !container->defined) && container_is_up(container);
}

struct recorded { /* what the record says of a container that is worth knowing before looking at it */
    struct known_init init; /* first: the view takes it for just that */
    bool has_volumes;
};

/* By LXC name. */
static void collect_recorded(const struct paths *paths, const struct actual *actual, struct arena *arena,
                             struct map *names)
{
    for (size_t i = 0; i < actual->count; i++) {
        const struct entry *entry = &actual->items[i];
        if (entry->kind != KIND_CONTAINER)
            continue;
        struct recorded *recorded = arena_new_of(arena, struct recorded);
        *recorded = (struct recorded){
            .init = {.pid = entry->facts->init_pid,
                     .start = entry->facts->init_start,
                     .boot = entry->facts->boot,
                     .limits = ((const struct container *)entry->object.body)->limits},
            .has_volumes = ((const struct container *)entry->object.body)->volumes.count,
        };
        map_add(names, paths_lxc_name(paths, arena, entry->name), recorded);
    }
}

static int observe_guests(const struct paths *paths, const struct map *recorded, const struct call *call,
                          struct world *world, struct error *error)
{
    size_t count = world->containers.count;
    int64_t *pids = arena_array_of(call->arena, int64_t, count + 1);
    size_t open = 0;
    for (size_t i = 0; i < count; i++)
        if (is_open(&world->containers.items[i]))
            pids[open++] = world->containers.items[i].init_pid;
    world->guests = arena_array_of(call->arena, struct world_guest, count + 1);
    if (!open)
        return 0;
    struct observed_guest *guests = NULL;
    int result = network_view.dump_guests(paths, &world->network, pids, open, call, &guests, error);
    for (size_t i = 0, next = 0; i < count && result >= 0; i++) {
        if (!is_open(&world->containers.items[i]))
            continue;
        world->guests[i].nics = &guests[next++];
        const struct recorded *known = map_get(recorded, world->containers.items[i].lxc_name);
        if (!known || !known->has_volumes)
            continue;
        result = storage_view.dump_guest(paths, world->containers.items[i].init_pid, call,
                                         &world->guests[i].mounts, error);
    }
    return result;
}

int world_observe(const struct paths *paths, const struct actual *actual, struct arena *arena,
                  struct world *world, struct error *error)
{
    const struct call call = {.arena = arena, .cancel = -1};
    _cleanup_map_ struct map recorded = {0};
    collect_recorded(paths, actual, arena, &recorded);
    *world = (struct world){0};
    int result = container_view.dump(paths, &recorded, &call, &world->containers, error);
    if (result >= 0)
        result = storage_view.dump(paths, &call, &world->storage, error);
    if (result >= 0)
        result = network_view.dump(paths, &call, &world->network, error);
    if (result >= 0)
        result = observe_guests(paths, &recorded, &call, world, error);
    return result < 0 ? result : 0;
}

#define FIND(items, count, field, wanted)                                                                    \
    do {                                                                                                     \
        for (size_t i_ = 0; i_ < (count); i_++)                                                              \
            if ((items)[i_].field && strcmp((items)[i_].field, (wanted)) == 0)                               \
                return &(items)[i_];                                                                         \
        return NULL;                                                                                         \
    } while (0)

const struct observed_container *world_container(const struct world *world, const char *lxc_name)
{
    FIND(world->containers.items, world->containers.count, lxc_name, lxc_name);
}

const struct world_guest *world_guest(const struct world *world, const struct observed_container *container)
{
    return &world->guests[container - world->containers.items];
}

const struct observed_bridge *world_bridge(const struct world *world, const char *ifname)
{
    FIND(world->network.bridges, world->network.bridge_count, ifname, ifname);
}

const struct observed_port *world_port(const struct world *world, const char *ifname)
{
    FIND(world->network.ports, world->network.port_count, ifname, ifname);
}

const struct observed_root *world_root(const struct world *world, const char *lxc_name)
{
    FIND(world->storage.roots, world->storage.root_count, lxc_name, lxc_name);
}

static const struct observed_image *image_of(const struct world *world, const char *digest)
{
    FIND(world->storage.images, world->storage.image_count, digest, digest);
}

static const struct observed_data *data_of(const struct observed_data *items, size_t count, const char *file)
{
    FIND(items, count, file, file);
}

const struct observed_resolver *world_resolver(const struct world *world, const char *bridge)
{
    FIND(world->network.resolvers, world->network.resolver_count, bridge, bridge);
}

bool world_has_image(const struct world *world, const char *digest)
{
    return digest && image_of(world, digest);
}

bool world_has_layer(const struct world *world, const char *file)
{
    return data_of(world->storage.layers, world->storage.layer_count, file);
}

bool world_has_volume(const struct world *world, const char *file)
{
    return data_of(world->storage.volumes, world->storage.volume_count, file);
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

const struct observed_listener *world_listener(const struct world *world, const struct port *port)
{
    for (size_t i = 0; i < world->network.listener_count; i++) {
        const struct observed_listener *listener = &world->network.listeners[i];
        bool address = !listener->address || !port->address || strcmp(listener->address, port->address) == 0;
        if (address && listener->port == port->host && strcmp(listener->protocol, port->protocol) == 0)
            return listener;
    }
    return NULL;
}

const char *world_listener_name(const struct observed_listener *listener, struct arena *arena)
{
    if (listener->process)
        return listener->process;
    const char *name = network_view.name_listener ? network_view.name_listener(listener, arena) : NULL;
    return name ? name : "a process";
}
