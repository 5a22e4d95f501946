#include "reconciler/rebuild.h"

#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/addresses.h"
#include "reconciler/keyed.h"
#include "reconciler/outcome.h"

struct rebuilding {
    struct session *session;
    struct arena *arena;
    struct rebuilt *out;
    struct map known; /* LXC names and interface names whose owners are declared or recorded */
    int64_t now;
};

static bool is_recorded(const struct rebuilding *rebuilding, const struct object *object)
{
    const struct entry *entry = actual_find(&rebuilding->session->actual, object->kind, object->name);
    return entry && !entry_is_retained(entry);
}

static int put(struct rebuilding *rebuilding, const struct object *object, struct record *record,
               struct facts *facts, struct error *error)
{
    struct state *state = rebuilding->session->state;
    record->generation = record->generation ? record->generation : 1;
    record->phase = record->phase ? record->phase : "running";
    record->since = record->since ? record->since : rebuilding->now;
    int result = record_facts(state, rebuilding->arena, record, facts, error);
    if (result >= 0)
        result = record_describe(state, rebuilding->arena, record, object, error);
    if (result >= 0)
        result = state_put_record(state, described_whole(&record_table, record), error);
    *arena_append(rebuilding->arena, rebuilding->out->restored.items, rebuilding->out->restored.count) =
        object->id;
    return result;
}

static struct lease *new_lease(struct rebuilding *rebuilding, const struct object *object)
{
    struct lease *lease = described_new(rebuilding->arena, &lease_table);
    lease->kind = kind_name(object->kind);
    lease->name = object->name;
    return lease;
}

static int put_lease(struct rebuilding *rebuilding, struct lease *lease, struct error *error)
{
    return state_put_lease(rebuilding->session->state, described_whole(&lease_table, lease), error);
}

/* ---- what lies in the stores ---- */

static int rebuild_image(struct rebuilding *rebuilding, const struct object *object, struct error *error)
{
    const struct observed_storage *storage = &rebuilding->session->world.storage;
    const struct observed_image *newest = NULL;
    for (size_t i = 0; i < storage->image_count; i++)
        if (storage->images[i].name && strcmp(storage->images[i].name, object->name) == 0 &&
            (!newest || storage->images[i].made > newest->made))
            newest = &storage->images[i];
    if (!newest)
        return 0;
    struct facts *facts = described_new(rebuilding->arena, &facts_table);
    facts->digest = newest->digest;
    facts->bytes = newest->bytes;
    return put(rebuilding, object, record_new(rebuilding->arena, object, NULL), facts, error);
}

static int rebuild_data(struct rebuilding *rebuilding, const struct object *object, struct error *error)
{
    const struct world *world = &rebuilding->session->world;
    const char *file = paths_file_name(rebuilding->arena, object->name);
    if (object->kind == KIND_VOLUME ? !world_has_volume(world, file) : !world_has_layer(world, file))
        return 0;
    return put(rebuilding, object, record_new(rebuilding->arena, object, NULL),
               described_new(rebuilding->arena, &facts_table), error);
}

/* What lies in a store and is nobody's: somebody may declare it again, and gc may free it. */
static int put_retained(struct rebuilding *rebuilding, enum kind kind, const struct observed_data *seen,
                        void *body, bool implicit, struct error *error)
{
    struct object *object = arena_new_of(rebuilding->arena, struct object);
    char *name = arena_strdup(rebuilding->arena, seen->file), *mark = strchr(name, '_');
    if (!mark)
        return 0;
    *mark = '/';
    *object = (struct object){.kind = kind, .name = name, .implicit = implicit, .body = body};
    if (!full_name_is_valid(name) || actual_find(&rebuilding->session->actual, kind, name) ||
        object_find(&rebuilding->session->set.objects, kind, name))
        return 0;
    char id[OBJECT_ID_SIZE];
    object->id = arena_strdup(rebuilding->arena, object_id(kind, name, id));
    struct record *record = record_new(rebuilding->arena, object, NULL);
    record->phase = "retained";
    record->since = seen->modified;
    return put(rebuilding, object, record, described_new(rebuilding->arena, &facts_table), error);
}

static int rebuild_retained(struct rebuilding *rebuilding, struct error *error)
{
    const struct observed_storage *storage = &rebuilding->session->world.storage;
    int result = 0;
    for (size_t i = 0; i < storage->volume_count && result >= 0; i++) {
        const struct observed_data *seen = &storage->volumes[i];
        struct volume *volume = described_new(rebuilding->arena, &volume_table);
        if (seen->type) {
            volume->type = seen->type;
            field_mark(&volume_table, volume, offsetof(struct volume, type));
        }
        if (seen->size) {
            volume->size = seen->size;
            field_mark(&volume_table, volume, offsetof(struct volume, size));
        }
        result = put_retained(rebuilding, KIND_VOLUME, seen, volume, false, error);
    }
    /* Most layers are a container's own; which image it was made on, nothing of it says. */
    for (size_t i = 0; i < storage->layer_count && result >= 0; i++)
        result = put_retained(rebuilding, KIND_LAYER, &storage->layers[i],
                              described_new(rebuilding->arena, &layer_table), true, error);
    return result;
}

/* ---- networks ---- */

/* "fpsync UID NAME" */
static const char *uid_in_mark(struct rebuilding *rebuilding, const char *mark)
{
    static const char prefix[] = "fpsync ";
    if (!mark || strncmp(mark, prefix, strlen(prefix)) != 0)
        return NULL;
    mark += strlen(prefix);
    return arena_strndup(rebuilding->arena, mark, strcspn(mark, " "));
}

static int rebuild_network(struct rebuilding *rebuilding, const struct object *object, struct error *error)
{
    if (network_is_attached(object->body)) /* there is nothing of it but the record */
        return is_recorded(rebuilding, object)
                   ? 0
                   : put(rebuilding, object, record_new(rebuilding->arena, object, NULL),
                         described_new(rebuilding->arena, &facts_table), error);
    char ifname[PATHS_IFNAME_SIZE];
    paths_bridge(&rebuilding->session->paths, object->name, ifname);
    map_add(&rebuilding->known, ifname, rebuilding);
    const struct observed_bridge *bridge = world_bridge(&rebuilding->session->world, ifname);
    const char *uid = bridge ? uid_in_mark(rebuilding, bridge->mark) : NULL;
    if (!uid || is_recorded(rebuilding, object))
        return 0;
    const struct network *body = object->body;
    struct lease *lease = new_lease(rebuilding, object);
    lease->subnet = bridge->address ? subnet_of(rebuilding->arena, bridge->address) : body->subnet;
    int result = lease->subnet ? put_lease(rebuilding, lease, error) : 0;
    return result < 0 ? result
                      : put(rebuilding, object, record_new(rebuilding->arena, object, uid),
                            described_new(rebuilding->arena, &facts_table), error);
}

/* ---- containers ---- */

static bool has_mac(const struct lease *lease, const char *mac)
{
    for (size_t i = 0; i < lease->addresses.count; i++)
        if (strcmp(((const struct lease_address *)lease->addresses.items[i])->mac, mac) == 0)
            return true;
    return false;
}

/* A macvlan has no end on the host to be known by: of each parent they are taken in order. */
static bool is_nic_of(const struct nic *nic, const char *port, const char *parent, const struct lease *lease)
{
    if (!nic->mac || nic->macvlan != (parent != NULL))
        return false;
    return parent ? text_is_same(nic->bridge, parent) && !has_mac(lease, nic->mac)
                  : text_is_same(nic->ifname, port);
}

static const struct nic *nic_in(const struct rebuilding *rebuilding,
                                const struct container_definition *definition, const char *container,
                                const char *network, const struct lease *lease)
{
    char port[PATHS_IFNAME_SIZE];
    const struct object *declared = object_find(&rebuilding->session->set.objects, KIND_NETWORK, network);
    const char *parent = declared ? ((const struct network *)declared->body)->parent : NULL;
    paths_port(&rebuilding->session->paths, container, network, port);
    for (size_t i = 0; i < definition->nics.count; i++)
        if (is_nic_of(definition->nics.items[i], port, parent, lease))
            return definition->nics.items[i];
    return NULL;
}

/* Networks that the container is in, of those that are declared; with each its lease. */
static struct list networks_of(struct rebuilding *rebuilding, const struct object *object,
                               const struct container_definition *definition, struct lease *lease)
{
    const struct container *declared = object->body;
    struct list networks = {0};
    for (size_t i = 0; i < declared->networks.count; i++) {
        struct attachment *attachment = declared->networks.items[i];
        const struct nic *nic = nic_in(rebuilding, definition, object->name, attachment->network, lease);
        if (!nic)
            continue;
        *arena_append(rebuilding->arena, networks.items, networks.count) = attachment;
        struct lease_address *address = described_new(rebuilding->arena, &lease_address_table);
        address->network = attachment->network;
        address->address =
            nic->address ? arena_strndup(rebuilding->arena, nic->address, strcspn(nic->address, "/")) : NULL;
        if (nic->address6)
            address->address6 = arena_strndup(rebuilding->arena, nic->address6, strcspn(nic->address6, "/"));
        address->mac = nic->mac;
        address->index = nic->index;
        *arena_append(rebuilding->arena, lease->addresses.items, lease->addresses.count) =
            described_whole(&lease_address_table, address);
    }
    return networks;
}

static struct object *as_defined(struct rebuilding *rebuilding, const struct object *object,
                                 const struct container_definition *definition, struct lease *lease)
{
    struct object *found = arena_copy(rebuilding->arena, object, sizeof(*object));
    struct container *body = described_copy(rebuilding->arena, &container_table, object->body);
    found->body = body;
    body->networks = networks_of(rebuilding, object, definition, lease);
    body->env = definition->env;
    body->command = definition->command;
    body->privileged = !definition->id_base;
    body->host_network = definition->host_network;
    lease->id_base = definition->id_base;
    /* What was nowhere said and is nothing stays unsaid: an empty list means something else. */
    if (body->env.count)
        field_mark(&container_table, body, offsetof(struct container, env));
    if (body->command.count)
        field_mark(&container_table, body, offsetof(struct container, command));
    field_mark(&container_table, body, offsetof(struct container, privileged));
    return found;
}

static int keep_digest(struct rebuilding *rebuilding, const struct container *body, const char *digest,
                       const char **kept, struct error *error)
{
    struct bytes key;
    *kept = digest;
    if (!digest || !keyed_is_needed(body))
        return 0;
    int result = state_key(rebuilding->session->state, true, rebuilding->arena, &key, error);
    if (result >= 0)
        *kept = keyed_digest(rebuilding->arena, &key, digest);
    return result;
}

static int rebuild_container(struct rebuilding *rebuilding, const struct object *object, struct error *error)
{
    struct session *session = rebuilding->session;
    const char *lxc_name = object_lxc_name(&session->paths, rebuilding->arena, object);
    map_add(&rebuilding->known, lxc_name, rebuilding);
    const struct observed_container *seen = world_container(&session->world, lxc_name);
    if (!seen || !seen->ours || is_recorded(rebuilding, object))
        return 0;
    const struct call call = {.arena = rebuilding->arena};
    struct container_definition *definition;
    int result = container_view.read_definition(&session->paths, lxc_name, &call, &definition, error);
    if (result < 0 || !definition)
        return result;
    struct lease *lease = new_lease(rebuilding, object);
    struct object *found = as_defined(rebuilding, object, definition, lease);
    struct record *record = record_new(rebuilding->arena, object, seen->uid);
    struct facts *facts = described_new(rebuilding->arena, &facts_table);
    record->generation = seen->generation;
    result = keep_digest(rebuilding, found->body, seen->config_digest, &facts->config_digest, error);
    if (result < 0)
        return result;
    facts->init_pid = seen->init_pid;
    facts->init_start = seen->init_start;
    if (!seen->running)
        result = container_view.read_stop(&session->paths, lxc_name, &call, &record->stopped_by, error);
    if (result < 0)
        return result;
    record->phase = record->stopped_by ? "stopped" : NULL;
    record->reason = record->stopped_by;
    result = put_lease(rebuilding, lease, error);
    return result < 0 ? result : put(rebuilding, found, record, facts, error);
}

/* ---- the whole ---- */

static int rebuild_object(struct rebuilding *rebuilding, const struct object *object, struct error *error)
{
    switch (object->kind) {
    case KIND_NETWORK:
        return rebuild_network(rebuilding, object, error);
    case KIND_CONTAINER:
        return rebuild_container(rebuilding, object, error);
    case KIND_IMAGE:
        return is_recorded(rebuilding, object) ? 0 : rebuild_image(rebuilding, object, error);
    default:
        return is_recorded(rebuilding, object) ? 0 : rebuild_data(rebuilding, object, error);
    }
}

static void note_left(struct rebuilding *rebuilding, const char *name)
{
    if (!map_get(&rebuilding->known, name))
        *arena_append(rebuilding->arena, rebuilding->out->left.items, rebuilding->out->left.count) = name;
}

static void find_left(struct rebuilding *rebuilding)
{
    const struct session *session = rebuilding->session;
    char ifname[PATHS_IFNAME_SIZE];
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_CONTAINER)
            map_add(&rebuilding->known, object_lxc_name(&session->paths, rebuilding->arena, &entry->object),
                    rebuilding);
        if (entry->kind != KIND_NETWORK)
            continue;
        paths_bridge(&session->paths, entry->name, ifname);
        map_add(&rebuilding->known, ifname, rebuilding);
    }
    for (size_t i = 0; i < session->world.containers.count; i++)
        if (session->world.containers.items[i].ours)
            note_left(rebuilding, session->world.containers.items[i].lxc_name);
    for (size_t i = 0; i < session->world.network.bridge_count; i++)
        if (uid_in_mark(rebuilding, session->world.network.bridges[i].mark))
            note_left(rebuilding, session->world.network.bridges[i].ifname);
}

/* So that the next run knows which sources there are; it becomes their first generation. */
static int put_sources(struct rebuilding *rebuilding, struct error *error)
{
    const struct session *session = rebuilding->session;
    int result = 0;
    for (size_t i = 0; i < session->set.source_count && result >= 0; i++) {
        struct source *source = described_new(rebuilding->arena, &source_table);
        source->name = session->set.sources[i].name;
        source->path = session->set.sources[i].argument;
        bool known = false;
        for (size_t j = 0; j < session->snapshot.source_count; j++)
            known = known || strcmp(session->snapshot.sources[j]->name, source->name) == 0;
        if (!known)
            result = state_put_source(session->state, described_whole(&source_table, source), error);
    }
    return result;
}

int rebuild_record(struct session *session, struct rebuilt *rebuilt, struct error *error)
{
    *rebuilt = (struct rebuilt){0};
    struct rebuilding rebuilding = {
        .session = session, .arena = session->arena, .out = rebuilt, .now = (int64_t)time(NULL)};
    int result = state_begin(session->state, error);
    for (size_t i = 0; i < session->set.objects.count && result >= 0; i++)
        result = rebuild_object(&rebuilding, session->set.objects.items[i], error);
    if (result >= 0)
        find_left(&rebuilding);
    /* Who is left over may stand on any of it. */
    if (result >= 0 && !rebuilt->left.count)
        result = rebuild_retained(&rebuilding, error);
    if (result >= 0 && rebuilt->restored.count)
        result = put_sources(&rebuilding, error);
    if (result >= 0 && rebuilt->restored.count)
        result = state_commit(session->state, error);
    state_abort(session->state);
    map_clear(&rebuilding.known);
    return result;
}
