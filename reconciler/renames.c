#include "reconciler/renames.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/plan_internal.h"

struct renaming {
    const struct renames_request *request;
    struct arena *arena;
    struct renames *renames;
};

static void find_one(struct renaming *renaming, const struct object *object);
static void find_back(struct renaming *renaming, const struct object *object);
static void check_users(struct renaming *renaming, struct rename *rename);
static void make_view(struct renaming *renaming, struct actual *view);

const struct rename *renames_to(const struct renames *renames, enum kind kind, const char *to)
{
    for (size_t i = 0; renames && to && i < renames->count; i++)
        if (renames->items[i].kind == kind && strcmp(renames->items[i].to, to) == 0)
            return &renames->items[i];
    return NULL;
}

const struct rename *renames_from(const struct renames *renames, enum kind kind, const char *from)
{
    for (size_t i = 0; renames && from && i < renames->count; i++)
        if (renames->items[i].kind == kind && strcmp(renames->items[i].from, from) == 0)
            return &renames->items[i];
    return NULL;
}

static bool is_recorded(const struct snapshot *snapshot, const char *kind, const char *name)
{
    for (size_t i = 0; i < snapshot->record_count; i++)
        if (strcmp(snapshot->records[i]->kind, kind) == 0 && strcmp(snapshot->records[i]->name, name) == 0)
            return true;
    return false;
}

const char *renames_begun(const struct snapshot *snapshot, enum kind kind, const char *name, size_t *at)
{
    while (*at < snapshot->intent_count) {
        const struct intent *intent = snapshot->intents[snapshot->intent_count - ++*at];
        if (intent->was && strcmp(intent->was, name) == 0 && strcmp(intent->kind, kind_name(kind)) == 0 &&
            !is_recorded(snapshot, intent->kind, intent->name))
            return intent->name;
    }
    return NULL;
}

bool renames_changed(const struct renames *renames, const struct lease *lease)
{
    for (size_t i = 0; renames && i < renames->lease_count; i++)
        if (renames->leases[i] == lease)
            return true;
    return false;
}

void renames_find(const struct renames_request *request, struct arena *arena, struct actual *view,
                  struct renames *renames)
{
    struct renaming renaming = {.request = request, .arena = arena, .renames = renames};
    *renames = (struct renames){0};
    *view = *request->actual;
    for (size_t i = 0; i < request->desired->count; i++)
        find_one(&renaming, request->desired->items[i]);
    for (size_t i = 0; i < 2 * renames->count; i++) /* twice: a conflict makes others */
        check_users(&renaming, &renames->items[i % renames->count]);
    if (renames->count)
        make_view(&renaming, view);
}

/* ---- which ---- */

static struct rename *add(struct renaming *renaming, enum kind kind, const char *from, const char *to,
                          struct place at)
{
    struct rename *rename = arena_append(renaming->arena, renaming->renames->items, renaming->renames->count);
    *rename = (struct rename){.kind = kind, .from = from, .to = to, .at = at};
    return rename;
}

static bool world_has_data(const struct world *world, struct arena *arena, enum kind kind, const char *name)
{
    const char *file = paths_file_name(arena, name);
    return kind == KIND_VOLUME ? world_has_volume(world, file) : world_has_layer(world, file);
}

static bool has_data(const struct renaming *renaming, enum kind kind, const char *name)
{
    return world_has_data(renaming->request->world, renaming->arena, kind, name);
}

/* Two folders cannot become one. */
static const char *data_conflict(const struct renaming *renaming, enum kind kind, const char *from,
                                 const char *to)
{
    if ((kind != KIND_VOLUME && kind != KIND_LAYER) || !has_data(renaming, kind, from) ||
        !has_data(renaming, kind, to))
        return NULL;
    return arena_printf(renaming->arena, "there are data of a %s %s and of a %s %s", kind_name(kind), to,
                        kind_name(kind), from);
}

static bool goes_too(const struct renaming *renaming, const struct entry *entry)
{
    const struct rename *rename = renames_from(renaming->renames, entry->kind, entry->name);
    return rename && !rename->conflict;
}

/* A container that this run removes: the rename waits for that (plan_order.c). */
static bool is_removed(const struct renaming *renaming, const struct entry *entry)
{
    const struct renames_request *request = renaming->request;
    if (request->narrowed || entry->kind != KIND_CONTAINER ||
        renames_from(renaming->renames, KIND_CONTAINER, entry->name))
        return false;
    for (size_t i = 0; i < request->source_count; i++)
        if (request->sources[i].prunes && text_is_same(request->sources[i].name, entry->record->source))
            return true;
    return false;
}

/* Somebody whom this run does not change uses it by the old name. */
static void check_users(struct renaming *renaming, struct rename *rename)
{
    const struct actual *actual = renaming->request->actual;
    for (size_t i = 0; i < actual->count && !rename->conflict; i++) {
        const struct entry *entry = &actual->items[i];
        if (entry_is_retained(entry) || !plan_uses(&entry->object, rename->kind, rename->from) ||
            object_find(renaming->request->desired, entry->kind, entry->name) || goes_too(renaming, entry) ||
            is_removed(renaming, entry))
            continue;
        rename->conflict =
            arena_printf(renaming->arena, "%s %s of %s uses it as %s", kind_name(entry->kind), entry->name,
                         entry->record->source ? entry->record->source : "another source", rename->from);
        rename->hint = "apply its source with this one, under the new name";
    }
}

const char *renames_moved(const struct snapshot *snapshot, const struct world *world, struct arena *arena,
                          enum kind kind, enum kind whose, const char *name)
{
    const char *begun = NULL;
    const bool moves =
        (kind == KIND_VOLUME || kind == KIND_LAYER) && !world_has_data(world, arena, kind, name);
    for (size_t at = 0; moves && (begun = renames_begun(snapshot, whose, name, &at));)
        if (world_has_data(world, arena, kind, begun))
            break;
    return begun;
}

/* NULL also where they are at `to` already. */
static const char *moved_data(const struct renaming *renaming, enum kind kind, enum kind whose,
                              const char *name, const char *to)
{
    const char *begun = renames_moved(renaming->request->actual->snapshot, renaming->request->world,
                                      renaming->arena, kind, whose, name);
    return text_is_same(begun, to) ? NULL : begun;
}

/* A container's own layer goes with it. */
static void find_own_layer(struct renaming *renaming, const struct rename *of, const struct object *object)
{
    const struct rename container = *of;
    const char *recorded = container.back ? container.to : container.from;
    const struct entry *layer = actual_find(renaming->request->actual, KIND_LAYER, recorded);
    if (!layer || !layer->object.implicit ||
        strcmp(((const struct container *)object->body)->layer, container.to) != 0)
        return;
    const char *conflict = data_conflict(renaming, KIND_LAYER, container.from, container.to);
    struct rename *own = add(renaming, KIND_LAYER, container.from, container.to, container.at);
    own->back = container.back;
    own->data = moved_data(renaming, KIND_LAYER, KIND_CONTAINER, recorded, container.to);
    for (size_t i = 0; conflict && i < renaming->renames->count; i++) {
        struct rename *rename = &renaming->renames->items[i];
        if (strcmp(rename->from, container.from) != 0 || rename->kind == KIND_NETWORK ||
            rename->kind == KIND_VOLUME)
            continue;
        rename->conflict = conflict;
        rename->hint = arena_printf(renaming->arena, "fpsync gc layer/%s frees the one that is in the way",
                                    container.to);
    }
}

static void find_one(struct renaming *renaming, const struct object *object)
{
    struct place at;
    const char *from = object_was(object, &at);
    const struct actual *actual = renaming->request->actual;
    const struct entry *own = from ? actual_find(actual, object->kind, object->name) : NULL;
    if (!from || (own && !entry_is_retained(own) && !entry_is_unfinished(own))) {
        find_back(renaming, object); /* it bears the new name already */
        return;
    }
    const bool known = actual_find(actual, object->kind, from) ||
                       lease_recorded(actual->snapshot, object->kind, from) ||
                       (object->kind == KIND_CONTAINER && actual_find(actual, KIND_LAYER, from));
    if (!known)
        return;
    struct rename *rename = add(renaming, object->kind, from, object->name, at);
    rename->data = moved_data(renaming, object->kind, object->kind, from, object->name);
    rename->conflict = data_conflict(renaming, object->kind, from, object->name);
    rename->hint = arena_printf(renaming->arena, "fpsync gc %s/%s frees the one that is in the way",
                                kind_name(object->kind), object->name);
    const struct entry *old = actual_find(actual, object->kind, from);
    if (object->kind == KIND_CONTAINER && old && container_is_adopted(old->object.body)) {
        rename->conflict = "it was adopted";
        rename->hint = "fpsync forget the old name, and adopt it under the new one";
    }
    if (object->kind == KIND_CONTAINER && !rename->conflict)
        find_own_layer(renaming, rename, object);
}

/* Whether something is there under a name that a rename of `name` began to give it. */
static bool is_left(const struct renaming *renaming, enum kind kind, const char *name, const char *begun)
{
    const struct renames_request *request = renaming->request;
    const struct observed_container *seen;
    char bridge[PATHS_IFNAME_SIZE];
    switch (kind) {
    case KIND_VOLUME:
    case KIND_LAYER:
        return has_data(renaming, kind, begun) && !has_data(renaming, kind, name);
    case KIND_NETWORK:
        paths_bridge(request->paths, begun, bridge);
        return world_bridge(request->world, bridge);
    default:
        seen = world_container(request->world, paths_lxc_name(request->paths, renaming->arena, begun));
        return (seen && seen->ours) ||
               (has_data(renaming, KIND_LAYER, begun) && !has_data(renaming, KIND_LAYER, name));
    }
}

/* It keeps its name after all. Nobody else takes over what waits to come back. */
static void find_back(struct renaming *renaming, const struct object *object)
{
    const struct renames_request *request = renaming->request;
    const char *begun = NULL;
    if (!request->actual->snapshot->intent_count || !actual_find(request->actual, object->kind, object->name))
        return;
    for (size_t at = 0;;) {
        begun = renames_begun(request->actual->snapshot, object->kind, object->name, &at);
        if (!begun || is_left(renaming, object->kind, object->name, begun))
            break;
    }
    if (!begun)
        return;
    struct rename *rename = add(renaming, object->kind, begun, object->name, object->place);
    rename->back = true;
    const struct object *other = object_find(request->desired, object->kind, begun);
    if (other) {
        rename->conflict = "a rename from one to the other did not come to its end, and both are declared";
        rename->hint = "leave one of them out of this apply, or give the new one its was: again";
        const struct rename held = *rename;
        rename = add(renaming, object->kind, object->name, begun, other->place);
        rename->conflict = held.conflict;
        rename->hint = held.hint;
    } else if (object->kind == KIND_CONTAINER) {
        find_own_layer(renaming, rename, object);
    }
}

/* ---- the view ---- */

/* The new name of what a recorded object calls by an old one. A declared layer keeps its old one there, so that its
 * container is seen to change: the layer is renamed while nothing runs on it. */
static const char *renamed(const struct renaming *renaming, enum kind kind, const char *name)
{
    const struct rename *rename = renames_from(renaming->renames, kind, name);
    return rename && !rename->conflict ? rename->to : name;
}

static void *rename_body(const struct renaming *renaming, const struct entry *entry)
{
    struct container *body = described_copy(renaming->arena, &container_table, entry->object.body);
    if (body->layer && strcmp(body->layer, entry->object.name) == 0)
        body->layer = renamed(renaming, KIND_LAYER, body->layer);
    for (size_t i = 0; i < body->networks.count; i++) {
        struct attachment *attachment = body->networks.items[i];
        attachment->network = renamed(renaming, KIND_NETWORK, attachment->network);
    }
    for (size_t i = 0; i < body->volumes.count; i++) {
        struct mount *mount = body->volumes.items[i];
        mount->volume = renamed(renaming, KIND_VOLUME, mount->volume);
    }
    for (size_t i = 0; i < body->depends_on.count; i++) {
        struct dependency *dependency = body->depends_on.items[i];
        dependency->container = renamed(renaming, KIND_CONTAINER, dependency->container);
    }
    return body;
}

static bool mentions_renamed(const struct renaming *renaming, const struct entry *entry)
{
    for (size_t i = 0; i < renaming->renames->count; i++)
        if (plan_uses(&entry->object, renaming->renames->items[i].kind, renaming->renames->items[i].from))
            return true;
    return false;
}

static struct entry rename_entry(const struct renaming *renaming, const struct entry *old)
{
    struct entry entry = *old;
    if (old->kind == KIND_CONTAINER && mentions_renamed(renaming, old))
        entry.object.body = rename_body(renaming, old);
    const char *name = renamed(renaming, old->kind, old->name);
    const struct rename *to = renames_to(renaming->renames, old->kind, name);
    if (!to || to->conflict)
        return entry;
    entry.recorded = old->name;
    entry.was = to->data ? to->data : to->from;
    if (to->back)
        return entry;
    entry.name = entry.object.name = name;
    entry.object.id = arena_join(renaming->arena, kind_name(old->kind), '/', name);
    entry.record = arena_copy(renaming->arena, old->record, sizeof(*old->record));
    entry.record->name = name;
    return entry;
}

/* What an earlier try under the new name left of a record gives way. */
static bool gives_way(const struct renaming *renaming, enum kind kind, const char *name)
{
    const struct rename *rename = renames_to(renaming->renames, kind, name);
    return rename && !rename->conflict && actual_find(renaming->request->actual, kind, rename->from);
}

static struct lease *rename_lease(struct renaming *renaming, struct lease *old)
{
    enum kind kind;
    const char *name = kind_parse(old->kind, &kind) == 0 ? renamed(renaming, kind, old->name) : old->name;
    bool differs = strcmp(name, old->name) != 0;
    for (size_t i = 0; i < old->addresses.count && !differs; i++) {
        const char *network = ((struct lease_address *)old->addresses.items[i])->network;
        differs = strcmp(renamed(renaming, KIND_NETWORK, network), network) != 0;
    }
    if (!differs)
        return old;
    struct lease *lease = described_copy(renaming->arena, &lease_table, old);
    lease->name = name;
    for (size_t i = 0; i < lease->addresses.count; i++) {
        struct lease_address *address = lease->addresses.items[i];
        address->network = renamed(renaming, KIND_NETWORK, address->network);
    }
    *arena_append(renaming->arena, renaming->renames->leases, renaming->renames->lease_count) = lease;
    return lease;
}

static int by_kind_and_name(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

static int leases_by_name(const void *left, const void *right)
{
    const struct lease *a = *(struct lease *const *)left, *b = *(struct lease *const *)right;
    int order = strcmp(a->kind, b->kind);
    return order ? order : strcmp(a->name, b->name);
}

static void make_view(struct renaming *renaming, struct actual *view)
{
    const struct actual *actual = renaming->request->actual;
    const struct snapshot *old = actual->snapshot;
    struct snapshot *snapshot = arena_copy(renaming->arena, old, sizeof(*old));
    view->items = arena_array_of(renaming->arena, struct entry, actual->count + 1);
    view->count = 0;
    for (size_t i = 0; i < actual->count; i++)
        if (!gives_way(renaming, actual->items[i].kind, actual->items[i].name))
            view->items[view->count++] = rename_entry(renaming, &actual->items[i]);
    qsort(view->items, view->count, sizeof(*view->items), by_kind_and_name);
    view->by_id = index_make(renaming->arena, view->items, view->count, sizeof(*view->items),
                             offsetof(struct entry, object.id));
    snapshot->leases = arena_array_of(renaming->arena, struct lease *, old->lease_count + 1);
    snapshot->lease_count = 0;
    for (size_t i = 0; i < old->lease_count; i++) {
        enum kind kind;
        const struct rename *rename = kind_parse(old->leases[i]->kind, &kind) == 0
                                          ? renames_to(renaming->renames, kind, old->leases[i]->name)
                                          : NULL;
        if (rename && !rename->conflict && lease_recorded(old, kind, rename->from))
            continue; /* a copy that an earlier try made */
        snapshot->leases[snapshot->lease_count++] = rename_lease(renaming, old->leases[i]);
    }
    if (snapshot->lease_count)
        qsort(snapshot->leases, snapshot->lease_count, sizeof(*snapshot->leases), leases_by_name);
    snapshot->leases_by_name = index_make_pointers(renaming->arena, (void *const *)snapshot->leases,
                                                   snapshot->lease_count, offsetof(struct lease, name));
    view->snapshot = snapshot;
}
