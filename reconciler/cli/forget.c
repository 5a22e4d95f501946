/* forget: lets go of an object. Record and mark go, and everything else stays as it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"
#include "reconciler/pool.h"

static void add_link(struct session *session, const char *ifname, const char *mark, struct steps *steps)
{
    struct link_reference *link = described_new(session->arena, &link_reference_table);
    link->ifname = ifname;
    link->mark = mark;
    steps_add(session->arena, steps, STEP_LINK_UNMARK, described_whole(&link_reference_table, link));
}

/* Interfaces with the mark of just this object: its bridge, or the host ends of its NICs. */
static void unmark_links(struct session *session, const struct entry *entry, struct steps *steps)
{
    const struct observed_network *network = &session->world.network;
    const char *mark = target_mark(session->arena, entry->record->uid, entry->name);
    for (size_t i = 0; i < network->bridge_count; i++)
        if (text_is_same(network->bridges[i].mark, mark))
            add_link(session, network->bridges[i].ifname, mark, steps);
    for (size_t i = 0; i < network->port_count; i++)
        if (text_is_same(network->ports[i].mark, mark))
            add_link(session, network->ports[i].ifname, mark, steps);
}

/* What lies in the stores carries no mark: it lies there. */
static void unmark(struct session *session, const struct entry *entry, struct steps *steps)
{
    if (entry->kind == KIND_CONTAINER) {
        const char *lxc_name = object_lxc_name(&session->paths, session->arena, &entry->object);
        const struct observed_container *seen = world_container(&session->world, lxc_name);
        struct container_reference *reference = described_new(session->arena, &container_reference_table);
        reference->lxc_name = lxc_name;
        if (seen && seen->ours && text_is_same(seen->uid, entry->record->uid))
            steps_add(session->arena, steps, STEP_CONTAINER_RELEASE,
                      described_whole(&container_reference_table, reference));
    }
    if (entry->kind == KIND_CONTAINER || entry->kind == KIND_NETWORK)
        unmark_links(session, entry, steps);
}

static int run_steps(struct session *session, struct steps *steps, struct error *error)
{
    if (!steps->count)
        return 0;
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    struct pool_reply reply = {0};
    int result = pool_submit(pool, steps, steps, 0, error);
    do {
        result = result < 0 ? result : pool_wait(pool, -1, &reply, error);
    } while (result > 0 && !reply.done);
    if (result < 0)
        return result;
    return reply.code < 0 ? error_set(error, reply.code, "%s", reply.message) : 0;
}

/* Its own layer has no name but the container's: retained, gc would free one day what was to be left alone. */
static int forget_layer(struct session *session, const struct entry *container, struct error *error)
{
    const struct entry *layer = actual_find(&session->actual, KIND_LAYER, container->name);
    return layer && layer->object.implicit
               ? state_delete_record(session->state, kind_name(KIND_LAYER), container->name, error)
               : 0;
}

/* The mark first: a record without a mark is drift that apply mends, a mark without a record is nobody's. */
static int forget(struct session *session, const char *argument, struct entry **entry, struct error *error)
{
    struct steps steps = {0};
    int result = session_find_object(session, argument, entry, error);
    if (result >= 0)
        result = session_look(session, error);
    if (result < 0)
        return result;
    unmark(session, *entry, &steps);
    result = run_steps(session, &steps, error);
    if (result >= 0)
        result = session_write(session, error);
    if (result >= 0)
        result = state_begin(session->state, error);
    if (result >= 0)
        result = state_delete_record(session->state, kind_name((*entry)->kind), (*entry)->name, error);
    if (result >= 0 && (*entry)->kind == KIND_CONTAINER)
        result = forget_layer(session, *entry, error);
    return result < 0 ? result : state_commit(session->state, error);
}

int run_forget(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct entry *entry = NULL;
    struct error error = {0};
    int result = session_open(options, SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    if (options->argument_count != 1)
        result = error_set(&error, -EINVAL, "forget: which object? fpsync status -o name lists them");
    if (result >= 0)
        result = forget(&session, options->arguments[0], &entry, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "forgotten", json_new_text(entry->object.id));
        print_data(options, object);
    } else if (!options->quiet) {
        printf("%s %s is forgotten; what exists of it stays\n", kind_name(entry->kind), entry->name);
    }
    return EXIT_IN_SYNC;
}
