/* What tests of real containers share: an fpsync root of its own below /tmp, a busybox root file system in it, and the
 * container family's calls with their outcome checked. Included by one program at a time, so all is static. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"

#define ID_BASE  0x71000000
#define UID      "0123abcd"
#define MEBIBYTE (1024 * 1024)

/* One fpsync root with one guest's root file system in it. */
struct world {
    char root[128];
    const char *name; /* LXC name */
    char place[240];
    char guest[256]; /* its root file system, in there */
    struct arena *arena;
    struct paths paths;
    struct call call;
    struct error error;
};

#define assert_ok(call_)                                                                                     \
    do {                                                                                                     \
        int outcome_ = (call_);                                                                              \
        if (outcome_ < 0)                                                                                    \
            fail_msg("%s: %d: %s", #call_, outcome_, world->error.text);                                     \
    } while (0)

/* ---- the world ---- */

static inline void copy_file(const char *from, const char *to)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct error error = {0};
    if (buffer_read_file(&bytes, AT_FDCWD, from, 64 * MEBIBYTE, &error) < 0)
        fail_msg("%s", error.text);
    _cleanup_close_ int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.bytes, bytes.length), bytes.length);
}

static inline void write_text(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void make_folders(const char *path)
{
    char part[512];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0755);
        *slash = '/';
    }
    mkdir(part, 0755);
}

static inline int own(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return lchown(path, ID_BASE, ID_BASE);
}

static inline int drop(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static inline const char *in_guest(struct world *world, const char *path)
{
    return arena_printf(world->arena, "%s%s", world->guest, path);
}

static inline const char *small_init(void)
{
    static char path[512];
    const char *build = getenv("FPSYNC_BUILD");
    snprintf(path, sizeof(path), "%s/fpsync-init", build ? build : "build");
    return path;
}

static inline void furnish(struct world *world)
{
    static const char *const folders[] = {"/bin", "/sbin", "/etc",  "/proc", "/sys",
                                          "/dev", "/tmp",  "/root", "/run",  "/.fpsync"};
    static const char *const links[] = {"/bin/sh",  "/bin/grep",  "/bin/sleep", "/bin/true", "/bin/test",
                                        "/bin/cat", "/sbin/init", "/bin/mount", "/bin/kill", "/bin/ip"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        make_folders(in_guest(world, folders[i]));
    copy_file("/bin/busybox", in_guest(world, "/bin/busybox"));
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
        assert_int_equal(symlink("/bin/busybox", in_guest(world, links[i])), 0);
    write_text(in_guest(world, "/etc/inittab"), "::respawn:/bin/sleep 1000000\n");
    copy_file(small_init(), in_guest(world, "/.fpsync/init"));
}

static inline struct world *make_world(const char *tail, const char *full_name, bool privileged)
{
    struct world *world = test_calloc(1, sizeof(*world));
    snprintf(world->root, sizeof(world->root), "/tmp/fpc-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    assert_int_equal(chmod(world->root, 0711), 0);
    strcat(world->root, tail);
    world->arena = arena_new();
    world->call = (struct call){.arena = world->arena, .cancel = -1, .deadline = now_milliseconds() + 60000};
    assert_ok(paths_make(world->root, world->arena, &world->paths, &world->error));
    world->name = paths_lxc_name(&world->paths, world->arena, full_name);
    snprintf(world->place, sizeof(world->place), "%s/%s", world->paths.mounts, world->name);
    snprintf(world->guest, sizeof(world->guest), "%s/" PATHS_ROOT, world->place);
    make_folders(world->guest);
    furnish(world);
    if (!privileged)
        assert_int_equal(nftw(world->guest, own, 16, FTW_PHYS), 0);
    return world;
}

static inline int setup_unprivileged(void **state)
{
    *state = make_world("", "shop/web", false);
    return 0;
}

static inline int setup_privileged(void **state)
{
    *state = make_world("", "shop/web", true);
    return 0;
}

/* Socket names of such a length are hashed by liblxc. */
static inline int setup_deep(void **state)
{
    *state = make_world("/a23456789/b23456789/c23456789/d2345678",
                        "averyveryverylongprojectname/withalongname1", false);
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    const struct container_stop stop = {.lxc_name = world->name};
    const struct container_reference reference = {.lxc_name = world->name};
    world->call.deadline = now_milliseconds() + 30000;
    int stopped = container_effects.stop(&world->paths, &stop, &world->call, &world->error);
    int destroyed = container_effects.destroy(&world->paths, &reference, &world->call, &world->error);
    char top[32];
    snprintf(top, sizeof(top), "%.*s", 15, world->root); /* "/tmp/fpc-XXXXXX" */
    nftw(top, drop, 16, FTW_PHYS | FTW_DEPTH);
    bool gone = access(top, F_OK) < 0;
    if (stopped < 0 || destroyed < 0 || !gone)
        print_error("teardown: %s\n", world->error.text);
    arena_free(world->arena);
    test_free(world);
    return stopped < 0 || destroyed < 0 || !gone ? -1 : 0;
}

/* ---- doing things ---- */

static inline struct container_definition *definition_of(struct world *world, bool privileged)
{
    struct container_definition *definition = described_new(world->arena, &container_definition_table);
    definition->lxc_name = world->name;
    definition->uid = UID;
    definition->generation = 3;
    definition->root = world->place;
    definition->id_base = privileged ? 0 : ID_BASE;
    definition->hostname = "web";
    struct pair *pair = arena_append(world->arena, definition->env.items, definition->env.count);
    *pair = (struct pair){.key = "GREETING", .value = "hello \"world\" $x"};
    definition->limits->memory = 64 * MEBIBYTE;
    definition->limits->cpus = 500;
    definition->limits->pids = 100;
    return definition;
}

static inline void command_of(struct world *world, struct container_definition *definition,
                              const char *script)
{
    static const char *const words[] = {"/bin/sh", "-c"};
    for (size_t i = 0; i < 2; i++)
        *arena_append(world->arena, definition->command.items, definition->command.count) = words[i];
    *arena_append(world->arena, definition->command.items, definition->command.count) = script;
}

static inline const char *define(struct world *world, const struct container_definition *definition)
{
    struct container_defined defined = {0};
    assert_ok(container_effects.define(&world->paths, definition, &world->call, &defined, &world->error));
    assert_non_null(defined.config_digest);
    return defined.config_digest;
}

static inline struct container_started start(struct world *world)
{
    const struct container_start reference = {.lxc_name = world->name};
    struct container_started started = {0};
    assert_ok(container_effects.start(&world->paths, &reference, &world->call, &started, &world->error));
    return started;
}

static inline void stop(struct world *world, int64_t timeout)
{
    const struct container_stop request = {.lxc_name = world->name, .timeout = timeout};
    assert_ok(container_effects.stop(&world->paths, &request, &world->call, &world->error));
}

static inline void destroy(struct world *world)
{
    const struct container_reference reference = {.lxc_name = world->name};
    assert_ok(container_effects.destroy(&world->paths, &reference, &world->call, &world->error));
}

/* `known`: what an earlier look told of its init, or NULL. */
static inline struct observed_container *look_knowing(struct world *world, struct known_init *known)
{
    struct observed_containers all;
    _cleanup_map_ struct map inits = {0};
    map_add(&inits, world->name, known);
    assert_ok(container_view.dump(&world->paths, &inits, &world->call, &all, &world->error));
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.items[i].lxc_name, world->name) == 0)
            return &all.items[i];
    return NULL;
}

static inline struct observed_container *look(struct world *world)
{
    return look_knowing(world, NULL);
}

/* container_exec() talks to the caller's streams and forks: run it where that does no harm. */
static inline int run_inside(struct world *world, const char *script)
{
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
    pid_t child = fork();
    if (child == 0) {
        struct error error = {0};
        int result = container_exec(&world->paths, world->name, argv, &error);
        if (result < 0)
            fprintf(stderr, "%s\n", error.text);
        _exit(result < 0 ? 255 : result);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static inline void await_end(int64_t pid)
{
    _cleanup_close_ int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        assert_int_equal(poll(&end, 1, 10000), 1);
}
