/* The steps of containers: their roots, definitions, starts, repairs and ends. */
#include <string.h>

#include "lib/map.h"
#include "reconciler/compile_before.h"
#include "reconciler/compile_internal.h"
#include "reconciler/ended.h"
#include "reconciler/repairs.h"

void compile_stop(const struct container_steps *to)
{
    const struct object *known = to->action->entry ? &to->action->entry->object : to->action->object;
    const struct container *body = known->body;
    struct container_stop *stop = described_new(to->arena, &container_stop_table);
    stop->lxc_name = to->lxc_name;
    stop->timeout = to->compiling->stop_timeout >= 0 ? to->compiling->stop_timeout : body->stop_timeout;
    stop->halt_signal = body->stop_signal;
    stop->by = to->action->verb == VERB_STOP ? to->compiling->stopped_by : NULL;
    steps_add(to->arena, to->steps, STEP_CONTAINER_STOP, described_whole(&container_stop_table, stop));
}

static bool is_adopted(const struct container_steps *to)
{
    const struct object *object = to->action->object ? to->action->object : &to->action->entry->object;
    return container_is_adopted(object->body);
}

/* The root of an adopted container is its own, and LXC mounts what there is to mount. */
void compile_unmount(const struct container_steps *to)
{
    if (is_adopted(to))
        return;
    struct root_reference *root = described_new(to->arena, &root_reference_table);
    root->lxc_name = to->lxc_name;
    steps_add(to->arena, to->steps, STEP_ROOT_UNMOUNT, described_whole(&root_reference_table, root));
}

static void add_reference(const struct container_steps *to, enum step_kind kind)
{
    struct container_reference *reference = described_new(to->arena, &container_reference_table);
    reference->lxc_name = to->lxc_name;
    steps_add(to->arena, to->steps, kind, described_whole(&container_reference_table, reference));
}

static void add_definition(const struct container_steps *to)
{
    steps_add(to->arena, to->steps, STEP_CONTAINER_DEFINE,
              target_definition(to->compiling->target, to->action->object, to->action->uid,
                                to->action->generation));
}

/* Of one that rests: what its command ended with is known in its new place, too (SEMANTICS 21, 42). `seen`: in its old
 * one. */
static void add_definition_with_exit(const struct container_steps *to, const struct observed_container *seen)
{
    struct container_definition *definition =
        target_definition(to->compiling->target, to->action->object, to->action->uid, to->action->generation);
    int64_t status;
    if (container_ended(to->action->entry, seen, &status))
        definition->exit = arena_printf(to->arena, "%d", (int)status);
    steps_add(to->arena, to->steps, STEP_CONTAINER_DEFINE, definition);
}

static struct data_change *new_change(const struct container_steps *to, const char *token)
{
    struct data_change *change = described_new(to->arena, &data_change_table);
    change->file = target_layer_file(to->compiling->target, to->action->object);
    change->token = token;
    change->image = to->action->follow.from ? to->action->follow.from : to->compiling->digest;
    return described_whole(&data_change_table, change);
}

/* The layer goes onto another image: frozen, so that the upper on it is a new one. */
static void add_follow(const struct container_steps *to)
{
    const struct follow *follow = &to->action->follow;
    if (!follow_moves(follow) || text_is_same(follow->from, to->compiling->digest))
        return;
    struct data_change *change =
        new_change(to, arena_printf(to->arena, "on-%s", digest_brief(to->arena, to->compiling->digest)));
    change->fresh = follow->how == FOLLOW_RESET;
    change->whole = root_is_copy(to->action->object->body);
    if (change->fresh)
        change->name = arena_printf(to->arena, "image-%s", digest_brief(to->arena, follow->from));
    steps_add(to->arena, to->steps, STEP_LAYER_CHANGE, change);
}

/* A layer gives way to a copy, or the other way round: what was there is kept. */
static const char *add_other_root(const struct container_steps *to)
{
    const struct container *body = to->action->object->body;
    struct data_change *change = new_change(to, NULL);
    change->name = root_kept_as(to->arena, body, to->action->generation);
    change->token = change->name;
    change->whole = !root_is_copy(body);
    change->fresh = true;
    steps_add(to->arena, to->steps, STEP_LAYER_CHANGE, change);
    return change->whole ? NULL : change->name;
}

static void add_wish(const struct container_steps *to)
{
    const struct facts *facts = to->action->entry->facts;
    struct data_change *change = compile_wished_change(
        to->arena, to->action, target_layer_file(to->compiling->target, to->action->object));
    change->image = facts->digest ? facts->digest : to->compiling->digest;
    change->whole = root_is_copy(to->action->object->body);
    steps_add(to->arena, to->steps, STEP_LAYER_CHANGE, change);
}

static void add_freeze(const struct container_steps *to)
{
    struct container_freeze *freeze = described_new(to->arena, &container_freeze_table);
    freeze->lxc_name = to->lxc_name;
    freeze->frozen = true;
    steps_add(to->arena, to->steps, STEP_CONTAINER_FREEZE, described_whole(&container_freeze_table, freeze));
}

/* A layer goes on under another name while nothing is mounted on it. */
static void add_layer_rename(const struct container_steps *to)
{
    const struct container *body = to->action->object->body;
    if (body->layer)
        compile_data_rename(to->compiling, KIND_LAYER, body->layer, to->steps);
}

/* Whoever comes first fills it with the same. */
static struct texts fills_for(const struct container_steps *to, const char *path)
{
    const struct object *object = to->action->object;
    const struct mount *mount =
        list_find(&((const struct container *)object->body)->volumes, &mount_table, path);
    const struct fill_digests digests = {.of = to->compiling->digest_of,
                                         .context = to->compiling->context,
                                         .container = object,
                                         .own = to->compiling->digest};
    return mount ? fills_list(to->compiling->target, to->compiling->fills, mount->volume, &digests)
                 : (struct texts){0};
}

static void add_root(const struct container_steps *to)
{
    const struct container *body = to->action->object->body;
    const struct entry *entry = to->action->entry;
    bool other = entry && root_is_copy(entry->object.body) != root_is_copy(body);
    add_layer_rename(to);
    const char *from = other ? add_other_root(to) : NULL;
    if (!other) /* where a copy was, no upper is */
        add_follow(to);
    struct root_mount *root = target_root(to->compiling->target, to->action->object, to->compiling->digest);
    root->from = from;
    for (size_t i = 0; i < root->volumes.count; i++) {
        struct root_volume *volume = root->volumes.items[i];
        volume->fills = fills_for(to, volume->path);
    }
    steps_add(to->arena, to->steps, STEP_ROOT_MOUNT, root);
}

static bool is_address_of(const char *address, const char *with_prefix)
{
    const size_t length = strcspn(with_prefix, "/");
    return address && strlen(address) == length && strncmp(address, with_prefix, length) == 0;
}

/* Whether some other name had the port's address when this run began. */
static bool was_anothers(const struct container_steps *to, const struct port_attach *port)
{
    const struct snapshot *snapshot = to->compiling->recorded;
    const struct lease *known =
        snapshot ? lease_recorded(snapshot, KIND_CONTAINER, to->action->object->name) : NULL;
    if (!snapshot || !port->address)
        return false;
    for (size_t i = 0; known && i < known->addresses.count; i++)
        if (is_address_of(((struct lease_address *)known->addresses.items[i])->address, port->address))
            return false;
    for (size_t i = 0; i < snapshot->lease_count; i++)
        for (size_t j = 0; j < snapshot->leases[i]->addresses.count; j++) {
            const struct lease_address *before = snapshot->leases[i]->addresses.items[j];
            if (is_address_of(before->address, port->address) && !text_is_same(before->mac, port->mac))
                return true;
        }
    return false;
}

static void add_start(const struct container_steps *to)
{
    const struct container *body = to->action->object->body;
    if (!is_adopted(to))
        add_root(to);
    if (to->action->config_changed && !to->is_defined)
        add_definition(to);
    steps_add(to->arena, to->steps, STEP_CONTAINER_START,
              target_start(to->compiling->target, to->action->object));
    for (size_t i = 0; i < body->networks.count; i++) {
        const char *network = ((struct attachment *)body->networks.items[i])->network;
        const struct port_attach *port =
            target_port(to->compiling->target, to->action->object, network, to->action->uid);
        if (port->macvlan)
            continue;
        struct port_mark *mark = described_new(to->arena, &port_mark_table);
        mark->ifname = port->ifname;
        mark->mark = port->mark;
        mark->foreign = port->foreign;
        if (was_anothers(to, port)) {
            mark->mac = port->mac;
            mark->address = port->address;
        }
        steps_add(to->arena, to->steps, STEP_PORT_MARK, described_whole(&port_mark_table, mark));
    }
    if (body->frozen)
        add_freeze(to);
}

/* Whether the running guest may have to ask another resolver. A network's subnet changes without a word in the container's
 * own fields; its NIC then gets a new address. */
static bool names_may_change(const struct action *action, const struct repairs *repairs)
{
    for (size_t i = 0; i < repairs->count; i++)
        if (repairs->items[i].step == STEP_PORT_ATTACH)
            return true;
    return action->unfinished || plan_field_changed(&action->causes, "networks") ||
           plan_field_changed(&action->causes, PLAN_DEFAULT_ROUTE);
}

static bool sets_limits(const struct repairs *repairs)
{
    for (size_t i = 0; i < repairs->count; i++)
        if (repairs->items[i].step == STEP_CONTAINER_SET_LIMITS)
            return true;
    return false;
}

static void add_repairs(const struct container_steps *to, const struct observed_container *seen)
{
    struct repairs repairs = {0};
    if (seen && seen->running)
        repairs_of_container(to->compiling->target, to->compiling->world, to->action->object, seen,
                             to->action->uid, &repairs);
    if (seen && seen->running && to->action->entry)
        repairs_empty_nics(to->compiling->target, to->action->entry->object.body, to->action->object, seen,
                           to->action->uid, &repairs);
    if (seen && seen->running && plan_field_changed(&to->action->causes, "router") &&
        !((const struct container *)to->action->object->body)->router)
        repairs_end_forwarding(to->compiling->target, to->action->object, seen, &repairs);
    for (size_t i = 0; i < repairs.count; i++) {
        if (repairs.items[i].step == STEP_VOLUME_ATTACH) {
            struct volume_attach *attach = repairs.items[i].request;
            attach->digest = to->compiling->digest;
            attach->fills = fills_for(to, attach->path);
        }
        if (repairs.items[i].step == STEP_PORT_ATTACH) {
            struct port_attach *port = repairs.items[i].request;
            port->announced = was_anothers(to, port);
        }
        steps_add(to->arena, to->steps, repairs.items[i].step, repairs.items[i].request);
    }
    /* A root that somebody unmounted on the host cannot be written to; its next start does. */
    const bool reachable = seen && seen->running && world_root(to->compiling->world, to->lxc_name);
    struct root_write *resolv_conf = reachable && names_may_change(to->action, &repairs)
                                         ? target_resolv_conf(to->compiling->target, to->action->object)
                                         : NULL;
    if (resolv_conf)
        steps_add(to->arena, to->steps, STEP_ROOT_WRITE, resolv_conf);
    /* Last: set_limits writes the config too, and the digest that counts is the final one. What LXC had before keeps the
     * words of its owner as long as they say what they should. */
    if (to->action->config_changed && !container_is_up(seen) && !(seen && seen->defined))
        add_definition_with_exit(to, seen);
    else if (to->action->config_changed || (is_adopted(to) ? sets_limits(&repairs) : repairs.count > 0))
        add_definition(to);
}

/* The NICs of a running one become ports of ours, as they are; those of the next start are called so. */
static void add_adoption(const struct container_steps *to, const struct observed_container *seen)
{
    struct container_adopt *adopt = described_new(to->arena, &container_adopt_table);
    const struct container_definition *definition =
        target_definition(to->compiling->target, to->action->object, to->action->uid, to->action->generation);
    adopt->lxc_name = to->lxc_name;
    adopt->uid = to->action->uid;
    adopt->generation = to->action->generation;
    adopt->nics = definition->nics;
    steps_add(to->arena, to->steps, STEP_CONTAINER_ADOPT, described_whole(&container_adopt_table, adopt));
    const struct list *networks = &((const struct container *)to->action->object->body)->networks;
    for (size_t i = 0; i < networks->count && container_is_up(seen); i++) {
        struct port_attach *port =
            target_port(to->compiling->target, to->action->object,
                        item_key(&attachment_table, networks->items[i]), to->action->uid);
        port->init_pid = seen->init_pid;
        port->init_start = seen->init_start;
        port->taken = true;
        steps_add(to->arena, to->steps, STEP_PORT_ATTACH, port);
    }
}

/* A folder without a config is none of ours, unless a run that did not come to its end began to write one there. */
static bool began_definition(const struct container_steps *to)
{
    const struct snapshot *recorded = to->compiling->recorded;
    const struct entry *entry = to->action->entry;
    for (size_t i = 0; recorded && i < recorded->intent_count && entry_is_unfinished(entry); i++)
        if (intent_is_of(recorded->intents[i], entry) &&
            texts_have(&recorded->intents[i]->steps, step_type(STEP_CONTAINER_DEFINE)->name))
            return true;
    return false;
}

static struct container_steps called(const struct container_steps *to, const char *name)
{
    struct container_steps old = *to;
    old.lxc_name = paths_lxc_name(to->compiling->target->paths, to->arena, name);
    return old;
}

static struct container_steps old_of(const struct container_steps *to)
{
    return called(to, to->action->was);
}

static bool old_runs(const struct container_steps *to)
{
    const struct observed_container *seen = world_container(to->compiling->world, old_of(to).lxc_name);
    return seen && seen->running;
}

static void add_stop_of(const struct container_steps *old)
{
    const struct observed_container *seen = world_container(old->compiling->world, old->lxc_name);
    if (seen && seen->running)
        compile_stop(old);
    if (world_root(old->compiling->world, old->lxc_name))
        compile_unmount(old);
}

static void add_removal_of(const struct container_steps *old)
{
    if (world_container(old->compiling->world, old->lxc_name))
        add_reference(old, STEP_CONTAINER_DESTROY);
}

/* What renames of `name` made that did not come to their end; a layer that they moved goes back when the container goes. */
static void add_removal_of_begun(const struct container_steps *to, const char *name)
{
    const struct action *action = to->action;
    const char *begun;
    const char *moved = !action->object && to->compiling->recorded
                            ? renames_moved(to->compiling->recorded, to->compiling->world, to->arena,
                                            KIND_LAYER, KIND_CONTAINER, name)
                            : NULL;
    for (size_t at = 0; (begun = compile_begun(to->compiling, KIND_CONTAINER, name, &at));) {
        if (text_is_same(begun, action->name) || text_is_same(begun, action->was))
            continue;
        const struct container_steps left = called(to, begun);
        const struct observed_container *seen = world_container(to->compiling->world, left.lxc_name);
        if (seen && seen->ours) {
            add_stop_of(&left);
            add_removal_of(&left);
        }
    }
    if (moved)
        compile_data_move(to->arena, KIND_LAYER, moved, name, to->steps);
}

/* What LXC had before, it has afterwards: SEMANTICS 15. */
static void add_removal(const struct container_steps *to, const struct observed_container *seen)
{
    if (seen && seen->running && (seen->ours || !is_adopted(to)))
        compile_stop(to);
    compile_unmount(to);
    add_removal_of_begun(to, to->action->name);
    if (seen || (!is_adopted(to) && began_definition(to)))
        add_reference(to, is_adopted(to) ? STEP_CONTAINER_RELEASE : STEP_CONTAINER_DESTROY);
    const struct object *object = &to->action->entry->object;
    if (!is_adopted(to) && text_is_same(((const struct container *)object->body)->retain, "none"))
        compile_data_delete(to->arena, KIND_LAYER, target_layer_file(to->compiling->target, object),
                            to->steps);
}

void compile_release(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    const struct paths *paths = compiling->target->paths;
    struct arena *arena = compiling->target->arena;
    const char *name = action->was ? action->was : action->name;
    const struct container_steps to = {
        .compiling = compiling,
        .action = action,
        .arena = arena,
        .lxc_name = action->was ? paths_lxc_name(paths, arena, name)
                                : object_lxc_name(paths, arena, &action->entry->object),
        .steps = steps};
    const struct observed_container *seen = world_container(compiling->world, to.lxc_name);
    if (seen && seen->running)
        compile_stop(&to);
    if (world_root(compiling->world, to.lxc_name))
        compile_unmount(&to);
}

void compile_container(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    struct container_steps to = {
        .compiling = compiling,
        .action = action,
        .arena = arena,
        .lxc_name = object_lxc_name(compiling->target->paths, arena,
                                    action->object ? action->object : &action->entry->object),
        .steps = steps};
    const struct observed_container *seen = world_container(compiling->world, to.lxc_name);
    bool runs = seen && seen->running;
    bool mounted = world_root(compiling->world, to.lxc_name);
    if (action->only_follows && text_is_same(action->follow.from, compiling->digest))
        return; /* made anew, the image is what it was */
    struct container_steps old;
    switch (action->verb) {
    case VERB_EXPAND:
        break;
    case VERB_RENAME:
        old = old_of(&to);
        to.is_defined = !action->rests && compile_before_stop(compiling, action, old_runs(&to), steps);
        add_stop_of(&old);
        if (!action->rests)
            add_removal_of(&old);
        add_removal_of_begun(&to, action->name);
        add_removal_of_begun(&to, action->was);
        if (runs)
            compile_stop(&to); /* what an interrupted run began under the new name */
        if (mounted)
            compile_unmount(&to);
        if (!action->rests) {
            add_start(&to);
            break;
        }
        add_layer_rename(&to);
        add_definition_with_exit(&to, world_container(compiling->world, old.lxc_name));
        add_removal_of(&old); /* last: a run that is cut off leaves one of both that knows how it ended */
        break;
    case VERB_CREATE: /* also over what an interrupted run left half made */
    case VERB_RECREATE:
    case VERB_RESTART:
    case VERB_START:
        to.is_defined = compile_before_stop(compiling, action, runs, steps);
        if (runs)
            compile_stop(&to);
        if (mounted)
            compile_unmount(&to);
        add_start(&to);
        break;
    case VERB_SNAPSHOT:
    case VERB_RESET:
    case VERB_RESTORE:
        compile_before_stop(compiling, action, runs, steps);
        if (runs)
            compile_stop(&to);
        if (mounted)
            compile_unmount(&to);
        add_wish(&to);
        if (runs)
            add_start(&to);
        break;
    case VERB_STOP:
        compile_stop(&to);
        compile_unmount(&to);
        break;
    case VERB_DELETE:
        add_removal(&to, seen);
        break;
    case VERB_ADOPT:
        add_adoption(&to, seen);
        break;
    default:
        add_repairs(&to, seen);
    }
}
