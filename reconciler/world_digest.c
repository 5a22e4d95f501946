/* Every member of every struct that a view fills is in the digest, also what today's planner does not ask for: what
 * it asks for tomorrow must not be forgotten here (tests/lint counts them). Left out, by name, is only what a view tells
 * to those who delete or print:
 *
 *   observed_data.modified          when a guest last wrote to the top of its root: for gc
 *   observed_image.used             when a root was last mounted on it: for image gc
 *   observed_image.squashfs         how it is kept: for image inspect
 *   observed_image.stored           what it takes: for image gc
 *   observed_image.mounted          for image inspect
 *   observed_listener.inode         by which a listener's process is found: for the message
 *   observed_listener.process       the same
 *   observed_network.own_addresses  for warnings beside actions
 *   observed_device.key, target     of whom the question is: settled.c asks it by path and source */
#include "reconciler/world_digest.h"

#include <string.h>

static void fold_number(struct digest *digest, int64_t number)
{
    digest_add(digest, &number, sizeof(number));
}

/* With its length, so that no byte can pass for one of the next text; NULL is none of any length. */
static void fold_text(struct digest *digest, const char *text)
{
    const size_t length = text ? strlen(text) : 0;
    fold_number(digest, text ? (int64_t)length : -1);
    digest_add(digest, text, length);
}

static void fold_texts(struct digest *digest, const struct texts *texts)
{
    fold_number(digest, (int64_t)texts->count);
    for (size_t i = 0; i < texts->count; i++)
        fold_text(digest, texts->items[i]);
}

static void fold_described(struct digest *digest, const struct table *table, const void *object)
{
    fold_number(digest, object ? (int64_t)((const struct described *)object)->present : -1);
    for (const struct field *row = table->rows; object && row < table->rows + table->count; row++) {
        const void *at = field_at(object, row);
        switch (row->type) {
        case FIELD_TEXT:
            fold_text(digest, *(const char *const *)at);
            break;
        case FIELD_BOOL:
            fold_number(digest, *(const bool *)at);
            break;
        case FIELD_NUMBER:
            fold_number(digest, *(const int64_t *)at);
            break;
        case FIELD_TEXTS:
            fold_texts(digest, at);
            break;
        case FIELD_PAIRS: {
            const struct pairs *pairs = at;
            fold_number(digest, (int64_t)pairs->count);
            for (size_t i = 0; i < pairs->count; i++) {
                fold_text(digest, pairs->items[i].key);
                fold_text(digest, pairs->items[i].value);
            }
            break;
        }
        case FIELD_LIST: {
            const struct list *list = at;
            fold_number(digest, (int64_t)list->count);
            for (size_t i = 0; i < list->count; i++)
                fold_described(digest, row->nested, list->items[i]);
            break;
        }
        case FIELD_STRUCT:
            fold_described(digest, row->nested, *(void *const *)at);
            break;
        case FIELD_BYTES:
            fold_number(digest, (int64_t)((const struct bytes *)at)->size);
            digest_add(digest, ((const struct bytes *)at)->data, ((const struct bytes *)at)->size);
            break;
        }
    }
}

/* ---- containers ---- */

static void fold_container(struct digest *digest, const struct observed_container *seen)
{
    fold_text(digest, seen->lxc_name);
    fold_number(digest, seen->defined);
    fold_number(digest, seen->ours);
    fold_text(digest, seen->uid);
    fold_number(digest, seen->generation);
    fold_text(digest, seen->config_digest);
    fold_number(digest, seen->running);
    fold_number(digest, seen->monitor_pid);
    fold_number(digest, seen->init_pid);
    fold_number(digest, seen->init_start);
    fold_number(digest, seen->exited);
    fold_number(digest, seen->exit_status);
    fold_described(digest, &limits_table, &seen->limits);
    fold_number(digest, seen->frozen);
    fold_number(digest, seen->leftover_cgroups);
}

static void fold_nic(struct digest *digest, const struct observed_guest_nic *seen)
{
    fold_text(digest, seen->ifname);
    fold_number(digest, seen->index);
    fold_text(digest, seen->peer);
    fold_text(digest, seen->mac);
    fold_number(digest, seen->parent);
    fold_number(digest, seen->up);
    fold_number(digest, seen->forwards);
    fold_texts(digest, &seen->addresses);
    fold_texts(digest, &seen->addresses6);
    fold_text(digest, seen->lasting6);
    fold_text(digest, seen->gateway);
    fold_text(digest, seen->gateway6);
    fold_number(digest, seen->metric);
}

static void fold_guest(struct digest *digest, const struct world_guest *guest)
{
    const struct observed_guest *seen = guest->nics;
    fold_number(digest, seen ? (int64_t)seen->count : -1);
    if (seen) {
        fold_number(digest, seen->init_pid);
        fold_number(digest, seen->ended);
    }
    for (size_t i = 0; seen && i < seen->count; i++)
        fold_nic(digest, &seen->nics[i]);
    const struct observed_guest_mounts *mounts = &guest->mounts;
    fold_number(digest, (int64_t)mounts->count);
    for (size_t i = 0; i < mounts->count; i++) {
        fold_text(digest, mounts->items[i].path);
        fold_text(digest, mounts->items[i].volume);
        fold_number(digest, mounts->items[i].read_only);
        fold_number(digest, mounts->items[i].stuck);
    }
    fold_texts(digest, &mounts->unknown);
}

/* ---- storage ---- */

static void fold_data(struct digest *digest, const struct observed_data *items, size_t count)
{
    fold_number(digest, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        fold_text(digest, items[i].file);
        fold_text(digest, items[i].type);
        fold_number(digest, items[i].size);
        fold_number(digest, (int64_t)items[i].device);
        fold_number(digest, (int64_t)items[i].inode);
    }
}

static void fold_storage(struct digest *digest, const struct observed_storage *seen)
{
    fold_number(digest, seen->on_btrfs);
    fold_number(digest, seen->has_quotas);
    fold_number(digest, (int64_t)seen->image_count);
    for (size_t i = 0; i < seen->image_count; i++) {
        fold_text(digest, seen->images[i].digest);
        fold_number(digest, seen->images[i].bytes);
        fold_text(digest, seen->images[i].name);
        fold_number(digest, seen->images[i].made);
        fold_text(digest, seen->images[i].lower);
    }
    fold_data(digest, seen->layers, seen->layer_count);
    fold_data(digest, seen->volumes, seen->volume_count);
    fold_number(digest, (int64_t)seen->root_count);
    for (size_t i = 0; i < seen->root_count; i++) {
        fold_text(digest, seen->roots[i].lxc_name);
        fold_number(digest, seen->roots[i].open);
    }
}

/* ---- network ---- */

static void fold_bridge(struct digest *digest, const struct observed_bridge *seen)
{
    fold_text(digest, seen->ifname);
    fold_text(digest, seen->mark);
    fold_number(digest, seen->is_bridge);
    fold_number(digest, seen->up);
    fold_text(digest, seen->address);
    fold_text(digest, seen->address6);
    fold_text(digest, seen->mac);
    fold_number(digest, seen->forwards6);
    fold_number(digest, seen->forwards);
    fold_number(digest, seen->routes_local);
}

static void fold_port(struct digest *digest, const struct observed_port *seen)
{
    fold_text(digest, seen->ifname);
    fold_text(digest, seen->mark);
    fold_text(digest, seen->master);
    fold_number(digest, seen->up);
    fold_number(digest, seen->hairpin);
    fold_number(digest, seen->peer);
    fold_number(digest, seen->peer_netnsid);
}

static void fold_links(struct digest *digest, const struct observed_network *seen)
{
    fold_number(digest, (int64_t)seen->bridge_count);
    for (size_t i = 0; i < seen->bridge_count; i++)
        fold_bridge(digest, &seen->bridges[i]);
    fold_number(digest, (int64_t)seen->foreign_count);
    for (size_t i = 0; i < seen->foreign_count; i++) {
        fold_text(digest, seen->foreign[i].ifname);
        fold_number(digest, seen->foreign[i].is_bridge);
        fold_number(digest, seen->foreign[i].index);
    }
    fold_number(digest, (int64_t)seen->port_count);
    for (size_t i = 0; i < seen->port_count; i++)
        fold_port(digest, &seen->ports[i]);
    fold_number(digest, (int64_t)seen->resolver_count);
    for (size_t i = 0; i < seen->resolver_count; i++) {
        fold_text(digest, seen->resolvers[i].bridge);
        fold_number(digest, seen->resolvers[i].pid);
        fold_text(digest, seen->resolvers[i].dhcp);
        fold_text(digest, seen->resolvers[i].hosts);
        fold_texts(digest, &seen->resolvers[i].unions);
    }
}

static bool is_asked_about(const unsigned char *ports, int64_t port)
{
    return port < 0 || port > 65535 || (ports[port / 8] >> port % 8 & 1);
}

/* Sockets come and go all the time. */
static void fold_listeners(struct digest *digest, const struct observed_network *seen,
                           const unsigned char *ports)
{
    for (size_t i = 0; i < seen->listener_count; i++) {
        if (!is_asked_about(ports, seen->listeners[i].port))
            continue;
        fold_text(digest, seen->listeners[i].protocol);
        fold_text(digest, seen->listeners[i].address);
        fold_number(digest, seen->listeners[i].takes4);
        fold_number(digest, seen->listeners[i].takes6);
        fold_number(digest, seen->listeners[i].port);
    }
    fold_number(digest, -1);
}

static void fold_routes(struct digest *digest, const struct observed_route *routes, size_t count)
{
    fold_number(digest, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        fold_text(digest, routes[i].subnet);
        fold_text(digest, routes[i].ifname);
    }
}

static void fold_network(struct digest *digest, const struct observed_network *seen,
                         const unsigned char *ports)
{
    fold_links(digest, seen);
    fold_number(digest, seen->rules_present);
    fold_number(digest, seen->flows_left);
    fold_described(digest, &rules_table, seen->rules);
    fold_number(digest, seen->forwards);
    fold_listeners(digest, seen, ports);
    fold_routes(digest, seen->routes, seen->route_count);
    fold_routes(digest, seen->routes6, seen->route6_count);
}

/* ---- loans ---- */

static void fold_bind(struct digest *digest, const struct observed_bind *seen)
{
    fold_text(digest, seen->path);
    fold_text(digest, seen->source);
    fold_number(digest, seen->read_only);
    fold_text(digest, seen->trouble);
    fold_number(digest, seen->missing);
    fold_number(digest, seen->mounted);
    fold_number(digest, seen->is_source);
    fold_number(digest, seen->as_asked);
    fold_number(digest, seen->unknown);
}

static void fold_device(struct digest *digest, const struct observed_device *seen)
{
    fold_text(digest, seen->path);
    fold_text(digest, seen->source);
    fold_number(digest, seen->mode);
    fold_text(digest, seen->trouble);
    fold_number(digest, seen->is_block);
    fold_number(digest, seen->major);
    fold_number(digest, seen->minor);
    fold_number(digest, seen->lent);
    fold_number(digest, seen->as_asked);
    fold_number(digest, seen->unknown);
}

static void fold_loans(struct digest *digest, const struct world_loans *loans)
{
    fold_text(digest, loans->container);
    fold_text(digest, loans->lxc_name);
    fold_number(digest, (int64_t)loans->bind_count);
    for (size_t i = 0; i < loans->bind_count; i++)
        fold_bind(digest, &loans->binds[i]);
    fold_number(digest, (int64_t)loans->device_count);
    for (size_t i = 0; i < loans->device_count; i++)
        fold_device(digest, &loans->devices[i]);
}

void world_ports_add(unsigned char ports[static WORLD_PORTS_SIZE], int64_t first, int64_t count)
{
    for (int64_t port = first < 0 ? 0 : first; port < first + count && port <= 65535; port++)
        ports[port / 8] |= (unsigned char)(1 << port % 8);
}

void world_digest(const struct world *world, const unsigned char ports[static WORLD_PORTS_SIZE],
                  char text[static DIGEST_TEXT_SIZE])
{
    _cleanup_digest_ struct digest *digest = digest_new();
    fold_number(digest, (int64_t)world->containers.count);
    for (size_t i = 0; i < world->containers.count; i++) {
        fold_container(digest, &world->containers.items[i]);
        fold_guest(digest, &world->guests[i]);
    }
    fold_storage(digest, &world->storage);
    fold_network(digest, &world->network, ports);
    fold_number(digest, (int64_t)world->claim_count);
    for (size_t i = 0; i < world->claim_count; i++) {
        fold_text(digest, world->claims[i].listen);
        fold_text(digest, world->claims[i].rule);
    }
    fold_number(digest, (int64_t)world->loan_count);
    for (size_t i = 0; i < world->loan_count; i++)
        fold_loans(digest, &world->loans[i]);
    digest_finish(digest, text);
}
