/* Containers that LXC had before fpsync, and lines of the LXC config, which mean more there: an adopted container has
 * its whole definition from its spec, one of ours has most of it from fpsync. */
#include <string.h>

#include "specs/check.h"
#include "specs/lxc_control.h"
#include "specs/read.h"

static struct place place_in(const struct object *object, const char *key)
{
    return field_place(&container_table, object->body, field_by_key(&container_table, key));
}

static bool key_begins(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, key, length) == 0 && strchr(". ", line[length]);
}

/* What fpsync sets itself, or goes by when it looks: a second word on it would be drift or worse. */
static bool is_own_key(const char *line)
{
    static const char *const own[] = {"lxc.rootfs",  "lxc.uts",    "lxc.idmap",      "lxc.net",
                                      "lxc.group",   "lxc.start",  "lxc.init",       "lxc.ephemeral",
                                      "lxc.include", "lxc.log",    "lxc.cap",        "lxc.environment",
                                      "lxc.console", "lxc.signal", "lxc.cgroup.dir", "lxc.cgroup.relative"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (key_begins(line, own[i]))
            return true;
    return false;
}

static void check_lines(struct world *world, const struct object *object)
{
    const struct container *container = object->body;
    bool adopted = container_is_adopted(container), nets = false;
    for (size_t i = 0; i < container->lxc.count; i++) {
        const char *line = container->lxc.items[i];
        bool empty = line[strlen(line) - 1] == '=';
        nets = nets || key_begins(line, "lxc.net");
        if (adopted && key_begins(line, "lxc.rootfs.path"))
            problem_add(world->problems, place_in(object, "lxc"), "write root: PATH",
                        "'lxc': '%s' has a field", line);
        else if (!adopted && empty)
            problem_add(world->problems, place_in(object, "lxc"), NULL, "'lxc': '%s' has no value", line);
        else if (!adopted && lxc_control_field(line))
            problem_add(world->problems, place_in(object, "lxc"),
                        arena_printf(world->arena, "say it by %s", lxc_control_field(line)),
                        "'lxc': '%s' has a field", line);
        else if (!adopted && is_own_key(line))
            problem_add(world->problems, place_in(object, "lxc"), NULL,
                        "'lxc': '%s' is of a key that fpsync sets itself", line);
    }
    if (nets && container->networks.count)
        problem_add(world->problems, place_in(object, "networks"), "remove the lines, or write networks: []",
                    "lines of lxc.net and networks exclude each other");
}

static void check_adopted(struct world *world, const struct object *object)
{
    static const char *const without[] = {"image",     "layer",   "command", "init",   "user",
                                          "directory", "volumes", "devices", "retain", "on_image_change"};
    const struct container *container = object->body;
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (field_is_said(&container_table, container, field_by_key(&container_table, without[i])))
            problem_add(world->problems, place_in(object, without[i]), "remove it, or remove root",
                        "a container with a root of its own has no '%s'", without[i]);
    const struct field *disk = field_by_key(&limits_table, "disk");
    if (field_is_said(&limits_table, container->limits, disk))
        problem_add(world->problems, field_place(&limits_table, container->limits, disk),
                    "remove it, or remove root", "a container with a root of its own has no 'limits.disk'");
}

/* One of fpsync's own has all that from fpsync. */
static void check_own(struct world *world, const struct object *object)
{
    static const char *const with_root[] = {"includes", "apparmor"};
    const struct container *container = object->body;
    for (size_t i = 0; i < sizeof(with_root) / sizeof(with_root[0]); i++)
        if (field_is_said(&container_table, container, field_by_key(&container_table, with_root[i])))
            problem_add(world->problems, place_in(object, with_root[i]), "remove it, or add root: PATH",
                        "only an adopted container has '%s'", with_root[i]);
}

static void check_name(struct world *world, const struct object *object, struct map *names)
{
    const struct container *container = object->body;
    if (!container->lxc_name)
        return;
    if (!container_is_adopted(container))
        problem_add(world->problems, place_in(object, "lxc_name"), "add root: PATH, or remove it",
                    "only an adopted container has a name of its own in LXC");
    else if (!map_add(names, container->lxc_name, (void *)object))
        problem_add(world->problems, place_in(object, "lxc_name"), NULL, "LXC's container %s is that of %s",
                    container->lxc_name, world_name(world, map_get(names, container->lxc_name), object));
}

void check_adoption(struct world *world)
{
    _cleanup_map_ struct map names = {0};
    for (size_t i = 0; i < world->foreign.count; i++) {
        const struct object *object = world->foreign.items[i];
        const char *name =
            object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->lxc_name : NULL;
        if (name)
            map_add(&names, name, (void *)object);
    }
    for (size_t i = 0; i < world->own->count; i++) {
        const struct object *object = world->own->items[i];
        if (object->kind != KIND_CONTAINER || object_is_unread(object->body))
            continue;
        check_lines(world, object);
        check_name(world, object, &names);
        if (container_is_adopted(object->body))
            check_adopted(world, object);
        else
            check_own(world, object);
    }
}
