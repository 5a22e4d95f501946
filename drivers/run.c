/* One step: from its number to the effect. Reaches the families through `struct effects` only, so that tests run
 * the same code on fakes. */
#include <errno.h>

#include "drivers/steps.h"
#include "drivers/task.h"
#include "lib/error.h"

static int run_data(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                    const void *request, const struct call *call, void *result, struct error *error);
static int run_network(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                       const void *request, const struct call *call, struct error *error);
static int run_container(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                         const void *request, const struct call *call, void *result, struct error *error);
static bool is_build(enum step_kind kind);
static int run_build(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                     const void *request, const struct call *call, void *result, struct error *error);

int step_run(const struct effects *effects, const struct paths *paths, enum step_kind kind,
             const void *request, const struct call *call, void **result, struct error *error)
{
    const struct step_type *type = step_type(kind);
    if (!type)
        return error_set(error, -ENOSYS, "step %d is not known to this worker", (int)kind);
    int ended = call_check(call);
    if (ended < 0)
        return error_errno(error, ended, "%s", type->name);
    void *made = type->result ? described_new(call->arena, type->result) : NULL;
    if (is_build(kind))
        ended = run_build(effects, paths, kind, request, call, made, error);
    else if (kind < STEP_BRIDGE_CREATE || (kind >= STEP_ROOT_WRITE && kind <= STEP_BIND_DETACH) ||
             (kind >= STEP_LAYER_CHANGE && kind <= STEP_LAYER_GROW) || kind == STEP_LAYER_RENAME ||
             kind == STEP_VOLUME_RENAME || kind == STEP_ROOT_CHECK || kind == STEP_IMAGE_EXPORT ||
             kind == STEP_IMAGE_PUBLISH || kind == STEP_IMAGE_LIST || kind == STEP_IMAGE_LOOK)
        ended = run_data(effects, paths, kind, request, call, made, error);
    else if (kind < STEP_CONTAINER_DEFINE || kind == STEP_GUEST_FORWARDING || kind == STEP_MACVLAN_DELETE ||
             kind == STEP_LINK_UNMARK)
        ended = run_network(effects, paths, kind, request, call, error);
    else
        ended = run_container(effects, paths, kind, request, call, made, error);
    if (ended < 0)
        return ended;
    if (made)
        task_mark(type->result, made);
    *result = made;
    return 0;
}

static int run_data(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                    const void *request, const struct call *call, void *result, struct error *error)
{
    const struct storage_effects *storage = effects->storage;
    switch (kind) {
    case STEP_IMAGE_MAKE:
        return effects->image->make(paths, request, call, result, error);
    case STEP_IMAGE_LOOK:
        return effects->image->look(paths, request, call, result, error);
    case STEP_IMAGE_EXPORT:
        return effects->image->export(paths, request, call, result, error);
    case STEP_IMAGE_PUBLISH:
        return effects->image->publish(paths, request, call, result, error);
    case STEP_IMAGE_LIST:
        return effects->image->list(paths, request, call, result, error);
    case STEP_IMAGE_REMOVE:
        return effects->image->remove(paths, request, call, error);
    case STEP_LAYER_CREATE:
        return storage->create_layer(paths, request, call, error);
    case STEP_LAYER_DELETE:
        return storage->delete_layer(paths, request, call, error);
    case STEP_VOLUME_CREATE:
        return storage->create_volume(paths, request, call, error);
    case STEP_VOLUME_DELETE:
        return storage->delete_volume(paths, request, call, error);
    case STEP_LAYER_RENAME:
        return storage->rename_layer(paths, request, call, error);
    case STEP_VOLUME_RENAME:
        return storage->rename_volume(paths, request, call, error);
    case STEP_ROOT_CHECK:
        return storage->check_root(paths, request, call, error);
    case STEP_ROOT_MOUNT:
        return storage->mount_root(paths, request, call, error);
    case STEP_ROOT_UNMOUNT:
        return storage->unmount_root(paths, request, call, error);
    case STEP_ROOT_WRITE:
        return storage->write_root(paths, request, call, error);
    case STEP_LAYER_CHANGE:
        return storage->change_layer(paths, request, call, result, error);
    case STEP_VOLUME_CHANGE:
        return storage->change_volume(paths, request, call, result, error);
    case STEP_LAYER_GROW:
        return storage->grow_layer(paths, request, call, error);
    case STEP_LAYER_DROP:
        return storage->drop_layer_snapshot(paths, request, call, error);
    case STEP_VOLUME_DROP:
        return storage->drop_volume_snapshot(paths, request, call, error);
    case STEP_BACKUP_WRITE:
        return storage->write_backup(paths, request, call, error);
    case STEP_BACKUP_READ:
        return storage->read_backup(paths, request, call, error);
    case STEP_LAYER_CHECK:
        return storage->check_layer(paths, request, call, error);
    case STEP_VOLUME_ATTACH:
        return storage->attach_volume(paths, request, call, error);
    case STEP_VOLUME_DETACH:
        return storage->detach_volume(paths, request, call, error);
    case STEP_BIND_ATTACH:
        return storage->attach_bind(paths, request, call, error);
    case STEP_BIND_DETACH:
        return storage->detach_bind(paths, request, call, error);
    default:
        return error_set(error, -ENOSYS, "step %d is no effect on data", (int)kind);
    }
}

static int run_network(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                       const void *request, const struct call *call, struct error *error)
{
    const struct network_effects *network = effects->network;
    switch (kind) {
    case STEP_BRIDGE_CREATE:
        return network->create_bridge(paths, request, call, error);
    case STEP_BRIDGE_DELETE:
        return network->delete_bridge(paths, request, call, error);
    case STEP_RULES_SET:
        return network->set_rules(paths, request, call, error);
    case STEP_RULES_DELETE:
        return network->delete_rules(paths, call, error);
    case STEP_RESOLVER_SET:
        return network->set_resolver(paths, request, call, error);
    case STEP_RESOLVER_DELETE:
        return network->delete_resolver(paths, request, call, error);
    case STEP_PORT_MARK:
        return network->mark_port(paths, request, call, error);
    case STEP_PORT_ATTACH:
        return network->attach_port(paths, request, call, error);
    case STEP_MACVLAN_DELETE:
        return network->delete_macvlan(paths, request, call, error);
    case STEP_GUEST_FORWARDING:
        return network->set_forwarding(paths, request, call, error);
    case STEP_LINK_UNMARK:
        return network->unmark_link(paths, request, call, error);
    case STEP_PORT_DELETE:
        return network->delete_port(paths, request, call, error);
    default:
        return error_set(error, -ENOSYS, "step %d is no effect on the network", (int)kind);
    }
}

static int run_container(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                         const void *request, const struct call *call, void *result, struct error *error)
{
    const struct container_effects *container = effects->container;
    switch (kind) {
    case STEP_CONTAINER_DEFINE:
        return container->define(paths, request, call, result, error);
    case STEP_CONTAINER_START:
        return container->start(paths, request, call, result, error);
    case STEP_CONTAINER_STOP:
        return container->stop(paths, request, call, error);
    case STEP_CONTAINER_AWAIT:
        return container->await(paths, request, call, error);
    case STEP_CONTAINER_PROBE:
        return container->probe(paths, request, call, error);
    case STEP_CONTAINER_SET_LIMITS:
        return container->set_limits(paths, request, call, result, error);
    case STEP_CONTAINER_FREEZE:
        return container->freeze(paths, request, call, error);
    case STEP_DEVICE_ATTACH:
        return container->attach_device(paths, request, call, error);
    case STEP_DEVICE_DETACH:
        return container->detach_device(paths, request, call, error);
    case STEP_CONTAINER_DESTROY:
        return container->destroy(paths, request, call, error);
    case STEP_CONTAINER_ADOPT:
        return container->adopt(paths, request, call, result, error);
    case STEP_CONTAINER_RELEASE:
        return container->release(paths, request, call, error);
    default:
        return error_set(error, -ENOSYS, "step %d is no effect on containers", (int)kind);
    }
}

static bool is_build(enum step_kind kind)
{
    return (kind >= STEP_BUILD_COPY && kind <= STEP_BUILD_DROP) || kind == STEP_BUILD_FOLDER ||
           kind == STEP_BUILD_FETCH || kind == STEP_BUILD_ADDRESS || kind == STEP_BUILD_SERVE ||
           kind == STEP_BUILD_SHELL;
}

static int run_build(const struct effects *effects, const struct paths *paths, enum step_kind kind,
                     const void *request, const struct call *call, void *result, struct error *error)
{
    const struct build_effects *build = effects->build;
    switch (kind) {
    case STEP_BUILD_COPY:
        return build->copy(paths, request, call, error);
    case STEP_BUILD_FOLDER:
        return build->folder(paths, request, call, error);
    case STEP_BUILD_RUN:
        return build->run(paths, request, call, error);
    case STEP_BUILD_SHELL:
        return build->shell(paths, request, call, result, error);
    case STEP_BUILD_COMMIT:
        return build->commit(paths, request, call, result, error);
    case STEP_BUILD_FETCH:
        return build->fetch(paths, request, call, result, error);
    case STEP_BUILD_DROP:
        return build->drop(paths, request, call, error);
    case STEP_BUILD_ADDRESS:
        return build->address(paths, request, call, result, error);
    case STEP_BUILD_SERVE:
        return build->serve(paths, request, call, error);
    default:
        return error_set(error, -ENOSYS, "step %d is no effect of a build", (int)kind);
    }
}
