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

struct node {
    struct action *action; /* NULL: shared */
    const char *text;      /* "start container shop/web", "set rules" */
    struct node **needs;
    size_t need_count;
    enum node_state state;
    enum outcome outcome;
    const char *message;
    struct steps steps;
    struct intent *intent; /* NULL: nothing to journal */
    size_t index;          /* of the action in the plan */
};

struct run {
    const struct execution *execution;
    struct arena *arena;
    struct target target;
    struct recorder *recorder;
    struct pool *pool;
    struct node *nodes;
    size_t count, ended;
    size_t unsaved; /* outcomes that are not durable yet */
    struct execution_result *result;
};

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"pending", "done", "failed", "skipped", "canceled"};
    return names[outcome];
}

/* ---- the graph ---- */

static void node_needs(struct run *run, struct node *node, struct node *needed)
{
    if (needed && needed != node)
        *arena_append(run->arena, node->needs, node->need_count) = needed;
}

static struct node *node_of(struct run *run, const struct action *action)
{
    for (size_t i = 0; i < run->execution->plan->count; i++)
        if (run->nodes[i].action == action)
            return &run->nodes[i];
    return NULL;
}

static struct node *shared_node(struct run *run, const char *text, enum step_kind kind, void *request)
{
    struct node *node = &run->nodes[run->count++];
    *node = (struct node){.text = text};
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

/* What is shared comes before the actions that it is for, deletes included: an action whose share failed is not
 * done, and so the next plan finds it again. The last rules are the share of networks that go, after the containers
 * that used them. */
static void add_rules(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    struct node *first = NULL;
    if (plan->rules_change_first) {
        struct node *node = first = shared_node(run, "set rules", STEP_RULES_SET, plan->rules_first);
        for (size_t i = 0; i < plan->count; i++)
            if (plan->actions[i]->shares_rules)
                node_needs(run, &run->nodes[i], node);
    }
    if (!plan->rules_change_last)
        return;
    bool none = !plan->rules_last->networks.count;
    struct node *node =
        shared_node(run, none ? "delete rules" : "set final rules", none ? STEP_RULES_DELETE : STEP_RULES_SET,
                    none ? NULL : plan->rules_last);
    node_needs(run, node, first);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = plan->actions[i];
        if (action->verb == VERB_DELETE && action->kind == KIND_CONTAINER)
            node_needs(run, node, &run->nodes[i]);
        if (action->verb != VERB_DELETE || action->kind != KIND_NETWORK)
            continue;
        for (size_t j = 0; j < action->need_count; j++)
            node_needs(run, node, node_of(run, action->needs[j])); /* those that leave it */
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

static void build_graph(struct run *run)
{
    const struct plan *plan = run->execution->plan;
    run->nodes = arena_array_of(run->arena, struct node, plan->count + plan->resolver_count + 2);
    run->count = plan->count;
    for (size_t i = 0; i < plan->count; i++)
        run->nodes[i] = (struct node){
            .action = plan->actions[i], .text = action_text(run->arena, plan->actions[i]), .index = i};
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < plan->actions[i]->need_count; j++)
            node_needs(run, &run->nodes[i], node_of(run, plan->actions[i]->needs[j]));
    add_rules(run);
    add_resolvers(run);
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
    if (!node->action)
        return;
    run->result->items[node->index] = (struct executed){.outcome = outcome, .message = node->message};
    run->result->failed += outcome == OUTCOME_FAILED;
    run->result->skipped += outcome == OUTCOME_SKIPPED;
    if (run->execution->ended)
        run->execution->ended(run->execution->context, node->action, outcome, node->message);
}

/* Ready when all it needs is done; skipped, with the reason, when something it needs is not going to be. */
static void settle(struct run *run, struct node *node)
{
    for (size_t i = 0; i < node->need_count; i++) {
        const struct node *needed = node->needs[i];
        if (needed->state != NODE_ENDED)
            return;
        if (needed->outcome == OUTCOME_DONE)
            continue;
        const char *why = arena_printf(run->arena, "needs \"%s\", which %s%s%s", needed->text,
                                       needed->outcome == OUTCOME_FAILED ? "failed" : "was not done",
                                       needed->action || !needed->message ? "" : ": ",
                                       needed->action || !needed->message ? "" : needed->message);
        end_node(run, node, OUTCOME_SKIPPED, why);
        return;
    }
    node->state = NODE_READY;
}

static void settle_all(struct run *run)
{
    size_t before;
    do { /* a skip may make others skip */
        before = run->ended;
        for (size_t i = 0; i < run->count; i++)
            if (run->nodes[i].state == NODE_WAITING)
                settle(run, &run->nodes[i]);
    } while (run->ended != before);
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
                                        .digest = recorder_digest(run->recorder, &run->target, action),
                                        .stop_timeout = run->execution->stop_timeout};
    compile_action(&compiling, action, &node->steps);
}

static int save(struct run *run, struct error *error)
{
    run->unsaved = 0;
    return recorder_flush(run->recorder, error);
}

/* No step begins before its intent is durable. */
static int journal_ready(struct run *run, struct error *error)
{
    bool fresh = false;
    for (size_t i = 0; i < run->count; i++) {
        struct node *node = &run->nodes[i];
        if (node->state != NODE_READY || node->intent)
            continue;
        prepare(run, node);
        int result =
            recorder_intend(run->recorder, node->text, node->action, &node->steps, &node->intent, error);
        if (result < 0)
            return result;
        fresh = true;
    }
    return fresh ? save(run, error) : 0;
}

static int dispatch(struct run *run, struct error *error)
{
    for (size_t i = 0; i < run->count; i++) {
        struct node *node = &run->nodes[i];
        if (node->state != NODE_READY)
            continue;
        if (!node->steps.count) {
            int result = recorder_done(run->recorder, node->action, &run->target, &node->steps, NULL, 0,
                                       node->intent, error);
            if (result < 0)
                return result;
            run->unsaved++;
            end_node(run, node, OUTCOME_DONE, NULL);
            continue;
        }
        if (!pool_has_room(run->pool))
            continue;
        struct error trouble = {0};
        bool image = node->action && node->action->kind == KIND_IMAGE;
        if (pool_submit(run->pool, node, &node->steps, image ? 0 : run->execution->timeout, &trouble) < 0)
            end_node(run, node, OUTCOME_FAILED, trouble.text);
        else
            begin_node(run, node);
    }
    return 0;
}

static int take_reply(struct run *run, const struct pool_reply *reply, struct error *error)
{
    struct node *node = reply->owner;
    if (!reply->done) {
        if (run->execution->progress && node->action)
            run->execution->progress(run->execution->context, node->action, reply->progress);
        return 0;
    }
    int result = reply->code < 0
                     ? recorder_failed(run->recorder, node->action, reply->message, node->intent, error)
                     : recorder_done(run->recorder, node->action, &run->target, &node->steps, reply->results,
                                     reply->result_count, node->intent, error);
    if (result < 0)
        return result;
    run->unsaved++;
    enum outcome outcome = reply->code == 0            ? OUTCOME_DONE
                           : reply->code == -ECANCELED ? OUTCOME_CANCELED
                                                       : OUTCOME_FAILED;
    end_node(run, node, outcome, reply->code < 0 ? reply->message : NULL);
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
        .target = {.paths = execution->paths, .arena = arena, .all = &plan->all, .grants = &plan->grants},
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
