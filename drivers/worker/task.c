/* Runs the steps of one task in order, up to the first that fails. */
#include <errno.h>
#include <malloc.h>

#include "drivers/steps.h"
#include "drivers/task.h"
#include "drivers/worker/worker.h"
#include "lib/error.h"

static const struct effects effects = {
    .container = &container_effects,
    .storage = &storage_effects,
    .network = &network_effects,
    .image = &image_effects,
    .build = &build_effects,
};

struct conversation {
    int replies;
    int64_t id;
};

static void run_steps(const struct task *task, const struct paths *paths, const struct call *call,
                      struct task_reply *reply);

static void tell_progress(void *context, const char *line)
{
    const struct conversation *conversation = context;
    struct task_reply reply = {.id = conversation->id, .failed_step = -1, .progress = line};
    task_mark(&task_reply_table, &reply);
    /* A main side that is gone is noticed at the final reply; the step is not to be left half made for it. */
    task_send(conversation->replies, &task_reply_table, &reply, NULL);
}

int worker_task(int requests, int replies, int cancel, const struct paths *paths, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    void *received = NULL;
    int result = task_receive(requests, &task_table, arena, &received, error);
    if (result <= 0)
        return result == -EINTR ? 1 : result;
    const struct task *task = received;
    struct conversation conversation = {.replies = replies, .id = task->id};
    const struct call call = {
        .arena = arena,
        .deadline = task->deadline,
        .cancel = cancel,
        .progress = tell_progress,
        .context = &conversation,
    };
    struct task_reply *reply = described_new(arena, &task_reply_table);
    reply->id = task->id;
    reply->done = true;
    run_steps(task, paths, &call, reply);
    task_mark(&task_reply_table, reply);
    result = task_send(replies, &task_reply_table, reply, error);
    if (result < 0)
        return result;
    /* The next container's monitor is a fork of this heap. */
    malloc_trim(0);
    return 1;
}

static int run_step(const struct task_step *step, const struct paths *paths, const struct call *call,
                    struct task_reply *reply, struct error *error)
{
    const struct step_type *type = step_type((enum step_kind)step->kind);
    if (!type)
        return error_set(error, -ENOSYS, "step %lld is not known to this worker", (long long)step->kind);
    void *request = NULL, *made = NULL;
    int result = 0;
    if (type->request)
        result = fields_decode(type->request, step->request.data, step->request.size, call->arena, &request,
                               error);
    if (result < 0)
        return result;
    result = step_run(&effects, paths, (enum step_kind)step->kind, request, call, &made, error);
    if (result < 0 || !made)
        return result;
    _cleanup_buffer_ struct buffer encoded = {0};
    fields_encode(type->result, made, &encoded);
    struct task_result *item = described_new(call->arena, &task_result_table);
    item->key = step->key;
    item->result = (struct bytes){.data = arena_copy(call->arena, encoded.bytes, encoded.length),
                                  .size = encoded.length};
    *arena_append(call->arena, reply->results.items, reply->results.count) = item;
    return 0;
}

static void run_steps(const struct task *task, const struct paths *paths, const struct call *call,
                      struct task_reply *reply)
{
    for (size_t i = 0; i < task->steps.count; i++) {
        struct error error = {0};
        int result = run_step(task->steps.items[i], paths, call, reply, &error);
        if (result == 0)
            continue;
        reply->failed_step = (int64_t)i;
        reply->code = result;
        reply->message = arena_strdup(call->arena, error.text);
        return;
    }
}
