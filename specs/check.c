/* The order of checks, and what they know of the world: the set itself and the record of other sources. */
#include "specs/check.h"

#include <string.h>

#include "specs/replicas.h"

static bool is_foreign(const struct collection *own, const struct spec_set *sources,
                       const struct object *object);

void check_all(struct collection *collection, const struct object_set *recorded,
               const struct spec_set *sources, bool incomplete)
{
    struct world world = {.own = collection,
                          .arena = collection->arena,
                          .recorded = recorded,
                          .problems = collection->problems,
                          .incomplete = incomplete};
    for (size_t i = 0; recorded && i < recorded->count; i++)
        if (is_foreign(collection, sources, recorded->items[i])) {
            *arena_append(world.arena, world.foreign.items, world.foreign.count) = recorded->items[i];
            map_add(&world.foreign_by_id, recorded->items[i]->id, recorded->items[i]);
        }
    imply_all(&world);
    imply_members(&world);
    check_replicas(&world);
    check_references(&world);
    check_storage(&world);
    check_volumes(&world);
    check_subnets(&world);
    check_ways_out(&world);
    check_attachments(&world);
    check_addresses(&world);
    check_ports(&world);
    check_capabilities(&world);
    check_adoption(&world);
    check_dependencies(&world);
    check_health(&world);
    check_was(&world);
    map_clear(&world.foreign_by_id);
}

static bool is_foreign(const struct collection *own, const struct spec_set *sources,
                       const struct object *object)
{
    if (!object->source || map_get(own->by_id, object->id))
        return false; /* retained and used by nobody, or declared here */
    for (size_t i = 0; i < sources->source_count; i++)
        if (sources->sources[i].prunes && strcmp(sources->sources[i].name, object->source) == 0)
            return false;
    return true;
}

struct object *world_find(const struct world *world, enum kind kind, const char *full_name)
{
    char id[OBJECT_ID_SIZE];
    struct object *object = map_get(world->own->by_id, object_id(kind, full_name, id));
    return object ? object : map_get(&world->foreign_by_id, id);
}

const char *name_seen_from(struct arena *arena, const char *full_name, const struct object *object)
{
    size_t project = strcspn(object->name, "/") + 1;
    return strncmp(full_name, object->name, project) == 0 ? full_name + project
                                                          : arena_strdup(arena, full_name);
}

const char *world_name(const struct world *world, const struct object *object,
                       const struct object *project_of)
{
    const char *name = name_seen_from(world->arena, object->name, project_of);
    if (object->place.file)
        return arena_printf(world->arena, "%s %s (%s:%u)", kind_name(object->kind), name, object->place.file,
                            object->place.line);
    return arena_printf(world->arena, "%s %s (source %s)", kind_name(object->kind), name, object->source);
}
