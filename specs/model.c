/* Kinds, names and look-up in sets. */
#include "specs/model.h"

#include <errno.h>
#include <string.h>

#define NAME_LENGTH 31 /* characters; keeps LXC names, aliases and DNS labels within their bounds */

static const struct {
    const struct table *table;
    const char *name, *plural;
} kinds[KIND_COUNT] = {
    [KIND_IMAGE] = {&image_table, "image", "images"},
    [KIND_NETWORK] = {&network_table, "network", "networks"},
    [KIND_VOLUME] = {&volume_table, "volume", "volumes"},
    [KIND_LAYER] = {&layer_table, "layer", "layers"},
    [KIND_CONTAINER] = {&container_table, "container", "containers"},
};

static bool name_is_valid_within(const char *name, size_t length);

bool image_is_built(const struct image *image)
{
    return image->build->context || image->build->from || image->build->steps.count;
}

const char *image_build_network(const struct image *image)
{
    const char *network = image_is_built(image) ? image->build->network : NULL;
    return network && strcmp(network, NETWORK_NONE) != 0 ? network : NULL;
}

const struct table *kind_table(enum kind kind)
{
    return kinds[kind].table;
}

const char *kind_name(enum kind kind)
{
    return kinds[kind].name;
}

const char *kind_plural(enum kind kind)
{
    return kinds[kind].plural;
}

int kind_parse(const char *text, enum kind *kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(text, kinds[i].name) == 0 || strcmp(text, kinds[i].plural) == 0) {
            *kind = (enum kind)i;
            return 0;
        }
    return -EINVAL;
}

const char *object_id(enum kind kind, const char *name, char id[static OBJECT_ID_SIZE])
{
    const char *word = kind_name(kind);
    size_t first = strlen(word), second = strnlen(name, OBJECT_ID_SIZE - 2 - first);
    memcpy(id, word, first);
    id[first] = '/';
    memcpy(id + first + 1, name, second);
    id[first + 1 + second] = '\0';
    return id;
}

int object_compare(const struct object *left, const struct object *right)
{
    return left->kind != right->kind ? (int)left->kind - (int)right->kind : strcmp(left->name, right->name);
}

static int compare_places(const void *left, const void *right)
{
    return object_compare(*(struct object *const *)left, *(struct object *const *)right);
}

void object_set_sort(struct object_set *set)
{
    if (set->count)
        qsort(set->items, set->count, sizeof(*set->items), compare_places);
}

void object_set_index(struct object_set *set, struct arena *arena)
{
    set->by_id =
        index_make_pointers(arena, (void *const *)set->items, set->count, offsetof(struct object, id));
}

bool health_is_probed(const struct health *health)
{
    return !health->none && (health->http || health->tcp || health->command.count);
}

int64_t health_patience(const struct health *health)
{
    return health->start_period + health->interval * health->retries;
}

bool container_is_adopted(const struct container *container)
{
    return container->root && strchr(container->root, '/');
}

const char *object_was(const struct object *object, struct place *at)
{
    const char *was = object->kind == KIND_NETWORK     ? ((const struct network *)object->body)->was
                      : object->kind == KIND_VOLUME    ? ((const struct volume *)object->body)->was
                      : object->kind == KIND_LAYER     ? ((const struct layer *)object->body)->was
                      : object->kind == KIND_CONTAINER ? ((const struct container *)object->body)->was
                                                       : NULL;
    const struct table *table = kind_table(object->kind);
    if (was)
        *at = field_place(table, object->body, field_by_key(table, "was"));
    return was;
}

struct object *object_find(const struct object_set *set, enum kind kind, const char *name)
{
    char id[OBJECT_ID_SIZE];
    const struct index *index = &set->by_id;
    if (index->slots && index->items == (const char *)set->items && index->count == set->count)
        return index_find(index, object_id(kind, name, id));
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct object *object = set->items[middle];
        int order = object->kind != kind ? (int)object->kind - (int)kind : strcmp(object->name, name);
        if (order == 0)
            return object;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *name_bare(const char *full)
{
    const char *slash = strchr(full, '/');
    return slash ? slash + 1 : full;
}

const char *name_project(struct arena *arena, const char *full)
{
    return arena_strndup(arena, full, strcspn(full, "/"));
}

bool name_is_valid(const char *name)
{
    return name_is_valid_within(name, strlen(name));
}

bool full_name_is_valid(const char *full)
{
    const char *slash = strchr(full, '/');
    return slash && name_is_valid_within(full, (size_t)(slash - full)) && name_is_valid(slash + 1);
}

static bool name_is_valid_within(const char *name, size_t length)
{
    if (length < 1 || length > NAME_LENGTH || name[0] < 'a' || name[0] > 'z' || name[length - 1] == '-')
        return false;
    for (size_t i = 1; i < length; i++)
        if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-')
            return false;
    return true;
}
