/* Waits until a container is healthy: one probe after the other, each in a child under a clock.
 *
 * What ends the wait is an event: a probe that did well, the end of the container's init, being told to stop, or the time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/container/probe.h"
#include "lib/error.h"

#define FIRST_PACE 100 /* milliseconds between the first two probes */
#define LOOK_AGAIN 20  /* milliseconds, while its monitor starts it or cleans up after it */

struct gate {
    const struct paths *paths;
    const struct container_probe *request;
    const struct call *call;
    struct observed_container seen;
    int init;      /* pidfd */
    int64_t until; /* CLOCK_MONOTONIC milliseconds */
    char met[PROBE_TEXT + 80];
};

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

_Noreturn void probe_tell(int verdict, int code, const char *text)
{
    struct verdict told = {.code = code};
    snprintf(told.text, sizeof(told.text), "%s", text);
    const ssize_t written = write(verdict, &told, sizeof(told));
    _exit(written == sizeof(told) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Until `until`, something to read at `fd` (-1: nothing), the end of init (-ECHILD) or of the call. 1: there is. */
static int wait_for(const struct gate *gate, int fd, int64_t until)
{
    for (;;) {
        struct pollfd sources[] = {{.fd = fd, .events = POLLIN},
                                   {.fd = gate->init, .events = POLLIN},
                                   {.fd = gate->call->cancel, .events = POLLIN}};
        const int64_t left = until - now_milliseconds();
        const int time = left < 0 ? 0 : (int)least(left, INT32_MAX);
        if (poll(sources, 3, time) < 0 && errno != EINTR)
            return -errno;
        if (call_check(gate->call) < 0)
            return call_check(gate->call);
        if (sources[0].revents)
            return 1;
        if (sources[1].revents)
            return -ECHILD;
        if (now_milliseconds() >= until)
            return 0;
    }
}

/* Its init, which may be about to be started; -ECHILD: it does not run. */
static int find_init(struct gate *gate, struct error *error)
{
    const char *name = gate->request->lxc_name;
    for (gate->init = -1;;) {
        int result = container_look(gate->paths, name, gate->call->arena, &gate->seen, error);
        if (result < 0)
            return result;
        if (!gate->seen.ours)
            return error_set(error, gate->seen.defined ? -EPERM : -ENOENT, "container %s is not %s", name,
                             gate->seen.defined ? "fpsync's" : "there");
        if (!gate->seen.running)
            return -ECHILD;
        gate->init = gate->seen.init_pid ? (int)syscall(SYS_pidfd_open, (pid_t)gate->seen.init_pid, 0) : -1;
        if (gate->init >= 0 && process_start((pid_t)gate->seen.init_pid) == gate->seen.init_start)
            return 0;
        if (gate->init >= 0)
            close(gate->init);
        gate->init = -1;
        result = wait_for(gate, -1, least(now_milliseconds() + LOOK_AGAIN, gate->until));
        if (result < 0)
            return error_errno(error, result, "container %s", name);
        if (now_milliseconds() >= gate->until)
            return error_set(error, -ETIME, "container %s did not come up in time", name);
    }
}

/* Init is gone: what it ended with is on file once its monitor is gone, too. */
static int tell_end(struct gate *gate, struct error *error)
{
    const char *name = gate->request->lxc_name;
    const int64_t until = now_milliseconds() + 50 * LOOK_AGAIN;
    while (gate->seen.running && now_milliseconds() < until) {
        poll(NULL, 0, LOOK_AGAIN);
        int result = container_look(gate->paths, name, gate->call->arena, &gate->seen, error);
        if (result < 0)
            return result;
    }
    return gate->seen.exited
               ? error_set(error, -ECHILD, "container %s ended with status %d before it was healthy", name,
                           (int)gate->seen.exit_status)
               : error_set(error, -ECHILD, "container %s ended before it was healthy", name);
}

static bool is_command(const struct gate *gate)
{
    return gate->request->command.count > 0;
}

/* Its verdict, by a child that is gone afterwards with all that it started. As wait_for(). */
static int run_child(const struct gate *gate, int64_t deadline, struct verdict *verdict)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    const struct probing probing = {.paths = gate->paths, .request = gate->request, .init = gate->init};
    const pid_t child = fork();
    if (child == 0 && is_command(gate))
        probe_command(&probing, ends[1]);
    if (child == 0)
        probe_network(&probing, ends[1]);
    int result = child < 0 ? -errno : 0;
    close(ends[1]);
    if (result == 0)
        result = wait_for(gate, ends[0], deadline);
    if (result > 0)
        result = read(ends[0], verdict, sizeof(*verdict)) == sizeof(*verdict) ? 1 : -EIO;
    close(ends[0]);
    if (child > 0 && result <= 0)
        process_tree_kill(child);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    verdict->text[sizeof(verdict->text) - 1] = '\0';
    return result;
}

/* Says in `met` what was wrong. */
static bool did_well(struct gate *gate, const struct verdict *verdict)
{
    const char *of = is_command(gate) ? "its command" : gate->request->page ? "GET" : "connection";
    const bool http = gate->request->page, answered = http && verdict->code > 0;
    if (verdict->code < 0 && *verdict->text)
        snprintf(gate->met, sizeof(gate->met), "%s: %s", of, verdict->text);
    else if (verdict->code < 0)
        snprintf(gate->met, sizeof(gate->met), "%s: %s", of,
                 verdict->code == -EPROTO ? "the answer is no HTTP" : strerror(-verdict->code));
    else if (answered)
        snprintf(gate->met, sizeof(gate->met), "%s: answered with status %d", of, verdict->code);
    else if (verdict->code)
        snprintf(gate->met, sizeof(gate->met), "%s ended with status %d%s%s", of, verdict->code,
                 *verdict->text ? ": " : "", verdict->text);
    return answered ? verdict->code >= 200 && verdict->code < 400 : verdict->code == 0;
}

static bool stands_still(const struct gate *gate)
{
    struct hierarchies hierarchies;
    return hierarchies_read(gate->call->arena, &hierarchies, NULL) == 0 &&
           is_frozen(&hierarchies, (pid_t)gate->seen.init_pid);
}

/* 1: it did well. 0: not. Negative as wait_for(). */
static int probe(struct gate *gate)
{
    struct verdict verdict = {0};
    const int64_t now = now_milliseconds();
    if (stands_still(gate)) { /* and so would whatever enters it */
        snprintf(gate->met, sizeof(gate->met), "it is frozen");
        return 0;
    }
    const int result = run_child(gate, least(now + gate->request->timeout, gate->until), &verdict);
    /* One that the end of the wait cut short says less than the one before. */
    if (result == 0 && (!*gate->met || now_milliseconds() - now >= gate->request->timeout))
        snprintf(gate->met, sizeof(gate->met), "no answer within %.1f s",
                 (double)(now_milliseconds() - now) / 1000);
    else if (result == -EIO)
        snprintf(gate->met, sizeof(gate->met), "the probe broke off");
    return result == -EIO ? 0 : result > 0 ? did_well(gate, &verdict) : result;
}

static int wait_healthy(struct gate *gate, struct error *error)
{
    const int64_t began = now_milliseconds();
    int64_t pace = FIRST_PACE;
    int result = find_init(gate, error);
    while (result == 0) {
        result = probe(gate);
        if (result != 0)
            break;
        result = wait_for(gate, -1, least(now_milliseconds() + pace, gate->until));
        if (result == 0 && now_milliseconds() >= gate->until)
            return error_set(error, -ETIME, "container %s was not healthy within %.1f s: %s",
                             gate->request->lxc_name, (double)(now_milliseconds() - began) / 1000, gate->met);
        pace = least(2 * pace, gate->request->interval);
    }
    if (result == -ECHILD)
        return tell_end(gate, error);
    return result < 0 && !error->code ? error_errno(error, result, "container %s", gate->request->lxc_name)
                                      : (int)least(result, 0);
}

int container_probe_it(const struct paths *paths, const struct container_probe *request,
                       const struct call *call, struct error *error)
{
    struct error found = {0};
    struct gate gate = {.paths = paths, .request = request, .call = call, .init = -1};
    gate.until = now_milliseconds() +
                 least(request->start_period + request->interval * request->retries, request->most);
    const int result = wait_healthy(&gate, &found);
    if (gate.init >= 0)
        close(gate.init);
    return result < 0 ? error_set(error, result, "%s", found.text) : 0;
}
