#include "reconciler/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "drivers/task.h"
#include "lib/error.h"

#define PRESENCE_FD 3

struct worker {
    pid_t pid;   /* 0: no process */
    int fd;      /* our end of the socket */
    void *owner; /* of the task under way; NULL: idle */
    const struct steps *steps;
};

struct pool {
    const struct paths *paths;
    struct arena *arena;
    struct worker *workers;
    struct pollfd *fds; /* for pool_wait(), one a worker */
    size_t width;
    size_t next; /* where the next look for a reply begins, so that none waits behind another */
    bool canceled;
};

const char *pool_worker_path(void)
{
    static char path[PATH_MAX + 64]; /* folder of the program, and the name of ours */
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0)
        return "fpsync-worker";
    path[length] = '\0';
    char *name = strrchr(path, '/') + 1;
    char variant[32] = ""; /* "-fake" of "fpsync-fake" */
    if (strncmp(name, "fpsync", 6) == 0 && strlen(name + 6) < sizeof(variant))
        memcpy(variant, name + 6, strlen(name + 6));
    size_t room = sizeof(path) - (size_t)(name - path);
    snprintf(name, room, "fpsync-worker%s", variant);
    if (access(path, X_OK) < 0) /* installed: the command in sbin, its helpers in lib */
        snprintf(name, room, "../lib/fpsync/fpsync-worker%s", variant);
    return path;
}

struct pool *pool_new(const struct paths *paths, size_t width, struct arena *arena)
{
    struct pool *pool = arena_new_of(arena, struct pool);
    *pool = (struct pool){.paths = paths,
                          .arena = arena,
                          .width = width,
                          .workers = arena_array_of(arena, struct worker, width),
                          .fds = arena_array_of(arena, struct pollfd, width)};
    for (size_t i = 0; i < width; i++)
        pool->workers[i].fd = -1;
    return pool;
}

/* The process is ours: after the socket is closed it ends by itself, and is reaped. */
static void end_worker(struct worker *worker)
{
    if (worker->fd >= 0)
        close(worker->fd);
    if (worker->pid > 0)
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    *worker = (struct worker){.fd = -1};
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->width; i++) /* all at once, then wait */
        if (pool->workers[i].fd >= 0) {
            close(pool->workers[i].fd);
            pool->workers[i].fd = -1;
        }
    for (size_t i = 0; i < pool->width; i++)
        end_worker(&pool->workers[i]);
}

/* Workers, and what they fork, hold this until they end: the next run waits for it, so that it does not look while
 * the last effect of a killed run is still under way. The process that it makes lasting (a monitor, dnsmasq) closes
 * what it inherits. */
static int open_presence(const struct pool *pool, struct error *error)
{
    int fd = open(pool->paths->workers, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return error_errno(error, code, "cannot lock %s", pool->paths->workers);
    }
    return fd;
}

static int start_worker(struct pool *pool, struct worker *worker, struct error *error)
{
    int pair[2];
    _cleanup_close_ int presence = open_presence(pool, error);
    if (presence < 0)
        return presence;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(error, -errno, "cannot make a socket for a worker");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, presence, PRESENCE_FD);
    posix_spawnattr_init(&attributes);
    /* Its own session: a Ctrl-C on the terminal is for us to pass on, and who is to use that terminal is not stopped for
     * being in its background. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    const char *path = pool_worker_path();
    char *argv[] = {(char *)path, (char *)pool->paths->root, NULL};
    int result = posix_spawn(&worker->pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(pair[1]);
    if (result) {
        close(pair[0]);
        worker->pid = 0;
        return error_errno(error, -result, "cannot start %s", path);
    }
    worker->fd = pair[0];
    return 0;
}

static struct worker *idle_worker(struct pool *pool)
{
    struct worker *idle = NULL;
    for (size_t i = 0; i < pool->width; i++) /* one that runs already, if there is one */
        if (!pool->workers[i].owner && (!idle || (idle->pid == 0 && pool->workers[i].pid)))
            idle = &pool->workers[i];
    return idle;
}

bool pool_has_room(const struct pool *pool)
{
    return idle_worker((struct pool *)pool) != NULL;
}

size_t pool_busy(const struct pool *pool)
{
    size_t busy = 0;
    for (size_t i = 0; i < pool->width; i++)
        busy += pool->workers[i].owner != NULL;
    return busy;
}

int pool_submit(struct pool *pool, void *owner, const struct steps *steps, int64_t timeout,
                struct error *error)
{
    struct worker *worker = idle_worker(pool);
    if (!worker)
        return error_set(error, -EBUSY, "all workers are busy");
    int result = worker->pid ? 0 : start_worker(pool, worker, error);
    if (result < 0)
        return result;
    struct task *task = described_new(pool->arena, &task_table);
    task->deadline = timeout ? now_milliseconds() + timeout : 0;
    for (size_t i = 0; i < steps->count; i++)
        task_add_step(pool->arena, task, (int)steps->items[i].kind, step_type(steps->items[i].kind)->request,
                      steps->items[i].request);
    task_mark(&task_table, task);
    result = task_send(worker->fd, &task_table, task, error);
    if (result < 0) {
        end_worker(worker);
        return error_wrap(error, result, "worker");
    }
    worker->owner = owner;
    worker->steps = steps;
    return 0;
}

static void take_results(struct pool *pool, const struct steps *steps, const struct task_reply *from,
                         struct pool_reply *reply)
{
    reply->results = arena_array_of(pool->arena, void *, steps->count + 1);
    reply->result_count = steps->count;
    for (size_t i = 0; i < from->results.count; i++) {
        const struct task_result *result = from->results.items[i];
        size_t index = (size_t)strtoul(result->key, NULL, 10);
        const struct table *table = index < steps->count ? step_type(steps->items[index].kind)->result : NULL;
        if (table)
            fields_decode(table, result->result.data, result->result.size, pool->arena,
                          &reply->results[index], NULL);
    }
}

static int receive(struct pool *pool, struct worker *worker, struct pool_reply *reply)
{
    void *object = NULL;
    struct error trouble = {0};
    int result = task_receive(worker->fd, &task_reply_table, pool->arena, &object, &trouble);
    *reply = (struct pool_reply){.owner = worker->owner, .done = true};
    if (result <= 0) { /* it died; what its steps did is observed by the next run */
        int status = 0;
        pid_t pid = worker->pid;
        close(worker->fd);
        waitpid(pid, &status, 0);
        *worker = (struct worker){.fd = -1};
        reply->code = -EPIPE;
        reply->message = arena_printf(pool->arena, "worker %d ended unexpectedly (%s %d)", (int)pid,
                                      WIFSIGNALED(status) ? "signal" : "status",
                                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return 1;
    }
    const struct task_reply *got = object;
    reply->done = got->done;
    reply->progress = got->progress;
    if (!got->done)
        return 1;
    reply->code = (int)got->code;
    reply->failed_step = got->failed_step < 0 ? 0 : (size_t)got->failed_step;
    if (got->code < 0) {
        size_t at = reply->failed_step < worker->steps->count ? reply->failed_step : 0;
        reply->message = arena_printf(pool->arena, "%s: %s", step_type(worker->steps->items[at].kind)->name,
                                      got->message ? got->message : strerror((int)-got->code));
    }
    take_results(pool, worker->steps, got, reply);
    worker->owner = NULL;
    worker->steps = NULL;
    return 1;
}

int pool_wait(struct pool *pool, int timeout, struct pool_reply *reply, struct error *error)
{
    struct pollfd *fds = pool->fds;
    for (size_t i = 0; i < pool->width; i++)
        fds[i] = (struct pollfd){.fd = pool->workers[i].owner ? pool->workers[i].fd : -1, .events = POLLIN};
    if (!pool_busy(pool))
        return 0;
    int ready = poll(fds, pool->width, timeout);
    if (ready < 0)
        return errno == EINTR ? -EINTR : error_errno(error, -errno, "cannot wait for workers");
    for (size_t i = 0; i < pool->width && ready; i++) {
        size_t at = (pool->next + i) % pool->width;
        if (!fds[at].revents)
            continue;
        pool->next = at + 1;
        return receive(pool, &pool->workers[at], reply);
    }
    return 0;
}

void pool_cancel(struct pool *pool)
{
    for (size_t i = 0; i < pool->width && !pool->canceled; i++)
        if (pool->workers[i].pid > 0)
            kill(pool->workers[i].pid, SIGTERM);
    pool->canceled = true;
}

pid_t pool_worker(const struct pool *pool)
{
    for (size_t i = 0; i < pool->width; i++)
        if (pool->workers[i].owner)
            return pool->workers[i].pid;
    return 0;
}
