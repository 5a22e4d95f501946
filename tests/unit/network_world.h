/* A small world for tests of the network family: an own network namespace with a /sys of its own, a root below /tmp,
 * guests that are processes in namespaces of their own, and sockets made inside those. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/network/network.h"
#include "lib/error.h"

#define WORLD_MARK "fpsync 0001 test/"

struct world {
    struct paths paths;
    struct arena *arena;
    struct call call;
    struct error error;
    char root[64];
};

struct guest {
    pid_t pid;
    int64_t start;
};

#define must(expression, world)                                                                              \
    do {                                                                                                     \
        int must_ = (expression);                                                                            \
        if (must_ < 0)                                                                                       \
            fail_msg("%s: %d %s", #expression, must_, (world)->error.text);                                  \
    } while (0)

static inline void world_enter_namespaces(void)
{
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    /* A /sys of this network namespace: the old one shows the host's interfaces. Cgroups stay reachable in it. */
    int cgroups = open("/sys/fs/cgroup", O_PATH | O_CLOEXEC);
    assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
    if (cgroups >= 0) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", cgroups);
        assert_int_equal(mount(path, "/sys/fs/cgroup", NULL, MS_BIND | MS_REC, NULL), 0);
        close(cgroups);
    }
}

static inline void world_open(struct world *world)
{
    memset(world, 0, sizeof(*world));
    strcpy(world->root, "/tmp/fpnet.XXXXXX");
    assert_non_null(mkdtemp(world->root));
    assert_int_equal(chmod(world->root, 0711), 0); /* as any root: dnsmasq reads below it as its own user */
    world->arena = arena_new();
    world->call = (struct call){.arena = world->arena, .cancel = -1};
    must(paths_make(world->root, world->arena, &world->paths, &world->error), world);
}

static inline void world_remove_tree(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/rm", "rm", "-rf", "--", path, NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
}

static inline void world_close(struct world *world)
{
    world_remove_tree(world->root);
    arena_free(world->arena);
}

static inline int64_t process_start(pid_t pid)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    const char *at = strrchr(text, ')');
    for (int field = 2; field < 22; field++)
        at = strchr(at + 1, ' ');
    return atoll(at);
}

static inline struct guest guest_new(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return (struct guest){.pid = pid, .start = process_start(pid)};
}

static inline void guest_end(struct guest *guest)
{
    if (guest->pid > 0) {
        kill(guest->pid, SIGKILL);
        waitpid(guest->pid, NULL, 0);
    }
    guest->pid = 0;
}

/* Runs `act` in a thread inside the guest's namespace; what sockets it opens stay there. */
struct inside_job {
    pid_t pid;
    int (*act)(void *);
    void *context;
    int result;
};

static inline void *inside_thread(void *argument)
{
    struct inside_job *job = argument;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)job->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    job->result = fd < 0 || setns(fd, CLONE_NEWNET) < 0 ? -errno : job->act(job->context);
    close(fd);
    return NULL;
}

static inline int inside(const struct guest *guest, int (*act)(void *), void *context)
{
    struct inside_job job = {.pid = guest->pid, .act = act, .context = context};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, inside_thread, &job), 0);
    pthread_join(thread, NULL);
    return job.result;
}

struct socket_request {
    int domain, type, protocol;
};

static inline int open_socket(void *context)
{
    struct socket_request *request = context;
    int fd = socket(request->domain, request->type | SOCK_CLOEXEC, request->protocol);
    return fd < 0 ? -errno : fd;
}

/* NULL guest: here. */
static inline int guest_socket(const struct guest *guest, int domain, int type, int protocol)
{
    struct socket_request request = {domain, type, protocol};
    int fd = guest ? inside(guest, open_socket, &request) : open_socket(&request);
    assert_true(fd >= 0);
    return fd;
}

/* Fixed programs for what the test itself does to the world (`ip`, `nft`). 0 when it succeeded. */
static inline int run_program(const struct guest *guest, const char *const *arguments)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char path[64];
        if (guest) {
            snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)guest->pid);
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                _exit(126);
        }
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
#define run(guest, ...) assert_int_equal(run_program((guest), (const char *const[]){__VA_ARGS__, NULL}), 0)

/* ---- requests ---- */

static inline struct rule_network *rule_network(struct arena *arena, const char *bridge, const char *subnet)
{
    struct rule_network *network = described_new(arena, &rule_network_table);
    network->bridge = bridge;
    network->subnet = subnet;
    network->described.present = 15; /* no NAT address */
    return network;
}

static inline struct rule_guard *rule_guard(struct arena *arena, const char *port, const char *mac,
                                            const char *address)
{
    struct rule_guard *guard = described_new(arena, &rule_guard_table);
    guard->port = port;
    guard->mac = mac;
    guard->address = address;
    guard->described.present = 15 | 32; /* all but address6 */
    return guard;
}

static inline struct rule_forward *rule_forward(struct arena *arena, const char *address, int64_t host,
                                                const char *protocol, const char *target, int64_t guest)
{
    struct rule_forward *forward = described_new(arena, &rule_forward_table);
    forward->listen =
        arena_printf(arena, "%s%s%d/%s", address ? address : "", address ? ":" : "", (int)host, protocol);
    forward->protocol = protocol;
    forward->address = address;
    forward->host = host;
    forward->target = target;
    forward->guest = guest;
    forward->count = 1;
    forward->described.present = address ? 255 : 255 & ~4;
    return forward;
}

static inline void add(struct arena *arena, struct list *list, void *item)
{
    *arena_append(arena, list->items, list->count) = item;
}

static inline int compare_items(const void *left, const void *right)
{
    const struct rule_network *const *a = left, *const *b = right;
    return strcmp((*a)->bridge, (*b)->bridge);
}

static inline void sort(struct list *list)
{
    qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

static inline struct rule_asker *rule_asker(struct arena *arena, const char *bridge, const char *address,
                                            const char *server, const char *resolver)
{
    struct rule_asker *asker = described_new(arena, &rule_asker_table);
    asker->bridge = bridge;
    asker->address = address;
    asker->server = server;
    asker->resolver = resolver;
    asker->described.present = 15;
    return asker;
}

static inline struct rules *rules_new(struct arena *arena)
{
    struct rules *rules = described_new(arena, &rules_table);
    rules->described.present = 15;
    return rules;
}
