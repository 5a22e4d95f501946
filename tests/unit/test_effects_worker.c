/* The worker program on real LXC: tasks and replies over its pipes, cancelling, dying, side by side. Needs root. */
#include <sys/inotify.h>
#include <sys/prctl.h>

#include "drivers/steps.h"
#include "drivers/task.h"
#include "tests/unit/container_world.h"

struct worker {
    pid_t pid;
    int requests, replies;
};

/* ---- workers ---- */

static const char *worker_program(void)
{
    static char path[512];
    const char *build = getenv("FPSYNC_BUILD");
    snprintf(path, sizeof(path), "%s/fpsync-worker", build ? build : "build");
    return path;
}

static struct worker worker_start(struct world *world)
{
    int requests[2], replies[2];
    assert_int_equal(pipe2(requests, O_CLOEXEC), 0);
    assert_int_equal(pipe2(replies, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(requests[0], STDIN_FILENO);
        dup2(replies[1], STDOUT_FILENO);
        umask(077);
        signal(SIGTERM, SIG_IGN);
        execl(worker_program(), "fpsync-worker", world->root, NULL);
        _exit(127);
    }
    assert_true(child > 0);
    close(requests[0]);
    close(replies[1]);
    return (struct worker){.pid = child, .requests = requests[1], .replies = replies[0]};
}

static int worker_end(struct worker *worker)
{
    int status;
    close(worker->requests);
    assert_int_equal(waitpid(worker->pid, &status, 0), worker->pid);
    close(worker->replies);
    return status;
}

static struct task *task_new(struct world *world, int64_t id)
{
    struct task *task = described_new(world->arena, &task_table);
    task->id = id;
    task->deadline = now_milliseconds() + 60000;
    return task;
}

static void add(struct world *world, struct task *task, enum step_kind kind, void *request)
{
    const struct step_type *type = step_type(kind);
    task_mark(type->request, request);
    task_add_step(world->arena, task, kind, type->request, request);
}

static void add_define(struct world *world, struct task *task)
{
    struct container_definition *definition = definition_of(world, false);
    add(world, task, STEP_CONTAINER_DEFINE, definition);
}

static void add_start(struct world *world, struct task *task)
{
    struct container_start *request = described_new(world->arena, &container_start_table);
    request->lxc_name = world->name;
    add(world, task, STEP_CONTAINER_START, request);
}

static void add_destroy(struct world *world, struct task *task)
{
    struct container_reference *request = described_new(world->arena, &container_reference_table);
    request->lxc_name = world->name;
    add(world, task, STEP_CONTAINER_DESTROY, request);
}

static void add_stop(struct world *world, struct task *task, int64_t timeout)
{
    struct container_stop *request = described_new(world->arena, &container_stop_table);
    request->lxc_name = world->name;
    request->timeout = timeout;
    add(world, task, STEP_CONTAINER_STOP, request);
}

static void send_task(struct world *world, const struct worker *worker, struct task *task)
{
    task_mark(&task_table, task);
    assert_ok(task_send(worker->requests, &task_table, task, &world->error));
}

/* The final reply; NULL at the stream's end. */
static struct task_reply *receive(struct world *world, const struct worker *worker)
{
    for (;;) {
        void *object = NULL;
        int result = task_receive(worker->replies, &task_reply_table, world->arena, &object, &world->error);
        assert_ok(result);
        struct task_reply *reply = object;
        if (result == 0 || reply->done)
            return result ? reply : NULL;
        assert_non_null(reply->progress);
    }
}

/* ---- tests ---- */

static void runs_tasks_in_order(void **state)
{
    struct world *world = *state;
    struct worker worker = worker_start(world);
    struct task *up = task_new(world, 41), *down = task_new(world, 42);
    add_define(world, up);
    add_start(world, up);
    add_stop(world, down, 0);
    add_destroy(world, down);
    send_task(world, &worker, up);
    struct task_reply *reply = receive(world, &worker);
    assert_non_null(reply);
    assert_int_equal(reply->id, 41);
    if (reply->failed_step >= 0)
        fail_msg("%s", reply->message);
    assert_int_equal(reply->results.count, 2);
    const struct task_result *last = reply->results.items[1];
    assert_string_equal(last->key, "1");
    void *object;
    assert_ok(fields_decode(&container_started_table, last->result.data, last->result.size, world->arena,
                            &object, &world->error));
    struct observed_container *seen = look(world);
    assert_int_equal(((struct container_started *)object)->init_pid, seen->init_pid);
    assert_int_equal(((struct container_started *)object)->init_start, seen->init_start);
    assert_int_equal(
        run_inside(world,
                   "grep -q '^SigIgn:.*0000$' /proc/1/status && grep -q '^Umask:.0022' /proc/1/status"),
        0);
    send_task(world, &worker, down);
    reply = receive(world, &worker);
    assert_int_equal(reply->id, 42);
    assert_int_equal(reply->failed_step, -1);
    assert_int_equal(worker_end(&worker), 0);
    assert_null(look(world));
}

static void stops_at_the_first_failure(void **state)
{
    struct world *world = *state;
    struct worker worker = worker_start(world);
    struct task *task = task_new(world, 7);
    add_define(world, task);
    add_start(world, task);
    add_destroy(world, task);
    add_stop(world, task, 0);
    send_task(world, &worker, task);
    struct task_reply *reply = receive(world, &worker);
    assert_int_equal(reply->failed_step, 2);
    assert_int_equal(reply->code, -EBUSY);
    assert_non_null(strstr(reply->message, "is running"));
    assert_int_equal(reply->results.count, 2);
    assert_int_equal(worker_end(&worker), 0);
}

static void unknown_step_is_refused(void **state)
{
    struct world *world = *state;
    struct worker worker = worker_start(world);
    struct task *task = task_new(world, 7);
    task_add_step(world->arena, task, 4711, NULL, NULL);
    send_task(world, &worker, task);
    assert_int_equal(receive(world, &worker)->code, -ENOSYS);
    assert_int_equal(write(worker.requests, "\xff\xff\xff\xff", 4), 4);
    assert_null(receive(world, &worker));
    assert_int_not_equal(worker_end(&worker), 0);
}

/* The step ends at once, and what it was to do is not done. */
/* Until the guest has made /tmp/ready: before that it may be stopped by the first signal. */
static void await_ready(int watch)
{
    struct pollfd made = {.fd = watch, .events = POLLIN};
    assert_int_equal(poll(&made, 1, 20000), 1);
}

static void terminate_ends_the_step(void **state)
{
    struct world *world = *state;
    struct container_definition *definition = definition_of(world, false);
    command_of(world, definition, "trap : TERM; mkdir /tmp/ready; while :; do sleep 0.1; done");
    define(world, definition);
    char *place = arena_printf(world->arena, "%s/tmp", world->guest);
    int watch = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, place, IN_CREATE) >= 0);
    start(world);
    await_ready(watch);
    close(watch);
    struct worker worker = worker_start(world);
    struct task *task = task_new(world, 8);
    add_stop(world, task, 50000);
    send_task(world, &worker, task);
    struct pollfd early = {.fd = worker.replies, .events = POLLIN};
    assert_int_equal(poll(&early, 1, 300), 0);
    int64_t before = now_milliseconds();
    assert_int_equal(kill(worker.pid, SIGTERM), 0);
    struct task_reply *reply = receive(world, &worker);
    assert_int_equal(reply->code, -ECANCELED);
    assert_true(now_milliseconds() - before < 3000);
    assert_int_equal(worker_end(&worker), 0);
    assert_true(look(world)->running);
}

static void dies_with_its_parent(void **state)
{
    struct world *world = *state;
    int ends[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        struct worker worker = worker_start(world);
        struct task *task = task_new(world, 1);
        send_task(world, &worker, task);
        receive(world, &worker);
        if (write(ends[1], &worker.pid, sizeof(worker.pid)) > 0)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    close(ends[0]);
    close(ends[1]);
}

/* Killed at any moment of a start, a worker leaves what the next one can put right. */
static void killed_start_is_repaired(void **state)
{
    struct world *world = *state;
    define(world, definition_of(world, false));
    for (int milliseconds = 0; milliseconds < 45; milliseconds += 3) {
        struct worker worker = worker_start(world);
        struct task *task = task_new(world, 1);
        send_task(world, &worker, task);
        receive(world, &worker);
        task = task_new(world, 2);
        add_start(world, task);
        send_task(world, &worker, task);
        poll(NULL, 0, milliseconds);
        kill(worker.pid, SIGKILL);
        worker_end(&worker);
        assert_true(start(world).init_pid > 0);
        assert_true(look(world)->running);
        stop(world, 0);
    }
}

/* Runs a program inside for `fpsync exec`: its exit status, and what was said on stderr. */
static int exec_inside(const struct world *world, const char *program, char said[static 256])
{
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        execl(worker_program(), "fpsync-worker", "--exec", world->root, world->name, "shop/web", "--",
              program, NULL);
        _exit(99);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], said + length, 255 - length)) > 0;)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void exec_gives_the_status(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *program;
        int status;
        const char *said;
    } cases[] = {{"/bin/true", 0, ""},
                 {"/bin/no-such", 127, "fpsync: exec: /bin/no-such: no such program in the container\n"},
                 {"/etc/inittab", 126, "fpsync: exec: /etc/inittab: cannot be executed\n"}};
    char said[256];
    define(world, definition_of(world, false));
    assert_int_equal(exec_inside(world, "/bin/true", said), 126);
    assert_string_equal(said, "fpsync: exec: container shop/web: it is not running\n");
    start(world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(exec_inside(world, cases[i].program, said), cases[i].status);
        assert_string_equal(said, cases[i].said);
    }
}

#define SIDE_BY_SIDE 8

static int setup_many(void **state)
{
    struct world **worlds = test_calloc(SIDE_BY_SIDE, sizeof(*worlds));
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        worlds[i] = make_world("", "shop/web", false);
    *state = worlds;
    return 0;
}

static int teardown_many(void **state)
{
    struct world **worlds = *state;
    int result = 0;
    for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
        void *world = worlds[i];
        result |= teardown(&world);
    }
    test_free(worlds);
    return result;
}

static void many_side_by_side(void **state)
{
    struct world **worlds = *state;
    struct worker workers[SIDE_BY_SIDE];
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        workers[i] = worker_start(worlds[i]);
    for (int64_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
            struct task *task = task_new(worlds[i], round);
            add_define(worlds[i], task);
            add_start(worlds[i], task);
            add_stop(worlds[i], task, 0);
            add_destroy(worlds[i], task);
            send_task(worlds[i], &workers[i], task);
        }
        for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
            struct task_reply *reply = receive(worlds[i], &workers[i]);
            assert_non_null(reply);
            if (reply->failed_step >= 0)
                fail_msg("round %d, container %zu: %s", (int)round, i, reply->message);
            assert_null(look(worlds[i]));
        }
    }
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        assert_int_equal(worker_end(&workers[i]), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_unprivileged, teardown)
    const struct CMUnitTest tests[] = {
        CASE(runs_tasks_in_order),
        CASE(stops_at_the_first_failure),
        CASE(unknown_step_is_refused),
        CASE(terminate_ends_the_step),
        CASE(dies_with_its_parent),
        CASE(exec_gives_the_status),
        CASE(killed_start_is_repaired),
        cmocka_unit_test_setup_teardown(many_side_by_side, setup_many, teardown_many),
    };
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0 || access(worker_program(), X_OK) < 0) {
        puts("1..1\nok 1 - worker # SKIP needs root, /bin/busybox and fpsync-worker");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
