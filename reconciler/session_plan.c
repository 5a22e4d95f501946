/* From what was read and seen to a plan: everything the planner is told is gathered here. */
#include <errno.h>
#include <string.h>

#include "drivers/image/view_source.h"
#include "lib/asked.h"
#include "reconciler/contest.h"
#include "reconciler/session.h"

/* Who listens is looked up only for a port that is refused: it takes a walk over all processes. */
static void name_holder(struct session *session, struct held *held)
{
    if (held->listener)
        held->reason = arena_printf(session->arena, "port %s: %s listens there on the host", held->port,
                                    world_listener_name(held->listener, session->arena));
}

/* A source of --source or stdin has no path that could be gone. */
static struct texts gone_sources(const struct session *session)
{
    struct texts gone = {0};
    for (size_t i = 0; i < session->snapshot.source_count; i++) {
        const char *name = session->snapshot.sources[i]->name;
        if (*name == '/' && ask_access(name) < 0 && errno == ENOENT)
            *arena_append(session->arena, gone.items, gone.count) = name;
    }
    return gone;
}

/* Automatic runs let contested drift stand. */
static int64_t contested_at(const struct session *session)
{
    return session->options->automatic ? contest_now() : 0;
}

/* SEMANTICS 9: the plan says what is picked up again. */
static void measure_left(struct session *session, const struct object_set *desired)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (entry_is_retained(entry) && object_find(desired, entry->kind, entry->name))
            entry->left = session_left(session, entry);
    }
}

/* Under the names that the set asks for. */
static void view_record(struct session *session, const struct object_set *desired)
{
    const struct renames_request wanted = {.paths = &session->paths,
                                           .desired = desired,
                                           .actual = &session->record,
                                           .world = &session->world,
                                           .sources = session->set.sources,
                                           .source_count = session->set.source_count,
                                           .narrowed = session->options->target_count};
    struct actual view;
    renames_find(&wanted, session->arena, &view, &session->renames);
    session->actual = view;
}

/* Of the images that come from a file or folder, those that will tell how they are to be run. */
static struct texts find_layouts(const struct session *session)
{
    static const char file[] = "file:";
    struct texts layouts = {0};
    for (size_t i = 0; i < session->set.objects.count; i++) {
        const struct object *object = session->set.objects.items[i];
        const char *source = object->kind == KIND_IMAGE ? ((const struct image *)object->body)->source : NULL;
        if (source && strncmp(source, file, strlen(file)) == 0 &&
            image_is_made(&session->set.objects, &session->builds, &session->world, object->name,
                          actual_find(&session->actual, KIND_IMAGE, object->name), session->arena) &&
            image_source_is_layout(source + strlen(file)))
            *arena_append(session->arena, layouts.items, layouts.count) = object->name;
    }
    return layouts;
}

/* The set with what images say about being run; the set itself where none of them says anything. */
static const struct object_set *with_metadata(struct session *session)
{
    const struct metadata_request request = {.paths = &session->paths,
                                             .desired = &session->set.objects,
                                             .actual = &session->actual,
                                             .world = &session->world,
                                             .renames = &session->renames,
                                             .builds = &session->builds,
                                             .layouts = find_layouts(session)};
    metadata_clear(&session->metadata);
    session->metadata = (struct metadata){0};
    if (!metadata_is_needed(&request))
        return &session->set.objects;
    struct object_set *merged = arena_new_of(session->arena, struct object_set);
    metadata_merge(&request, session->arena, merged, &session->metadata);
    if (merged->count != session->set.objects.count)
        view_record(session, merged);
    return merged;
}

/* Once a run; what was made since is held against the same answers. */
static void look_at_servers(struct session *session)
{
    const struct looks_request request = {.paths = &session->paths,
                                          .desired = &session->set.objects,
                                          .actual = &session->actual,
                                          .policy = session->policy,
                                          .offline = session->options->offline,
                                          .writes = session->lock >= 0};
    looks_ask(&request, session->arena, &session->looks);
    session->world.looks = session->looks.items;
    session->world.look_count = session->looks.count;
    struct texts *moved = &session->builds_request.moved;
    *moved = (struct texts){0};
    for (size_t i = 0; i < session->looks.count; i++)
        if (session->looks.items[i].changed)
            *arena_append(session->arena, moved->items, moved->count) = session->looks.items[i].image;
    if (moved->count && session->builds.count)
        builds_judge(&session->builds_request, session->arena, &session->builds);
}

void session_plan(struct session *session, struct plan *plan)
{
    if (!session->record.items)
        session->record = session->actual;
    view_record(session, &session->set.objects);
    look_at_servers(session);
    follow_look(&session->paths, &session->set.objects, &session->builds, &session->actual, session->arena,
                &session->world);
    const struct object_set *desired = with_metadata(session);
    measure_left(session, desired);
    const struct plan_request request = {.paths = &session->paths,
                                         .desired = desired,
                                         .sources = session->set.sources,
                                         .source_count = session->set.source_count,
                                         .gone_sources = gone_sources(session),
                                         .actual = &session->actual,
                                         .renames = &session->renames,
                                         .world = &session->world,
                                         .narrowed = session->options->target_count,
                                         .policy = session->policy,
                                         .metadata = &session->metadata,
                                         .failed = session->failed,
                                         .force = session->options->force,
                                         .offline = session->options->offline,
                                         .builds = &session->builds,
                                         .lease_rules = &session->lease_rules,
                                         .contested_at = contested_at(session)};
    world_look_at_loans(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_use(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_ids(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_routes6(&session->actual, desired, session->arena, &session->world);
    world_look_at_disks(&session->paths, &session->actual, desired, session->arena, &session->world);
    world_look_at_claims(&session->paths, &session->actual, desired, session->arena, &session->world);
    plan_make(&request, session->arena, plan);
    for (size_t i = 0; i < plan->held_count; i++)
        name_holder(session, &plan->held[i]);
}

static bool is_needed_network(const struct entry *entry)
{
    return entry->kind == KIND_NETWORK && entry->object.implicit;
}

/* `needed`: also networks that are there because something uses them, whether something does or not. */
static void plan_recorded(struct session *session, bool needed, struct plan *plan)
{
    struct object_set set = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (!entry_is_retained(entry) && (needed || !is_needed_network(entry)))
            *arena_append(session->arena, set.items, set.count) = &entry->object;
    }
    const struct plan_request request = {.paths = &session->paths,
                                         .desired = &set,
                                         .actual = &session->actual,
                                         .world = &session->world,
                                         .policy = session->policy,
                                         .stops = session->stops,
                                         .starts = session->starts,
                                         .lease_rules = &session->lease_rules,
                                         .contested_at = contested_at(session)};
    world_look_at_loans(&session->paths, &session->actual, &set, session->arena, &session->world);
    world_look_at_disks(&session->paths, &session->actual, &set, session->arena, &session->world);
    follow_look(&session->paths, request.desired, NULL, &session->actual, session->arena, &session->world);
    plan_make(&request, session->arena, plan);
    plan->moved = NULL; /* every object stands under its own source here */
}

void session_plan_recorded(struct session *session, struct plan *plan)
{
    plan_recorded(session, true, plan);
}

void session_plan_needless(struct session *session, struct plan *plan)
{
    plan_recorded(session, false, plan);
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct action *action = plan->actions[i];
        if (action->verb != VERB_DELETE || !action->entry || !is_needed_network(action->entry))
            continue;
        action->need_count = 0; /* whatever used it is gone */
        plan->actions[kept++] = action;
    }
    plan->count = kept;
    plan->held_count = plan->await_count = 0;
}
