/* What a container is lent of its host: root has to permit it (SEMANTICS 40), and it has to be there. */
#include <string.h>

#include "lib/buffer.h"
#include "reconciler/plan_internal.h"

/* The line to add, with what stands in that list already; `item` below a bracket of its own would replace it. */
static const char *list_line(struct planning *planning, const char *key, const struct texts *allowed,
                             const char *item)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_printf(&text, "write to %s: allow: { %s: [", planning->request->paths->conf, key);
    for (size_t i = 0; i < allowed->count; i++) {
        scalar_print(allowed->items[i], &text);
        buffer_text(&text, ", ");
    }
    scalar_print(item, &text);
    buffer_text(&text, "] }");
    return arena_strdup(planning->arena, text.bytes);
}

static bool is_at_or_below(const char *path, const char *base)
{
    size_t length = strcmp(base, "/") == 0 ? 0 : strlen(base);
    return strncmp(path, base, length) == 0 && (path[length] == '/' || !path[length]);
}

static bool is_listed(const struct texts *allowed, const char *path)
{
    for (size_t i = 0; i < allowed->count; i++)
        if (is_at_or_below(path, allowed->items[i]))
            return true;
    return false;
}

static bool binds_are_permitted(struct planning *planning, const struct object *object)
{
    const struct policy *policy = planning->request->policy;
    const struct list *binds = &((const struct container *)object->body)->binds;
    for (size_t i = 0; policy && i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (is_listed(&policy->allow->binds, bind->source))
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "bind of %s is not permitted on this host", bind->source),
                  list_line(planning, "binds", &policy->allow->binds, bind->source), bind->described.place);
        return false;
    }
    return true;
}

/* LXC itself mounts those of an adopted container, and follows links: `optional` is no way past what is permitted. */
static bool is_excused(const struct container *body, const struct bind *bind,
                       const struct observed_bind *seen)
{
    return bind->optional && (seen->missing || !container_is_adopted(body));
}

static bool binds_are_there(struct planning *planning, const struct object *object)
{
    const struct list *binds = &((const struct container *)object->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        const struct observed_bind *seen = world_bind(planning->request->world, object->name, bind);
        if (!seen || !seen->trouble || is_excused(object->body, bind, seen))
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "bind of %s: %s on the host", bind->source, seen->trouble),
                  bind->optional ? "name what it leads to, or leave the bind out"
                                 : "create it, or add optional: true",
                  bind->described.place);
        return false;
    }
    return true;
}

/* A bind that can be written to and has the path strictly below its source; NULL: the container has none. */
static const struct bind *writable_above(const struct object *other, const char *path)
{
    const struct list *binds = &((const struct container *)other->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (!bind->read_only && is_at_or_below(path, bind->source) && strcmp(path, bind->source) != 0)
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
        return false;
    }
    return true;
}

static const char *device_text(struct planning *planning, const struct device *device)
{
    return device->path ? device->path
                        : arena_printf(planning->arena, "%s %s", device->usb ? "usb" : "gpu",
                                       item_key(&device_table, device));
}

static bool device_is_listed(const struct texts *allowed, const struct device *device)
{
    const char *word = device->usb ? "usb" : "gpu";
    if (device->path)
        return is_listed(allowed, device->path);
    for (size_t i = 0; i < allowed->count; i++)
        if (strcmp(allowed->items[i], word) == 0)
            return true;
    return false;
}

static bool devices_are_permitted(struct planning *planning, const struct object *object)
{
    const struct policy *policy = planning->request->policy;
    const struct list *devices = &((const struct container *)object->body)->devices;
    for (size_t i = 0; policy && i < devices->count; i++) {
        const struct device *device = devices->items[i];
        if (device_is_listed(&policy->allow->devices, device))
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "device %s is not permitted on this host",
                               device_text(planning, device)),
                  list_line(planning, "devices", &policy->allow->devices,
                            device->path  ? device->path
                            : device->usb ? "usb"
                                          : "gpu"),
                  device->described.place);
        return false;
    }
    return true;
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
    for (size_t i = 0; i < devices->count; i++) {
        const struct device *device = devices->items[i];
        const char *trouble = device->optional ? NULL : trouble_of(loans, device);
        if (!trouble)
            continue;
        plan_hold(planning, KIND_CONTAINER, object->name,
                  arena_printf(planning->arena, "device %s: %s on the host", device_text(planning, device),
                               trouble),
                  "load its driver or plug it in, or add optional: true", device->described.place);
        return false;
    }
    return true;
}

bool plan_gate_loans(struct planning *planning, const struct object *object)
{
    return binds_are_permitted(planning, object) && binds_are_there(planning, object) &&
           binds_are_firm(planning, object) && devices_are_permitted(planning, object) &&
           devices_are_there(planning, object);
}
