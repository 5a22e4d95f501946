/* What containers are lent of the host: asked only for those that have any, by the record or from now on. The recorded
 * ones are asked for, too, so that what is wanted no more is found and taken back. */
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "reconciler/world.h"

struct collecting {
    const struct paths *paths;
    struct arena *arena;
    struct world *world;
    struct map known; /* full name to index, one up */
};

static struct world_loans *loans_of(struct collecting *collecting, const struct object *object)
{
    const char *container = object->name;
    struct world *world = collecting->world;
    size_t index = (size_t)map_get(&collecting->known, container);
    if (!index) {
        *(struct world_loans *)arena_append(collecting->arena, world->loans, world->loan_count) =
            (struct world_loans){.container = container,
                                 .lxc_name = object_lxc_name(collecting->paths, collecting->arena, object)};
        index = world->loan_count;
        map_add(&collecting->known, container, (void *)index);
    }
    return &world->loans[index - 1];
}

static const struct observed_bind *find_bind(const struct world_loans *loans, const struct bind *bind)
{
    for (size_t i = 0; loans && i < loans->bind_count; i++) {
        const struct observed_bind *seen = &loans->binds[i];
        if (strcmp(seen->path, bind->path) == 0 && strcmp(seen->source, bind->source) == 0 &&
            seen->read_only == bind->read_only)
            return seen;
    }
    return NULL;
}

int64_t device_mode(const struct device *device)
{
    return strtoll(device->mode, NULL, 8);
}

bool device_is_as(const struct observed_device *seen, const struct device *device)
{
    return text_is_same(seen->key, item_key(&device_table, device)) &&
           text_is_same(seen->target, device->target) && seen->mode == device_mode(device);
}

static bool has_device(const struct world_loans *loans, const struct device *device)
{
    for (size_t i = 0; i < loans->device_count; i++)
        if (device_is_as(&loans->devices[i], device))
            return true;
    return false;
}

static void add_device(struct collecting *collecting, struct world_loans *loans, const struct device *device,
                       const char *path, const char *source, const char *trouble)
{
    *(struct observed_device *)arena_append(collecting->arena, loans->devices, loans->device_count) =
        (struct observed_device){.key = item_key(&device_table, device),
                                 .target = device->target,
                                 .path = path,
                                 .source = source,
                                 .mode = device_mode(device),
                                 .trouble = trouble};
}

/* One that is named by what it is may be somewhere else than it was, or in several places. */
static void collect_found(struct collecting *collecting, struct world_loans *loans,
                          const struct device *device)
{
    struct found_devices found;
    container_view.find_devices(collecting->paths, device, collecting->arena, &found);
    loans->searched = true;
    if (found.trouble)
        add_device(collecting, loans, device, device->target ? device->target : "", "", found.trouble);
    for (size_t i = 0; i < found.count; i++)
        add_device(collecting, loans, device, device->target ? device->target : found.items[i].place,
                   found.items[i].source, NULL);
}

static void collect_device(struct collecting *collecting, struct world_loans *loans,
                           const struct device *device)
{
    if (has_device(loans, device))
        return;
    if (device->path)
        add_device(collecting, loans, device, device_place(device), device->path, NULL);
    else
        collect_found(collecting, loans, device);
}

/* What was lent before it moved is known by the container alone. */
static void collect_lent(struct collecting *collecting, struct world_loans *loans, const char *lxc_name)
{
    struct texts places = {0};
    container_view.list_lent(collecting->paths, lxc_name, collecting->arena, &places);
    for (size_t i = 0; i < places.count; i++) {
        bool known = false;
        for (size_t j = 0; j < loans->device_count && !known; j++)
            known = strcmp(loans->devices[j].path, places.items[i]) == 0;
        if (!known)
            *(struct observed_device *)arena_append(collecting->arena, loans->devices, loans->device_count) =
                (struct observed_device){
                    .path = places.items[i], .source = "", .trouble = "it is not declared"};
    }
}

static void collect(struct collecting *collecting, const struct object *object)
{
    const struct container *body = object->body;
    if (object->kind != KIND_CONTAINER || !(body->binds.count || body->devices.count))
        return;
    struct world_loans *loans = loans_of(collecting, object);
    for (size_t i = 0; i < body->binds.count; i++) {
        const struct bind *bind = body->binds.items[i];
        if (!find_bind(loans, bind))
            *(struct observed_bind *)arena_append(collecting->arena, loans->binds, loans->bind_count) =
                (struct observed_bind){
                    .path = bind->path, .source = bind->source, .read_only = bind->read_only};
    }
    for (size_t i = 0; i < body->devices.count; i++)
        collect_device(collecting, loans, body->devices.items[i]);
}

/* An earlier run may have died with something lent that no record names. */
static void collect_intended(struct collecting *collecting, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->intent_count; i++) {
        const struct intent *intent = snapshot->intents[i];
        void *body;
        if (!intent->body.size || fields_decode(&container_table, intent->body.data, intent->body.size,
                                                collecting->arena, &body, NULL) < 0)
            continue;
        const struct object object = {.kind = KIND_CONTAINER, .name = intent->name, .body = body};
        collect(collecting, &object);
    }
}

static int by_container(const void *left, const void *right)
{
    return strcmp(((const struct world_loans *)left)->container,
                  ((const struct world_loans *)right)->container);
}

void world_look_at_loans(const struct paths *paths, const struct actual *actual,
                         const struct object_set *desired, struct arena *arena, struct world *world)
{
    struct collecting collecting = {.paths = paths, .arena = arena, .world = world};
    world->loans = NULL;
    world->loan_count = 0;
    for (size_t i = 0; i < desired->count; i++)
        collect(&collecting, desired->items[i]);
    for (size_t i = 0; i < actual->count; i++)
        collect(&collecting, &actual->items[i].object);
    collect_intended(&collecting, actual->snapshot);
    map_clear(&collecting.known);
    if (world->loan_count)
        qsort(world->loans, world->loan_count, sizeof(*world->loans), by_container);
    for (size_t i = 0; i < world->loan_count; i++)
        if (world->loans[i].searched)
            collect_lent(&collecting, &world->loans[i], world->loans[i].lxc_name);
    world_look_at_known_loans(paths, world);
}

void world_look_at_known_loans(const struct paths *paths, struct world *world)
{
    for (size_t i = 0; i < world->loan_count; i++) {
        struct world_loans *loans = &world->loans[i];
        const struct observed_container *container = world_container(world, loans->lxc_name);
        const int64_t init_pid = container_is_up(container) ? container->init_pid : 0;
        if (loans->bind_count)
            storage_view.look_binds(paths, init_pid, loans->binds, loans->bind_count);
        if (loans->device_count)
            container_view.look_at_devices(paths, loans->lxc_name, init_pid, loans->devices,
                                           loans->device_count);
    }
}

const struct world_loans *world_loans(const struct world *world, const char *container)
{
    const struct world_loans key = {.container = container};
    return world->loan_count
               ? bsearch(&key, world->loans, world->loan_count, sizeof(*world->loans), by_container)
               : NULL;
}

const struct observed_bind *world_bind(const struct world *world, const char *container,
                                       const struct bind *bind)
{
    return find_bind(world_loans(world, container), bind);
}
