/* The steps of a build that are not there yet, and the image of them all.
 *
 * Keys of steps hang on the digest of the image below them, which may have been made a moment ago: the build is worked
 * out here once more. The container that RUN takes place in has the name that the driver gives it, a step a name; its
 * ids, MAC and address are the builder's. */
#include <string.h>

#include "lib/error.h"
#include "reconciler/builds.h"
#include "reconciler/compile_internal.h"

#define FAILED_ROOT_KEPT ((int64_t)24 * 3600 * 1000) /* milliseconds */

static int known_now(void *context, const char *image, struct build_base *base)
{
    const struct compiling *compiling = context;
    struct error error = {0};
    struct image_config *config;
    base->digest = compiling->digest_of(compiling->context, image);
    if (base->digest &&
        image_config_parse(compiling->target->arena, compiling->config_of(compiling->context, base->digest),
                           &config, &error) == 0)
        base->config = config;
    return 0;
}

static void add_ports(const struct compiling *compiling, const struct action *action, struct build_run *run)
{
    const struct container *body = action->builder->body;
    for (size_t i = 0; i < body->networks.count; i++) {
        const struct port_attach *port =
            target_port(compiling->target, action->builder,
                        item_key(&attachment_table, body->networks.items[i]), action->uid);
        struct port_mark *mark = described_new(compiling->target->arena, &port_mark_table);
        if (port->macvlan)
            continue;
        mark->ifname = port->ifname;
        mark->mark = port->mark;
        mark->foreign = port->foreign;
        *arena_append(compiling->target->arena, run->ports.items, run->ports.count) =
            described_whole(&port_mark_table, mark);
    }
}

static void complete_run(const struct compiling *compiling, const struct action *action, bool has_network,
                         const char *key, struct build_run *run)
{
    struct arena *arena = compiling->target->arena;
    struct object builder = *action->builder;
    if (!has_network) {
        struct container *body = described_copy(arena, &container_table, builder.body);
        body->networks = (struct list){0};
        builder.body = body;
    }
    const char *name = build_container_name(compiling->target->paths, arena, key);
    run->definition = target_definition(compiling->target, &builder, action->uid, action->generation);
    run->definition->lxc_name = name;
    run->definition->root = arena_printf(arena, "%s/%s", compiling->target->paths->mounts, name);
    run->start = target_start(compiling->target, &builder);
    run->start->lxc_name = name;
    if (has_network) {
        add_ports(compiling, action, run);
        target_add_guards(compiling->target, &builder, &run->guards);
    }
    const struct list files = target_files(compiling->target, &builder);
    for (size_t i = 0; i < files.count; i++) /* beside the script of a here-document */
        *arena_append(arena, run->files.items, run->files.count) = files.items[i];
    run->image = action->name;
    run->keep = FAILED_ROOT_KEPT;
}

/* What is there already is not fetched again. */
static void add_fetches(const struct compiling *compiling, const struct build_copy *copy, struct steps *steps)
{
    for (size_t i = 0; i < copy->sources.count; i++) {
        const struct build_source *source = copy->sources.items[i];
        if (source->url)
            steps_add(compiling->target->arena, steps, STEP_BUILD_ADDRESS,
                      builds_address(compiling->builds_request, source->url, source->fetched,
                                     compiling->target->arena));
    }
}

/* Addresses are asked before the run: of one that its base says in a variable that is too early where that is made by it. */
static const char *why_unknown(const struct build *build)
{
    for (size_t i = 0; i < build->base_count; i++)
        if (!build->bases[i].digest)
            return "an image that it stands on is missing";
    return "an address of ADD was not known before its base was made: the next run fetches it";
}

void compile_build(const struct compiling *compiling, const struct action *action, struct steps *steps)
{
    struct arena *arena = compiling->target->arena;
    const struct build_wish *wish = builds_find(compiling->builds, action->name);
    struct error error = {0};
    struct build *build;
    if (builds_again(wish, compiling->builds_request, known_now, (void *)compiling, arena, &build, &error) <
            0 ||
        !build->is_known) {
        steps->trouble = *error.text ? arena_strdup(arena, error.text) : why_unknown(build);
        return;
    }
    struct build_commit *commit = described_new(arena, &build_commit_table);
    for (size_t i = 0; i < build->count; i++) {
        const struct build_step *step = &build->steps[i];
        *arena_append(arena, commit->uses.items, commit->uses.count) = step->key;
        if (step->key != step->cached) {
            *arena_append(arena, steps->anew.items, steps->anew.count) = step->key;
            *arena_append(arena, steps->anew.items, steps->anew.count) = step->cached;
        }
        if (build_view.has_step(compiling->target->paths, step->key))
            continue;
        if (step->kind == STEP_BUILD_COPY)
            add_fetches(compiling, step->request, steps);
        if (step->kind == STEP_BUILD_RUN)
            complete_run(compiling, action, step->has_network, step->key, step->request);
        steps_add(arena, steps, step->kind, described_whole(step_type(step->kind)->request, step->request));
    }
    commit->name = action->name;
    commit->place = build->place;
    commit->config = image_config_to_text(arena, build->config);
    commit->epoch = build->epoch;
    steps_add(arena, steps, STEP_BUILD_COMMIT, described_whole(&build_commit_table, commit));
    steps->made_of = build->made_of;
    steps->fetched = build->fetched;
}
