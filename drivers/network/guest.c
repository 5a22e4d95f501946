/* The network namespace of a running container: found by its init, and settings there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

/* Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so counting begins behind its last ')'. */
static int read_start(struct arena *arena, int64_t pid, int64_t *start)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result =
        buffer_read_file(&text, AT_FDCWD, arena_printf(arena, "/proc/%" PRId64 "/stat", pid), 4096, NULL);
    if (result < 0)
        return result;
    const char *at = strrchr(text.bytes, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%" SCNd64, start) == 1 ? 0 : -ESRCH;
}

/* A pid may be reused at any time: the start time is compared after the namespace was opened, so that what was
 * opened is the container's. */
int guest_namespace(int64_t init_pid, int64_t init_start, struct arena *arena, struct error *error)
{
    int64_t start = 0;
    const char *path = arena_printf(arena, "/proc/%" PRId64 "/ns/net", init_pid);
    _cleanup_close_ int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || read_start(arena, init_pid, &start) < 0 || start != init_start)
        return error_set(error, -ESRCH, "the container's init %" PRId64 " is gone", init_pid);
    return TAKE_FD(namespace);
}

/* ---- settings ---- */

struct setting {
    int namespace;
    const char *path, *value;
    int result;
    struct error *error;
};

/* Below /proc/sys/net every thread sees the namespace that it is in; the thread ends in it. */
static void *write_inside(void *context)
{
    struct setting *setting = context;
    setting->result = setns(setting->namespace, CLONE_NEWNET) < 0
                          ? error_errno(setting->error, -errno, "network namespace of a container")
                          : setting_write(setting->path, setting->value, setting->error);
    return NULL;
}

static void *read_inside(void *context)
{
    struct setting *setting = context;
    setting->result =
        setns(setting->namespace, CLONE_NEWNET) == 0 && setting_reads(setting->path, setting->value);
    return NULL;
}

static bool reads_there(int namespace, const char *path, const char *value)
{
    struct setting setting = {.namespace = namespace, .path = path, .value = value};
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_inside, &setting) != 0)
        return false;
    pthread_join(thread, NULL);
    return setting.result;
}

static int write_there(int namespace, const char *path, const char *value, struct error *error)
{
    struct setting setting = {.namespace = namespace, .path = path, .value = value, .error = error};
    pthread_t thread;
    int result = pthread_create(&thread, NULL, write_inside, &setting);
    if (result != 0)
        return error_errno(error, -result, "thread for a network namespace");
    pthread_join(thread, NULL);
    return setting.result;
}

/* The switch sets what stands on every interface, but only when it is turned: one that another hand changed on an
 * interface alone needs it turned twice. */
static int turn_switch(int namespace, const char *path, bool on, struct error *error)
{
    int result = on ? write_there(namespace, path, "0", error) : 0;
    return result < 0 ? result : write_there(namespace, path, on ? "1" : "0", error);
}

#define SETTING_SIZE 128
/* A setting of IPv6, which the kernel may be without. The name is the guest's choice and goes into a path. */
static bool path_of6(const char *ifname, const char *setting, char path[static SETTING_SIZE])
{
    if (ifname_is_valid(ifname))
        snprintf(path, SETTING_SIZE, "/proc/sys/net/ipv6/conf/%s/%s", ifname, setting);
    return ifname_is_valid(ifname);
}

static int set_of6(int namespace, const char *ifname, const char *setting, const char *value,
                   struct error *error)
{
    char path[SETTING_SIZE];
    struct error failure;
    if (!path_of6(ifname, setting, path))
        return 0;
    int result = write_there(namespace, path, value, &failure);
    return result == 0 || result == -ENOENT ? 0 : error_set(error, result, "%s", failure.text);
}

int guest_heed_routers(int namespace, const char *ifname, bool heed, struct error *error)
{
    int result = set_of6(namespace, ifname, "accept_ra", heed ? "1" : "0", error);
    return result < 0 ? result : set_of6(namespace, ifname, "autoconf", heed ? "1" : "0", error);
}

int guest_begin_ipv6(int namespace, const char *ifname, struct error *error)
{
    char path[SETTING_SIZE];
    if (path_of6(ifname, "disable_ipv6", path) && reads_there(namespace, path, "1"))
        return 0; /* the guest turned it off, and asks nobody */
    int result = set_of6(namespace, ifname, "disable_ipv6", "1", error);
    return result < 0 ? result : set_of6(namespace, ifname, "disable_ipv6", "0", error);
}

int guest_forwarding_set(const struct paths *paths, const struct guest_forwarding *request,
                         const struct call *call, struct error *error)
{
    (void)paths;
    _cleanup_close_ int namespace =
        guest_namespace(request->init_pid, request->init_start, call->arena, error);
    if (namespace < 0)
        return namespace;
    int result = turn_switch(namespace, "/proc/sys/net/ipv4/ip_forward", request->on, error);
    return result < 0 || !request->with6
               ? result
               : turn_switch(namespace, "/proc/sys/net/ipv6/conf/all/forwarding", request->on, error);
}
