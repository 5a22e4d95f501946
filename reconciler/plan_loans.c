/* What a container is lent of its host has to be there; that root permits it is asked before. */
#include <string.h>

#include "drivers/guest/view_place.h"
#include "reconciler/permission.h"
#include "reconciler/plan_internal.h"

/* LXC itself mounts those of an adopted container, and follows links: `optional` is no way past what is permitted. */
static bool is_excused(const struct container *body, const struct bind *bind,
                       const struct observed_bind *seen)
{
    return bind->optional && (seen->missing || !container_is_adopted(body));
}

/* How to come by what lies there all the same; NULL: there is nothing to say. */
static const char *way_to(struct planning *planning, const char *path, const char *trouble)
{
    return strcmp(trouble, PLACE_BEHIND_LINK) == 0
               ? arena_printf(planning->arena, "name its real path: readlink -f %s", path)
               : NULL;
}

static bool binds_are_there(struct planning *planning, const struct object *object)
{
    const struct list *binds = &((const struct container *)object->body)->binds;
    bool fine = true;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        const struct observed_bind *seen = world_bind(planning->request->world, object->name, bind);
        if (!seen || !seen->trouble || is_excused(object->body, bind, seen))
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "bind of %s: %s on the host", bind->source, seen->trouble),
                  seen->missing ? "create it, or add optional: true"
                                : way_to(planning, bind->source, seen->trouble),
                  bind->described.place);
        fine = false;
    }
    return fine;
}

/* A bind that can be written to and has the path strictly below its source; NULL: the container has none. */
static const struct bind *writable_above(const struct object *other, const char *path)
{
    const struct list *binds = &((const struct container *)other->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (!bind->read_only && path_is_at_or_below(path, bind->source) && strcmp(path, bind->source) != 0)
            return bind;
    }
    return NULL;
}

/* The container that has it; NULL: no guest can put something else in the place of the path. */
static const struct object *who_can_swap(const struct planning *planning, const char *path)
{
    const struct object_set *desired = planning->request->desired;
    const struct actual *actual = planning->request->actual;
    for (size_t i = 0; i < desired->count; i++)
        if (desired->items[i]->kind == KIND_CONTAINER && writable_above(desired->items[i], path))
            return desired->items[i];
    for (size_t i = 0; i < actual->count; i++)
        if (actual->items[i].object.kind == KIND_CONTAINER && actual->items[i].object.body &&
            writable_above(&actual->items[i].object, path))
            return &actual->items[i].object;
    return NULL;
}

/* LXC itself mounts the binds of an adopted container, at every start, and follows links: no guest may plant one. */
static bool binds_are_firm(struct planning *planning, const struct object *object)
{
    const struct list *binds = &((const struct container *)object->body)->binds;
    bool fine = true;
    for (size_t i = 0; container_is_adopted(object->body) && i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        const struct object *other = who_can_swap(planning, bind->source);
        if (!other)
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena,
                               "bind of %s: it lies below a bind that container %s can write to, and could "
                               "become a link to anything",
                               bind->source, other->name),
                  "bind something else, or make the bind above it read_only", bind->described.place);
        fine = false;
    }
    return fine;
}

static const char *trouble_of(const struct world_loans *loans, const struct device *device)
{
    for (size_t i = 0; loans && i < loans->device_count; i++)
        if (device_is_as(&loans->devices[i], device) && loans->devices[i].trouble)
            return loans->devices[i].trouble;
    return NULL;
}

static bool devices_are_there(struct planning *planning, const struct object *object)
{
    const struct list *devices = &((const struct container *)object->body)->devices;
    const struct world_loans *loans = world_loans(planning->request->world, object->name);
    bool fine = true;
    for (size_t i = 0; i < devices->count; i++) {
        const struct device *device = devices->items[i];
        const char *trouble = device->optional ? NULL : trouble_of(loans, device);
        if (!trouble)
            continue;
        const char *way = device->path ? way_to(planning, device->path, trouble) : NULL;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "device %s: %s on the host",
                               device_text(planning->arena, device), trouble),
                  way ? way : "load its driver or plug it in, or add optional: true",
                  device->described.place);
        fine = false;
    }
    return fine;
}

bool plan_gate_loans(struct planning *planning, const struct object *object)
{
    const bool there = binds_are_there(planning, object), firm = binds_are_firm(planning, object);
    return devices_are_there(planning, object) && there && firm;
}
