#include "reconciler/image_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "specs/ports.h"

struct merging {
    const struct metadata_request *request;
    struct arena *arena;
    struct target target;
    struct object_set *merged;
    struct metadata *metadata;
};

/* Where not, what it has nevertheless is heeded the next time. */
static bool may_tell(const struct metadata_request *request, const struct object *image)
{
    const char *source = ((const struct image *)image->body)->source;
    return !source || texts_have(&request->layouts, image->name) ||
           (strncmp(source, "bootstrap:", strlen("bootstrap:")) != 0 &&
            strncmp(source, "file:", strlen("file:")) != 0 &&
            strncmp(source, "https:", strlen("https:")) != 0);
}

bool metadata_is_needed(const struct metadata_request *request)
{
    for (size_t i = 0; i < request->actual->count; i++)
        if (request->actual->items[i].facts->config)
            return true;
    for (size_t i = 0; i < request->desired->count; i++) {
        const struct object *object = request->desired->items[i];
        if (object->kind == KIND_IMAGE && may_tell(request, object))
            return true;
        if (object->kind == KIND_CONTAINER &&
            layer_of_other_image(request->actual, object, ((const struct container *)object->body)->image))
            return true;
    }
    return false;
}

void metadata_clear(struct metadata *metadata)
{
    map_clear(&metadata->inherited);
    map_clear(&metadata->awaited);
    map_clear(&metadata->refused);
}

/* ---- which config ---- */

/* All that stand on one digest know the same. */
static const char *config_of(const struct actual *actual, const char *digest)
{
    for (size_t i = 0; digest && i < actual->count; i++)
        if (text_is_same(actual->items[i].facts->digest, digest) && actual->items[i].facts->config)
            return actual->items[i].facts->config;
    return NULL;
}

/* The digest that its layer stands on after this run; NULL: that of its image as it is then. As recorder_digest() has it. */
static const char *stays_on(const struct merging *merging, const struct object *object,
                            const struct follow *follow)
{
    const struct container *body = object->body;
    const struct metadata_request *request = merging->request;
    const struct entry *layer =
        actual_find(request->actual, KIND_LAYER, body->layer ? body->layer : object->name);
    if (follow_moves(follow) || !layer || target_has_fresh_layer(&merging->target, object))
        return NULL;
    const bool there =
        world_has_layer(request->world, target_layer_file(&merging->target, object)) ||
        (layer->was && world_has_layer(request->world, paths_file_name(merging->arena, layer->was)));
    return there ? layer->facts->digest : NULL;
}

/* The text of what its image says; NULL: nothing, or (`awaited`) not yet. */
static const char *find_config(const struct merging *merging, const struct object *object, const char *image,
                               bool *awaited)
{
    const struct metadata_request *request = merging->request;
    const struct object *wanted = object_find(request->desired, KIND_IMAGE, image);
    const struct entry *known = actual_find(request->actual, KIND_IMAGE, image);
    const bool making =
        image_is_made(request->desired, request->builds, request->world, image, known, merging->arena);
    const struct follow follow = follow_of(&merging->target, request->actual, request->world, object, making);
    const char *digest = stays_on(merging, object, &follow);
    /* Whether the layer fits on an image of another name its bytes will tell. */
    const bool unknown = digest ? layer_of_other_image(request->actual, object, image) != NULL
                                : wanted && may_tell(request, wanted);
    *awaited = making && wanted && unknown;
    if (*awaited || (!digest && making)) { /* until then it is what it was */
        const struct entry *entry = actual_find(request->actual, KIND_CONTAINER, object->name);
        return *awaited && entry ? config_of(request->actual, entry->facts->digest) : NULL;
    }
    return config_of(request->actual, digest ? digest : known ? known->facts->digest : NULL);
}

/* ---- the set ---- */

static struct object *with_body(struct arena *arena, const struct object *object, void *body)
{
    struct object *copy = arena_copy(arena, object, sizeof(*object));
    copy->body = body;
    return copy;
}

/* What the container's old name had goes along: SEMANTICS 7. */
static void carry(const struct merging *merging, const struct object *container, const struct container *body,
                  struct object *volume)
{
    const struct rename *rename = renames_to(merging->request->renames, KIND_CONTAINER, container->name);
    for (size_t i = 0; rename && i < body->volumes.count; i++) {
        const struct mount *mount = body->volumes.items[i];
        if (strcmp(mount->volume, volume->name) != 0)
            continue;
        const char *was = image_volume_name(merging->arena, rename->from, mount->path);
        if (strcmp(volume->name, image_volume_name(merging->arena, container->name, mount->path)) != 0 ||
            !actual_find(merging->request->actual, KIND_VOLUME, was))
            continue;
        ((struct volume *)volume->body)->was = was;
        field_mark(&volume_table, volume->body, offsetof(struct volume, was));
    }
}

static void add(struct merging *merging, struct object *object)
{
    *arena_append(merging->arena, merging->merged->items, merging->merged->count) = object;
}

static void merge_container(struct merging *merging, struct object *object, struct map *volumes)
{
    const char *image = target_image(&merging->target, object);
    struct image_config *config;
    bool awaited = false;
    const char *text = image ? find_config(merging, object, image, &awaited) : NULL;
    if (awaited)
        map_add(&merging->metadata->awaited, object->name, (void *)image);
    if (!text || image_config_parse(merging->arena, text, &config, NULL) < 0) {
        add(merging, object);
        return;
    }
    struct inheritance *out = arena_new_of(merging->arena, struct inheritance);
    image_inherit(merging->arena, object, image, config, out);
    map_add(&merging->metadata->inherited, object->name, out);
    struct object *merged = with_body(merging->arena, object, out->body);
    add(merging, merged);
    for (size_t i = 0; i < out->volume_count; i++) {
        struct object *volume = out->volumes[i];
        carry(merging, object, out->body, volume);
        if (!object_find(merging->request->desired, KIND_VOLUME, volume->name) &&
            map_add(volumes, volume->name, volume))
            add(merging, volume);
    }
}

/* ---- ports that two want ---- */

static bool has_port(const struct actual *actual, const char *name, const struct port *port)
{
    const struct entry *entry = actual_find(actual, KIND_CONTAINER, name);
    return entry &&
           list_find(&((const struct container *)entry->object.body)->ports, &port_table, port->listen);
}

/* Whether `other` comes first: what it says itself, what it has already, its name. */
static bool yields(const struct merging *merging, const struct object *object, const struct port *port,
                   const struct object *other, const struct port *its)
{
    const struct inheritance *theirs = map_get(&merging->metadata->inherited, other->name);
    if (!theirs || !theirs->ports)
        return true;
    const bool mine = has_port(merging->request->actual, object->name, port),
               has = has_port(merging->request->actual, other->name, its);
    return mine != has ? has : strcmp(other->name, object->name) < 0;
}

static void refuse_port(struct merging *merging, const struct object *object, const struct port *port)
{
    const struct container *body = object->body;
    for (size_t i = 0; i < merging->merged->count; i++) {
        const struct object *other = merging->merged->items[i];
        const struct container *its = other->kind == KIND_CONTAINER && other != object ? other->body : NULL;
        if (!its || (its->set && text_is_same(its->set, body->set)))
            continue;
        for (size_t j = 0; j < its->ports.count; j++)
            if (ports_meet(port, its->ports.items[j]) &&
                yields(merging, object, port, other, its->ports.items[j]))
                map_add(&merging->metadata->refused, object->name,
                        arena_printf(merging->arena, "port %s of its image: container %s has it",
                                     port->listen, other->name));
    }
    for (size_t i = 0; i < merging->request->actual->count; i++) {
        const struct entry *entry = &merging->request->actual->items[i];
        const struct container *its = entry->kind == KIND_CONTAINER ? entry->object.body : NULL;
        if (!its || text_is_same(entry->object.source, object->source) ||
            object_find(merging->merged, KIND_CONTAINER, entry->name))
            continue;
        for (size_t j = 0; j < its->ports.count; j++)
            if (ports_meet(port, its->ports.items[j]))
                map_add(&merging->metadata->refused, object->name,
                        arena_printf(merging->arena, "port %s of its image: container %s has it",
                                     port->listen, entry->name));
    }
}

static void refuse_ports(struct merging *merging)
{
    for (size_t i = 0; i < merging->merged->count; i++) {
        const struct object *object = merging->merged->items[i];
        const struct inheritance *has =
            object->kind == KIND_CONTAINER ? map_get(&merging->metadata->inherited, object->name) : NULL;
        for (size_t j = 0; has && has->ports && j < has->body->ports.count; j++)
            refuse_port(merging, object, has->body->ports.items[j]);
    }
}

void metadata_merge(const struct metadata_request *request, struct arena *arena, struct object_set *merged,
                    struct metadata *metadata)
{
    struct merging merging = {
        .request = request,
        .arena = arena,
        .target = {.paths = request->paths, .arena = arena, .all = request->desired, .world = request->world},
        .merged = merged,
        .metadata = metadata};
    _cleanup_map_ struct map volumes = {0};
    *merged = (struct object_set){0};
    for (size_t i = 0; i < request->desired->count; i++) {
        struct object *object = request->desired->items[i];
        const bool has_image = object->kind == KIND_CONTAINER && !container_is_adopted(object->body);
        if (has_image)
            merge_container(&merging, object, &volumes);
        else
            add(&merging, object);
    }
    object_set_sort(merged);
    object_set_index(merged, arena);
    refuse_ports(&merging);
}
