/* The executor's loop and graph. What becomes of the record stands in reconciler/outcome.c. */
#include "reconciler/execute.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/outcome.h"
#include "reconciler/pool.h"

/* Milliseconds that an outcome waits for others, as many as run side by side, to become durable with them: a commit may
 * take the disk longer than a step takes. What is lost with the outcome is found again by its intent. */
#define OUTCOME_DELAY 100

enum node_state { NODE_WAITING, NODE_READY, NODE_RUNNING, NODE_ENDED };

struct node_list {
    struct node **items;
    size_t count;
};

struct node {
    struct action *action; /* NULL: shared */
    const char *text;      /* "start container shop/web", "set rules" */
    struct node_list needs, needed_by;
    size_t unmet; /* of `needs`: those that have not ended */
    enum node_state state;
    enum outcome outcome;
    const char *message;
    struct steps steps;
    struct intent *intent;     /* NULL: nothing to journal */
    size_t index;              /* in the run's nodes; of the action in the plan */
    const struct await *await; /* NULL: it waits for nobody */
};

struct run {
    const struct execution *execution;
    struct arena *arena;
    struct target target;
    struct fills fills;
    struct recorder *recorder;
    struct pool *pool;
    struct node *nodes;
    size_t count, ended;
    struct node_list met;   /* all they need has ended; not judged yet */
    struct node_list fresh; /* ready, without an intent */
    struct node_list queue; /* ready, with a durable intent: a heap, the first of the plan on top */
    size_t unsaved;         /* outcomes that are not durable yet */
    struct execution_result *result;
};

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"pending", "done", "failed", "skipped", "canceled"};
    return names[outcome];
}

/* ---- the graph ---- */

static void list_add(struct run *run, struct node_list *list, struct node *node)
{
    *arena_append(run->arena, list->items, list->count) = node;
}

static void node_needs(struct run *run, struct node *node, struct node *needed)
{
    if (!needed || needed == node)
        return;
    list_add(run, &node->needs, needed);
    list_add(run, &needed->needed_by, node);
    node->unmet++;
}

static struct node *node_of(struct run *run, const struct action *action)
{
    return run->nodes[action->index].action == action ? &run->nodes[action->index] : NULL;
}

static struct node *empty_node(struct run *run, const char *text)
{
    struct node *node = &run->nodes[run->count];
    *node = (struct node){.text = text, .index = run->count++};
    return node;
}

static struct node *shared_node(struct run *run, const char *text, enum step_kind kind, void *request)
{
    struct node *node = empty_node(run, text);
    steps_add(run->arena, &node->steps, kind, request);
    return node;
}

static const struct action *network_action(const struct plan *plan, const char *network)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->actions[i]->kind == KIND_NETWORK && strcmp(plan->actions[i]->name, network) == 0)
            return plan->actions[i];
    return NULL;
}

static bool attaches(const struct object *object, const char *network)
{
    const struct container *body = object ? object->body : NULL;
    return body && list_find(&body->networks, &attachment_table, network);
}

/* Before or after the action: whoever leaves a network changes its names as well. */
static bool touches_network(const struct action *action, const char *network)
{
    return action->kind == KIND_CONTAINER && (attaches(action->object, network) ||
                                              (action->entry && attaches(&action->entry->object, network)));
}

/* While containers hang on a bridge its rules stay: who goes from under them lets go before the rules do. A step of its
 * own, as the rest of that action, and whoever waits for it, may wait for the rules. */
static void add_cut(struct run *run, const struct action *action, struct node *rules)
{
    const struct execution *execution = run->execution;
    const struct compiling compiling = {
        .target = &run->target, .world = execution->world, .stop_timeout = execution->stop_timeout};
    struct steps steps = {0};
    if (action->kind != KIND_NETWORK || !action->cuts)
        return;
    compile_cut(&compiling, action, &steps);
    if (!steps.count)
        return;
    struct node *node = empty_node(run, arena_printf(run->arena, "take containers from network %s",
                                                     action->was ? action->was : action->name));
    node->steps = steps;
    for (size_t i = 0; action->verb == VERB_DELETE && i < action->need_count; i++)
        node_needs(run, node, node_of(run, action->needs[i]));
    node_needs(run, rules, node);
}

/* What is shared comes before the actions that it is for, deletes included: an action whose share failed is not
 * done, and so the next plan finds it again. The last rules are the share of networks that go, after the containers
 * that used them. */
static void add_rules(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    struct node *first = NULL;
    if (plan->rules_change_first) {
        struct node *node = first = shared_node(run, "set rules", STEP_RULES_SET, plan->rules_first);
        for (size_t i = 0; i < plan->count; i++) {
            if (plan->actions[i]->shares_rules)
                node_needs(run, &run->nodes[i], node);
            if (plan->actions[i]->verb != VERB_DELETE)
                add_cut(run, plan->actions[i], node);
        }
    }
    if (!plan->rules_change_last)
        return;
    const struct rules *last = plan->rules_last;
    bool none = !last->networks.count && !last->guards.count; /* who is attached to a LAN is guarded, too */
    struct node *node =
        shared_node(run, none ? "delete rules" : "set final rules", none ? STEP_RULES_DELETE : STEP_RULES_SET,
                    none ? NULL : plan->rules_last);
    node_needs(run, node, first);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = plan->actions[i];
        if ((action->verb == VERB_DELETE && action->kind == KIND_CONTAINER) || action->verb == VERB_BUILD)
            node_needs(run, node, &run->nodes[i]);
        if (action->verb != VERB_DELETE || action->kind != KIND_NETWORK)
            continue;
        for (size_t j = 0; j < action->need_count; j++)
            node_needs(run, node, node_of(run, action->needs[j])); /* those that leave it */
        add_cut(run, action, node);
        node_needs(run, &run->nodes[i], node);
    }
}

static void add_resolvers(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    for (size_t i = 0; i < plan->resolver_count; i++) {
        const char *network = plan->resolvers[i];
        if (network_action(plan, network))
            continue; /* a network's own action writes all its names */
        struct node *node = shared_node(run, arena_printf(run->arena, "set names of network %s", network),
                                        STEP_RESOLVER_SET, target_resolver(&run->target, network));
        for (size_t j = 0; j < plan->count; j++)
            if (touches_network(plan->actions[j], network))
                node_needs(run, &run->nodes[j], node);
    }
}

/* Layers that go round in a circle are let go of before any of them is taken. */
static void add_releases(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    const struct compiling compiling = {
        .target = &run->target, .world = run->execution->world, .stop_timeout = run->execution->stop_timeout};
    for (size_t i = 0; i < plan->release_count; i++) {
        const struct release *release = &plan->releases[i];
        struct node *node = empty_node(
            run, arena_printf(run->arena, "take container %s from its layer", release->leaves->name));
        compile_release(&compiling, release->leaves, &node->steps);
        for (size_t j = 0; j < release->need_count; j++)
            node_needs(run, node, node_of(run, release->needs[j]));
        node_needs(run, node_of(run, release->leaves), node);
        node_needs(run, node_of(run, release->takes), node);
    }
}

static struct node *await_node(struct run *run, const struct await *await)
{
    const char *name = await->object->name;
    if (await->healthy)
        return shared_node(run, arena_printf(run->arena, "wait until container %s is healthy", name),
                           STEP_CONTAINER_PROBE,
                           target_probe(&run->target, await->object, run->execution->gate_timeout));
    struct container_await *request = described_new(run->arena, &container_await_table);
    request->lxc_name = object_lxc_name(run->execution->paths, run->arena, await->object);
    request->timeout = run->execution->gate_timeout;
    request->has_command = ((const struct container *)await->object->body)->command.count > 0;
    return shared_node(run, arena_printf(run->arena, "wait until container %s has completed", name),
                       STEP_CONTAINER_AWAIT, described_whole(&container_await_table, request));
}

static void add_awaits(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    for (size_t i = 0; i < plan->await_count; i++) {
        const struct await *await = &plan->awaits[i];
        struct node *node = await_node(run, await);
        node->await = await;
        node_needs(run, node, await->after ? node_of(run, await->after) : NULL);
        for (size_t j = 0; j < await->waiting_count; j++)
            node_needs(run, node_of(run, await->waiting[j]), node);
    }
}

static void build_graph(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    run->nodes =
        arena_array_of(run->arena, struct node,
                       2 * plan->count + plan->resolver_count + plan->release_count + plan->await_count + 2);
    run->count = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        plan->actions[i]->index = i;
        run->nodes[i] = (struct node){
            .action = plan->actions[i], .text = action_text(run->arena, plan->actions[i]), .index = i};
    }
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < plan->actions[i]->need_count; j++)
            node_needs(run, &run->nodes[i], node_of(run, plan->actions[i]->needs[j]));
    add_rules(run);
    add_resolvers(run);
    add_releases(run);
    add_awaits(run);
    for (size_t i = 0; i < run->count; i++)
        if (!run->nodes[i].unmet)
            list_add(run, &run->met, &run->nodes[i]);
}

/* ---- beginnings and ends ---- */

static void begin_node(struct run *run, struct node *node)
{
    node->state = NODE_RUNNING;
    if (run->execution->begun && node->action)
        run->execution->begun(run->execution->context, node->action);
}

static void end_node(struct run *run, struct node *node, enum outcome outcome, const char *message)
{
    node->state = NODE_ENDED;
    node->outcome = outcome;
    node->message = arena_strdup(run->arena, message);
    run->ended++;
    for (size_t i = 0; i < node->needed_by.count; i++)
        if (--node->needed_by.items[i]->unmet == 0)
            list_add(run, &run->met, node->needed_by.items[i]);
    if (!node->action)
        return;
    run->result->items[node->index] = (struct executed){.outcome = outcome, .message = node->message};
    run->result->failed += outcome == OUTCOME_FAILED;
    run->result->skipped += outcome == OUTCOME_SKIPPED;
    if (run->execution->ended)
        run->execution->ended(run->execution->context, node->action, outcome, node->message);
}

/* What was allowed for the time of a build is so no more, however that ended. */
static bool only_follows(const struct node *node, const struct node *needed)
{
    return !node->action && needed->action && needed->action->verb == VERB_BUILD;
}

/* Ready when all it needed is done; skipped, with the reason, when something it needed is not. */
static void settle(struct run *run, struct node *node)
{
    for (size_t i = 0; i < node->needs.count; i++) {
        const struct node *needed = node->needs.items[i];
        if (needed->outcome == OUTCOME_DONE || only_follows(node, needed))
            continue;
        const char *why = arena_printf(run->arena, "needs \"%s\", which %s%s%s", needed->text,
                                       needed->outcome == OUTCOME_FAILED ? "failed" : "was not done",
                                       needed->action || !needed->message ? "" : ": ",
                                       needed->action || !needed->message ? "" : needed->message);
        end_node(run, node, OUTCOME_SKIPPED, why);
        return;
    }
    node->state = NODE_READY;
    list_add(run, &run->fresh, node);
}

static int by_index(const void *left, const void *right)
{
    const struct node *a = *(struct node *const *)left, *b = *(struct node *const *)right;
    return (a->index > b->index) - (a->index < b->index);
}

static struct node_list take_sorted(struct node_list *list)
{
    struct node_list taken = *list;
    *list = (struct node_list){0};
    if (taken.count)
        qsort(taken.items, taken.count, sizeof(*taken.items), by_index);
    return taken;
}

static void settle_all(struct run *run)
{
    while (run->met.count) { /* a skip may make others skip */
        struct node_list met = take_sorted(&run->met);
        for (size_t i = 0; i < met.count; i++)
            if (met.items[i]->state == NODE_WAITING)
                settle(run, met.items[i]);
    }
}

/* ---- the queue ---- */

static void swap_nodes(struct node **left, struct node **right)
{
    struct node *kept = *left;
    *left = *right;
    *right = kept;
}

static void queue_add(struct run *run, struct node *node)
{
    list_add(run, &run->queue, node);
    struct node **items = run->queue.items;
    for (size_t i = run->queue.count - 1; i && items[i]->index < items[(i - 1) / 2]->index; i = (i - 1) / 2)
        swap_nodes(&items[i], &items[(i - 1) / 2]);
}

static void queue_drop_first(struct run *run)
{
    struct node **items = run->queue.items;
    const size_t count = --run->queue.count;
    items[0] = items[count];
    for (size_t i = 0, least;; i = least) {
        least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            if (items[child]->index < items[least]->index)
                least = child;
        if (least == i)
            return;
        swap_nodes(&items[i], &items[least]);
    }
}

/* ---- steps ---- */

static void prepare(struct run *run, struct node *node)
{
    struct action *action = node->action;
    if (!action)
        return;
    recorder_identify(run->recorder, action);
    const struct compiling compiling = {.target = &run->target,
                                        .world = run->execution->world,
                                        .policy = run->execution->policy,
                                        .recorded = run->execution->actual->snapshot,
                                        .digest = recorder_digest(run->recorder, &run->target, action),
                                        .fills = &run->fills,
                                        .digest_of = recorder_image_digest,
                                        .config_of = recorder_image_config,
                                        .builds = run->execution->builds,
                                        .builds_request = run->execution->builds_request,
                                        .context = run->recorder,
                                        .stop_timeout = run->execution->stop_timeout,
                                        .stopped_by = run->execution->stopped_by};
    compile_action(&compiling, action, &node->steps);
    action->made_of = node->steps.made_of;
    action->anew = node->steps.anew;
    action->fetched = node->steps.fetched;
}

static int save(struct run *run, struct error *error)
{
    run->unsaved = 0;
    return recorder_flush(run->recorder, error);
}

/* No step begins before its intent is durable. */
static int journal_ready(struct run *run, struct error *error)
{
    struct node_list fresh = take_sorted(&run->fresh);
    for (size_t i = 0; i < fresh.count; i++) {
        struct node *node = fresh.items[i];
        prepare(run, node);
        if (node->steps.trouble) {
            end_node(run, node, OUTCOME_FAILED, node->steps.trouble);
            continue;
        }
        int result = recorder_intend(run->recorder, node->text, node->action, &run->target, &node->steps,
                                     &node->intent, error);
        if (result < 0)
            return result;
        queue_add(run, node);
    }
    return fresh.count ? save(run, error) : 0;
}

/* A record's own change needs no worker. */
static int finish_without_steps(struct run *run, struct node *node, struct error *error)
{
    int result =
        recorder_done(run->recorder, node->action, &run->target, &node->steps, NULL, 0, node->intent, error);
    if (result < 0)
        return result;
    run->unsaved++;
    end_node(run, node, OUTCOME_DONE, NULL);
    return 0;
}

static void submit(struct run *run, struct node *node)
{
    struct error trouble = {0};
    const bool takes_its_time = node->steps.items[0].kind == STEP_IMAGE_MAKE ||
                                node->steps.items[0].kind == STEP_BUILD_FETCH ||
                                (node->action && node->action->verb == VERB_BUILD) || node->await;
    if (pool_submit(run->pool, node, &node->steps, takes_its_time ? 0 : run->execution->timeout, &trouble) <
        0)
        end_node(run, node, OUTCOME_FAILED, trouble.text);
    else
        begin_node(run, node);
}

static int dispatch(struct run *run, struct error *error)
{
    while (run->queue.count) {
        struct node *node = run->queue.items[0];
        const bool waits = node->state == NODE_READY; /* not canceled */
        if (waits && node->steps.count && !pool_has_room(run->pool))
            return 0;
        queue_drop_first(run);
        if (!waits)
            continue;
        int result = 0;
        if (node->steps.count)
            submit(run, node);
        else
            result = finish_without_steps(run, node, error);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Who waited is skipped for it; but there may be nobody, and it is told all the same. */
static void note_gate(struct run *run, const struct node *node, const char *message)
{
    struct execution_result *result = run->result;
    *arena_append(run->arena, result->gates, result->gate_count) =
        arena_printf(run->arena, "%s: %s", node->text, message);
}

static int record_reply(struct run *run, struct node *node, const struct pool_reply *reply,
                        struct error *error)
{
    if (node->await && node->await->healthy && reply->code != -ECANCELED)
        return recorder_probed(run->recorder, node->await, reply->code < 0 ? reply->message : NULL, error);
    return reply->code < 0 ? recorder_failed(run->recorder, node->action, &node->steps, reply->results,
                                             reply->result_count, reply->message, error)
                           : recorder_done(run->recorder, node->action, &run->target, &node->steps,
                                           reply->results, reply->result_count, node->intent, error);
}

/* The name of an image that a recipe implies says nothing to whoever wrote the recipe. What failed in a RUN is to be seen
 * where it happened. */
static const char *message_of(const struct run *run, const struct node *node, const struct pool_reply *reply)
{
    const struct action *action = node->action;
    const char *message = reply->message;
    if (reply->code >= 0)
        return NULL;
    if (action && action->failed_run)
        message = arena_printf(run->arena,
                               "%s (fpsync build --shell %s opens a shell in its root; fpsync logs image/%s "
                               "shows all that it said)",
                               message, action->name, action->name);
    if (!action || !action->asked)
        return message;
    return arena_printf(run->arena, "%s (for %s%s%s)", message, action->asked, action->hint ? "; " : "",
                        action->hint ? action->hint : "");
}

static int take_reply(struct run *run, const struct pool_reply *reply, struct error *error)
{
    struct node *node = reply->owner;
    if (!reply->done) {
        if (run->execution->progress && node->action)
            run->execution->progress(run->execution->context, node->action, reply->progress);
        return 0;
    }
    int result = record_reply(run, node, reply, error);
    if (result < 0)
        return result;
    run->unsaved++;
    enum outcome outcome = reply->code == 0            ? OUTCOME_DONE
                           : reply->code == -ECANCELED ? OUTCOME_CANCELED
                                                       : OUTCOME_FAILED;
    run->result->gates_late += node->await && reply->code == -ETIME;
    if (node->action && outcome == OUTCOME_FAILED && reply->failed_step < node->steps.count &&
        node->steps.items[reply->failed_step].kind == STEP_BUILD_RUN && reply->code == -ECHILD)
        node->action->failed_run = node->steps.items[reply->failed_step].request;
    if (node->await && outcome == OUTCOME_FAILED)
        note_gate(run, node, reply->message);
    end_node(run, node, outcome, message_of(run, node, reply));
    return 0;
}

static void cancel_rest(struct run *run)
{
    run->result->canceled = true;
    for (size_t i = 0; i < run->count; i++)
        if (run->nodes[i].state == NODE_WAITING || run->nodes[i].state == NODE_READY)
            end_node(run, &run->nodes[i], OUTCOME_CANCELED, "interrupted");
}

static int loop(struct run *run, struct error *error)
{
    int seen = 0;
    while (run->ended < run->count) {
        int interrupted = run->execution->interrupted ? *run->execution->interrupted : 0;
        if (interrupted && !seen)
            cancel_rest(run);
        if (interrupted >= 2 && seen < 2)
            pool_cancel(run->pool);
        seen = interrupted;
        settle_all(run);
        int result = journal_ready(run, error);
        size_t before = run->ended;
        if (result >= 0)
            result = dispatch(run, error);
        if (result < 0)
            return result;
        if (run->ended != before)
            continue; /* what was done without a worker may have made others ready */
        /* Outcomes become durable while the workers are busy with the next steps. */
        if (run->unsaved >= run->execution->parallel && save(run, error) < 0)
            return error->code;
        struct pool_reply reply;
        struct error trouble = {0};
        result = pool_wait(run->pool, run->unsaved ? OUTCOME_DELAY : -1, &reply, &trouble);
        if (result == 0 && save(run, error) < 0)
            return error->code;
        while (result > 0) { /* all that is there: one commit for them together */
            result = take_reply(run, &reply, error);
            if (result < 0)
                return result;
            result = pool_wait(run->pool, 0, &reply, &trouble);
        }
        if (result < 0 && result != -EINTR)
            return error_set(error, result, "%s", trouble.text);
    }
    return save(run, error);
}

int execute_plan(const struct execution *execution, struct arena *arena, struct execution_result *result,
                 struct error *error)
{
    const struct plan *plan = execution->plan;
    *result = (struct execution_result){.items = arena_array_of(arena, struct executed, plan->count + 1)};
    struct run run = {
        .execution = execution,
        .arena = arena,
        .target = {.paths = execution->paths,
                   .arena = arena,
                   .all = &plan->all,
                   .grants = &plan->grants,
                   .renames = plan->renames,
                   .absent = &plan->absent,
                   .world = execution->world},
        .recorder = recorder_new(execution, arena),
        .result = result,
    };
    build_graph(&run);
    run.pool = pool_new(execution->paths, execution->parallel, arena);
    int code = recorder_begin(run.recorder, error);
    if (code >= 0)
        code = loop(&run, error);
    if (code >= 0)
        code = recorder_end(run.recorder, result, error);
    pool_free(run.pool);
    recorder_free(run.recorder);
    return code;
}
