/* RUN: a command in a container of its own (build_guest.c), whose upper becomes a step.
 *
 * The command comes in from outside, with a pipe for its output. The upper is unmounted and settled while the monitor of the
 * container still cleans up. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/full.h"
#include "drivers/image/build_effects.h"
#include "drivers/image/build_failed.h"
#include "drivers/image/build_output.h"
#include "drivers/image/build_run.h"
#include "lib/error.h"

#define LEAST_ROOM (16 * 1024 * 1024) /* bytes */

static int run_in_container(struct running *running, struct container_started *started,
                            struct build_output *output);

static int check(const struct build_run *request, struct error *error)
{
    return !request->argv.count || !*request->argv.items[0] ? error_set(error, -EINVAL, "there is no command")
                                                            : build_guest_check(request, error);
}

/* -ECHILD: its root is kept. */
static int fail_with(const struct build_run *request, const struct build_output *output, int status,
                     bool kept, struct error *error)
{
    _cleanup_buffer_ struct buffer last = {0};
    build_output_last(output, &last);
    const char *log = output->log.path;
    return error_set(error, kept ? -ECHILD : -ENOSPC, "%s: exit status %d%s%s%s%s%s", request->what, status,
                     kept ? "" : ", on a disk that is full, so that its root is not kept",
                     log ? " (log: " : "", log ? log : "", log ? ")" : "", last.bytes);
}

/* What failed may be looked at; not where that would leave no room to write down how it ended, and to build again. */
static bool keep(struct running *running)
{
    if (room_on(running->paths->store) < LEAST_ROOM)
        return false;
    if (running->request->keep)
        build_failed_keep(&running->making, running->request, NULL);
    return true;
}

/* The name comes last: by the temporary one a container that a killed worker has left is found. */
static int publish(struct running *running, const struct build_output *output, int status)
{
    if (status == 0)
        return build_making_publish(&running->making, running->error);
    running->has_failed = true;
    return fail_with(running->request, output, status, keep(running), running->error);
}

static int run_and_settle(struct running *running, struct build_output *output);

static int run_step(struct running *running)
{
    struct build_output *output = arena_new_of(running->call->arena, struct build_output);
    *output = (struct build_output){.call = running->call};
    build_log_begin(&output->log, running->paths, running->request, running->call->arena);
    int status = run_and_settle(running, output);
    build_log_end(&output->log);
    return status;
}

static int run_and_settle(struct running *running, struct build_output *output)
{
    struct container_started started = {0};
    int status = build_guest_begin(running);
    if (status == 0)
        status = run_in_container(running, &started, output);
    int result = build_guest_end(running, &started, status < 0 ? NULL : running->error);
    build_guest_release(running);
    if (result == 0 && status == 0) /* while its monitor cleans up */
        result = build_making_settle(&running->making, running->request->epoch, running->error);
    int removed = build_guest_remove(running, result < 0 || status < 0 ? NULL : running->error);
    if (status < 0 || result < 0)
        return status < 0 ? status : result;
    return removed < 0 ? removed : publish(running, output, status);
}

int build_run_step(const struct paths *paths, const struct build_run *request, const struct call *call,
                   struct error *error)
{
    struct running running = {
        .paths = paths, .request = request, .call = call, .user_namespace = -1, .root = -1, .error = error};
    int result = check(request, error);
    if (result == 0)
        result = build_making_begin(&running.making, paths, request->place, request->what, call, error);
    if (result == 0 && !running.making.is_there) {
        build_guest_name(&running);
        result = run_step(&running);
        build_guest_release(&running);
    }
    build_making_end(&running.making);
    return result < 0 && !running.has_failed ? error_wrap(error, result, "%s", request->what) : result;
}

/* ---- the command ---- */

static int run_command(struct running *running, struct build_output *output)
{
    struct container_command command;
    _cleanup_build_environment_ struct build_environment environment = {0};
    int result = build_guest_command(running, &running->request->argv, &environment, &command);
    if (result < 0)
        return result;
    output->environment = &environment;
    command.line = build_output_hear;
    command.context = output;
    result = container_run(running->paths, &command, running->call, running->error);
    output->environment = NULL;
    return result;
}

/* The status of the command; or a negative errno. */
static int run_in_container(struct running *running, struct container_started *started,
                            struct build_output *output)
{
    int status = build_guest_start(running, started);
    if (status == 0)
        status = run_command(running, output);
    if (status < 0)
        return status;
    int halted = build_guest_halt(running);
    return halted < 0 ? halted : status;
}
