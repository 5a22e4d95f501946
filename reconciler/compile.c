#include "reconciler/compile_internal.h"

#include <string.h>

#include "lib/map.h"
#include "reconciler/contexts.h"
#include "reconciler/repairs.h"

void steps_add(struct arena *arena, struct steps *steps, enum step_kind kind, void *request)
{
    *arena_append(arena, steps->items, steps->count) = (struct step){.kind = kind, .request = request};
}

void compile_image_source(struct arena *arena, const struct policy *policy, const struct object *object,
                          struct image_make *make)
{
    const struct image *body = object->body;
    const char *name = remote_of_source(body->source, arena);
    const struct remote *remote = name ? remote_find(policy, name, arena) : NULL;
    make->name = object->name;
    make->source = body->source;
    make->packages = body->packages;
    make->pin = body->digest;
    if (remote)
        make->remote = (struct remote *)remote;
    if (policy)
        make->downloads = policy->downloads;
}

/* A recipe: by its digest where that is known, so that what is lost comes back as it was. */
static void compile_fetch(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    const struct image_build *build = ((const struct image *)action->object->body)->build;
    const struct build_fetch *fetch = builds_fetch(compiling->builds, action->name);
    struct image_make *make = described_new(arena, &image_make_table);
    const char *name = *build->context == '/' ? NULL : remote_of_source(build->context, arena);
    const struct remote *remote = name ? remote_find(compiling->policy, name, arena) : NULL;
    make->name = action->name;
    make->source = build->context;
    if (remote)
        make->remote = (struct remote *)remote;
    if (compiling->policy)
        make->downloads = compiling->policy->downloads;
    make->pin = fetch && fetch->digest ? arena_printf(arena, "sha256:%s", fetch->digest) : build->digest;
    if (action->entry)
        make->origin = context_origin(arena, action->entry->facts->context, build->context);
    steps_add(arena, steps, STEP_BUILD_FETCH, described_whole(&image_make_table, make));
}

static void compile_image(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    if (action->verb == VERB_EXPAND)
        return;
    if (action->verb == VERB_FETCH) {
        compile_fetch(compiling, action, steps);
        return;
    }
    if (action->verb == VERB_BUILD) {
        compile_build(compiling, action, steps);
        return;
    }
    struct image_make *make = described_new(arena, &image_make_table);
    compile_image_source(arena, compiling->policy, action->object, make);
    const char *origin = action->entry ? action->entry->facts->origin : NULL;
    if (!plan_field_changed(&action->causes, "source")) /* of another one it would say nothing */
        make->origin = origin;
    if (action->verb == VERB_REPAIR && origin && !make->pin) /* the very same bytes (SEMANTICS 12) */
        make->pin = strstr(origin, "sha256:");
    const char *changed = world_image_changed(compiling->world, action->name);
    if (changed && !make->pin) /* what the plan said, and not what came after it */
        make->pin = strstr(changed, "sha256:");
    steps_add(arena, steps, STEP_IMAGE_MAKE, described_whole(&image_make_table, make));
}

void compile_data_delete(struct arena *arena, enum kind kind, const char *file, struct steps *steps)
{
    struct data_reference *data = described_new(arena, &data_reference_table);
    data->file = file;
    steps_add(arena, steps, kind == KIND_VOLUME ? STEP_VOLUME_DELETE : STEP_LAYER_DELETE,
              described_whole(&data_reference_table, data));
}

void compile_data_move(struct arena *arena, enum kind kind, const char *from, const char *to,
                       struct steps *steps)
{
    struct data_rename *rename = described_new(arena, &data_rename_table);
    rename->from = paths_file_name(arena, from);
    rename->to = paths_file_name(arena, to);
    steps_add(arena, steps, kind == KIND_VOLUME ? STEP_VOLUME_RENAME : STEP_LAYER_RENAME,
              described_whole(&data_rename_table, rename));
}

void compile_data_rename(const struct compiling *compiling, enum kind kind, const char *name,
                         struct steps *steps)
{
    const struct rename *known = renames_to(compiling->target->renames, kind, name);
    if (known && !known->conflict)
        compile_data_move(compiling->target->arena, kind, known->data ? known->data : known->from, name,
                          steps);
}

const char *compile_begun(const struct compiling *compiling, enum kind kind, const char *name, size_t *at)
{
    return compiling->recorded && name ? renames_begun(compiling->recorded, kind, name, at) : NULL;
}

static void compile_data(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    const char *file = paths_file_name(arena, action->name);
    if (action->verb == VERB_DELETE) {
        const char *moved = compiling->recorded ? renames_moved(compiling->recorded, compiling->world, arena,
                                                                action->kind, action->kind, action->name)
                                                : NULL;
        compile_data_delete(arena, action->kind, moved ? paths_file_name(arena, moved) : file, steps);
        return;
    }
    compile_data_rename(compiling, action->kind, action->name, steps);
    if (action->kind == KIND_VOLUME) {
        const struct volume *volume = action->object->body;
        struct volume_source *source = described_new(arena, &volume_source_table);
        source->file = file;
        source->type = volume->type;
        source->size = volume->size;
        steps_add(arena, steps, STEP_VOLUME_CREATE, described_whole(&volume_source_table, source));
    } else if (action->verb != VERB_UPDATE && !action->was) {
        struct data_reference *data = described_new(arena, &data_reference_table);
        data->file = file;
        steps_add(arena, steps, STEP_LAYER_CREATE, described_whole(&data_reference_table, data));
    }
}

static void add_bridge_removal(const struct compiling *compiling, const struct action *action,
                               const char *network, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    char ifname[PATHS_IFNAME_SIZE];
    paths_bridge(compiling->target->paths, network, ifname);
    struct link_reference *link = described_new(arena, &link_reference_table);
    link->ifname = arena_strdup(arena, ifname);
    link->mark = target_mark(arena, action->uid, network);
    described_whole(&link_reference_table, link);
    steps_add(arena, steps, STEP_RESOLVER_DELETE, link);
    steps_add(arena, steps, STEP_BRIDGE_DELETE, link);
}

static void add_port_removals(const struct compiling *compiling, const char *network, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    const struct observed_network *seen = &compiling->world->network;
    char ifname[PATHS_IFNAME_SIZE];
    paths_bridge(compiling->target->paths, network, ifname);
    for (size_t i = 0; i < seen->port_count; i++) {
        const struct observed_port *port = &seen->ports[i];
        if (!text_is_same(port->master, ifname) || !port->mark || strncmp(port->mark, "fpsync ", 7) != 0)
            continue;
        struct link_reference *link = described_new(arena, &link_reference_table);
        link->ifname = port->ifname;
        link->mark = port->mark;
        steps_add(arena, steps, STEP_PORT_DELETE, described_whole(&link_reference_table, link));
    }
}

void compile_cut(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    add_port_removals(compiling, action->was ? action->was : action->name, steps);
}

static void compile_network(const struct compiling *compiling, const struct action *action,
                            struct steps *steps)
{
    const struct object *known = action->object ? action->object : &action->entry->object;
    const bool attached = network_is_attached(known->body);
    if (attached && !action->cuts)
        return; /* nothing of it is ours but the record */
    struct arena *arena = compiling->target->arena;
    if (action->cuts)
        compile_cut(compiling, action, steps);
    if (attached) {
        add_bridge_removal(compiling, action, action->name, steps);
        return;
    }
    if (action->was)
        add_bridge_removal(compiling, action, action->was, steps);
    const char *const names[] = {action->name, action->was}, *begun;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        for (size_t at = 0; (begun = compile_begun(compiling, KIND_NETWORK, names[i], &at));)
            if (strcmp(begun, action->name) != 0)
                add_bridge_removal(compiling, action, begun, steps);
    if (action->verb != VERB_DELETE) {
        steps_add(arena, steps, STEP_BRIDGE_CREATE,
                  target_bridge(compiling->target, action->name, action->uid));
        steps_add(arena, steps, STEP_RESOLVER_SET, target_resolver(compiling->target, action->name));
        return;
    }
    add_bridge_removal(compiling, action, action->name, steps);
}

/* What a command asks of data: a snapshot, a fresh beginning, or a way back. Names come again, tokens do not. */
struct data_change *compile_wished_change(struct arena *arena, const struct action *action, const char *file)
{
    struct data_change *change = described_new(arena, &data_change_table);
    change->file = file;
    change->name = action->snapshot;
    change->token = action->token;
    change->kept = action->verb == VERB_SNAPSHOT;
    change->fresh = action->verb == VERB_RESET;
    change->from = action->from;
    return described_whole(&data_change_table, change);
}

static bool uses_volume(const struct object *object, const char *volume)
{
    const struct container *body = object->kind == KIND_CONTAINER ? object->body : NULL;
    for (size_t i = 0; body && i < body->volumes.count; i++)
        if (text_is_same(((const struct mount *)body->volumes.items[i])->volume, volume))
            return true;
    return false;
}

/* Who runs on a volume stands still while it is copied, and is stopped before it becomes another one; that they start
 * again is an action of their own. */
static void add_guest(struct arena *arena, const struct observed_container *seen, struct data_change *change)
{
    struct data_guest *guest = described_new(arena, &data_guest_table);
    guest->lxc_name = seen->lxc_name;
    guest->init_pid = seen->init_pid;
    guest->init_start = seen->init_start;
    *arena_append(arena, change->guests.items, change->guests.count) =
        described_whole(&data_guest_table, guest);
}

static void add_guests(const struct compiling *compiling, const struct action *action,
                       struct data_change *change, struct steps *steps)
{
    const struct target *target = compiling->target;
    for (size_t i = 0; i < target->all->count; i++) {
        const struct object *user = target->all->items[i];
        if (!uses_volume(user, action->name))
            continue;
        const char *lxc_name = object_lxc_name(target->paths, target->arena, user);
        const struct observed_container *seen = world_container(compiling->world, lxc_name);
        const struct action of = {.object = user};
        const struct container_steps to = {.compiling = compiling,
                                           .action = &of,
                                           .arena = target->arena,
                                           .lxc_name = lxc_name,
                                           .steps = steps};
        if (container_is_up(seen))
            add_guest(target->arena, seen, change);
        if (container_is_up(seen) && action->from)
            compile_stop(&to);
        if (action->from && world_root(compiling->world, lxc_name)) /* also one that ended by itself */
            compile_unmount(&to);
    }
}

static void compile_wish(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    bool volume = action->kind == KIND_VOLUME;
    struct data_change *change = compile_wished_change(arena, action, paths_file_name(arena, action->name));
    change->whole = volume;
    change->image = volume ? NULL : action->entry->facts->digest;
    if (volume)
        add_guests(compiling, action, change, steps);
    steps_add(arena, steps, volume ? STEP_VOLUME_CHANGE : STEP_LAYER_CHANGE, change);
}

void compile_action(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    if (action->class == CLASS_RECORD)
        return;
    switch (action->kind) {
    case KIND_IMAGE:
        compile_image(compiling, action, steps);
        break;
    case KIND_NETWORK:
        compile_network(compiling, action, steps);
        break;
    case KIND_VOLUME:
    case KIND_LAYER:
        if (verb_is_of_data(action->verb))
            compile_wish(compiling, action, steps);
        else if (action->verb != VERB_RETAIN)
            compile_data(compiling, action, steps);
        break;
    default:
        compile_container(compiling, action, steps);
    }
}
