/* One dnsmasq a network: DHCP and names for its containers.
 *
 * It outlives the run: own session (dnsmasq makes one as it goes into the background) and own cgroup, else it would
 * die with the unit that ran fpsync. Below run/networks/BRIDGE lie its pid file, its leases and two folders it
 * watches, dhcp/ and hosts/, with the file of all names in each. Its arguments say everything else; a running one
 * whose arguments differ from what they should be is replaced. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define STRAY_ROUNDS   16
#define PROGRAM        "/usr/sbin/dnsmasq"
#define ARGUMENT_BOUND 32
#define SAID_LIMIT     4096
#define START_PATIENCE 10000 /* ms that dnsmasq may take to go into the background */
#define STOP_PATIENCE  5000  /* ms between SIGTERM and SIGKILL */
#define NAME_LENGTH    253

static int check_request(const struct paths *paths, const struct resolver *request, const struct call *call,
                         struct error *error);
static bool host_name_is_valid(const char *name);
static int write_names(const struct paths *paths, const struct resolver *request, int pidfd,
                       struct arena *arena, struct error *error);
static int remove_others(const char *folder, const char *kept, struct error *error);
static void make_arguments(const struct paths *paths, const struct resolver *request, struct arena *arena,
                           const char *arguments[ARGUMENT_BOUND]);
static bool arguments_match(int64_t pid, const char *const *arguments, struct arena *arena);
static int start(const struct resolver *request, const char *const *arguments, const struct call *call,
                 struct error *error);
static int stop(int pidfd, const char *bridge, struct error *error);
static void enter_cgroups(const char *group);
static void remove_cgroups(const char *group);

static const char *group_of(const char *bridge, struct arena *arena);
static void end_strays(const char *group);

int resolver_set(const struct paths *paths, const struct resolver *request, const struct call *call,
                 struct error *error)
{
    const char *arguments[ARGUMENT_BOUND];
    _cleanup_close_ int pidfd = -1;
    int64_t pid;
    int result = check_request(paths, request, call, error);
    if (result < 0)
        return result;
    make_arguments(paths, request, call->arena, arguments);
    if ((result = resolver_find(paths, request->bridge, call->arena, &pid, &pidfd, error)) < 0 ||
        (result = write_names(paths, request, pidfd, call->arena, error)) < 0)
        return error_wrap(error, result, "resolver of %s", request->bridge);
    if (pid && arguments_match(pid, arguments, call->arena))
        return 0;
    if (pid && (result = stop(pidfd, request->bridge, error)) < 0)
        return error_wrap(error, result, "resolver of %s", request->bridge);
    end_strays(group_of(request->bridge, call->arena));
    if ((result = start(request, arguments, call, error)) < 0)
        return error_wrap(error, result, "resolver of %s", request->bridge);
    return 0;
}

int resolver_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                    struct error *error)
{
    static const char *const parts[] = {"dhcp", "hosts"};
    static const char *const files[] = {"dnsmasq.pid", "leases", "new", RESOLVER_CHANGING};
    _cleanup_close_ int pidfd = -1;
    int64_t pid;
    int result = ifname_check(request->ifname, bridge_prefix(paths, call->arena), error);
    if (result < 0 ||
        (result = resolver_find(paths, request->ifname, call->arena, &pid, &pidfd, error)) < 0 ||
        (pid && (result = stop(pidfd, request->ifname, error)) < 0))
        return result;
    const char *folder = resolver_folder(paths, call->arena, request->ifname);
    end_strays(group_of(request->ifname, call->arena));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *part = arena_printf(call->arena, "%s/%s", folder, parts[i]);
        if ((result = remove_others(part, NULL, error)) < 0 && result != -ENOENT)
            return result;
        rmdir(part);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(arena_printf(call->arena, "%s/%s", folder, files[i]));
    if (rmdir(folder) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "%s", folder);
    remove_cgroups(group_of(request->ifname, call->arena));
    return 0;
}

static int check_request(const struct paths *paths, const struct resolver *request, const struct call *call,
                         struct error *error)
{
    uint32_t address;
    unsigned length;
    unsigned char mac[6];
    int result = ifname_check(request->bridge, bridge_prefix(paths, call->arena), error);
    if (result < 0)
        return result;
    if (prefix_parse(request->address, &address, &length) < 0 || length < 1 || length > 30)
        return error_set(error, -EINVAL, "resolver of %s: address \"%s\"", request->bridge,
                         request->address ? request->address : "");
    if (request->gateway && address_parse(request->gateway, &address) < 0)
        return error_set(error, -EINVAL, "resolver of %s: gateway \"%s\"", request->bridge, request->gateway);
    for (size_t i = 0; i < request->names.count; i++) {
        const struct resolver_name *name = request->names.items[i];
        if (!name->container || !full_name_is_valid(name->container))
            return error_set(error, -EINVAL, "resolver of %s: container \"%s\"", request->bridge,
                             name->container ? name->container : "");
        if (mac_parse(name->mac, mac) < 0 || address_parse(name->address, &address) < 0 || !name->names.count)
            return error_set(error, -EINVAL, "resolver of %s: container %s lacks MAC, address or name",
                             request->bridge, name->container);
        for (size_t j = 0; j < name->names.count; j++)
            if (!host_name_is_valid(name->names.items[j]))
                return error_set(error, -EINVAL, "resolver of %s: host name \"%s\"", request->bridge,
                                 name->names.items[j]);
    }
    return 0;
}

static bool host_name_is_valid(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t length = strlen(name);
    return length && length <= NAME_LENGTH && strspn(name, legal) == length && *name != '.' && *name != '-';
}

static int write_mark(const char *path, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? error_errno(error, -errno, "%s", path) : 0;
}

/* New files are noticed by dnsmasq itself, one folder after the other. What the signal adds is that it forgets what
 * stands in dhcp/ no longer, sees both in one state, and sees them at all after somebody removed the folders, which
 * it then watches no more. A run that ends between the files and the signal leaves its mark. */
static int write_names(const struct paths *paths, const struct resolver *request, int pidfd,
                       struct arena *arena, struct error *error)
{
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0};
    const char *folder = resolver_folder(paths, arena, request->bridge);
    const char *leases = arena_printf(arena, "%s/dhcp", folder),
               *answers = arena_printf(arena, "%s/hosts", folder);
    const char *temporary = arena_printf(arena, "%s/new", folder); /* outside of what dnsmasq watches */
    const char *mark = arena_printf(arena, "%s/" RESOLVER_CHANGING, folder);
    int result;
    /* Readable for the user that dnsmasq becomes: it reads a changed file as that. */
    if ((result = run_folder_make(leases, 0755, error)) < 0 ||
        (result = run_folder_make(answers, 0755, error)) < 0)
        return result;
    resolver_texts(&request->names, &dhcp, &hosts);
    if (access(mark, F_OK) < 0 && holds_only(leases, RESOLVER_NAMES) && holds_only(answers, RESOLVER_NAMES) &&
        file_reads(leases, RESOLVER_NAMES, dhcp.bytes, dhcp.length) &&
        file_reads(answers, RESOLVER_NAMES, hosts.bytes, hosts.length))
        return 0;
    if ((result = write_mark(mark, error)) < 0 ||
        (result = remove_others(leases, RESOLVER_NAMES, error)) < 0 ||
        (result = remove_others(answers, RESOLVER_NAMES, error)) < 0 ||
        (result = file_replace(leases, RESOLVER_NAMES, temporary, dhcp.bytes, dhcp.length, error)) < 0 ||
        (result = file_replace(answers, RESOLVER_NAMES, temporary, hosts.bytes, hosts.length, error)) < 0)
        return result;
    if (pidfd >= 0 && pidfd_send_signal(pidfd, SIGHUP, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(error, -errno, "reload");
    return unlink(mark) < 0 ? error_errno(error, -errno, "%s", mark) : 0;
}

static int remove_others(const char *folder, const char *kept, struct error *error)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return error_errno(error, -errno, "%s", folder);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        if (!is_other(entry, kept))
            continue;
        if (unlinkat(dirfd(entries), entry->d_name, 0) < 0 && errno != ENOENT)
            result = error_errno(error, -errno, "%s/%s", folder, entry->d_name);
    }
    closedir(entries);
    return result;
}

/* Upstream is what the host's own resolv.conf names, which dnsmasq watches by default. Bare names and *.internal
 * never leave the host; no other suffix is held back, a project's name may be a real domain's. */
static void make_arguments(const struct paths *paths, const struct resolver *request, struct arena *arena,
                           const char *arguments[ARGUMENT_BOUND])
{
    const char *folder = resolver_folder(paths, arena, request->bridge);
    char subnet[PREFIX_TEXT_SIZE], mask[PREFIX_TEXT_SIZE];
    uint32_t address;
    unsigned length;
    prefix_parse(request->address, &address, &length);
    uint32_t bits = htonl(UINT32_MAX << (32 - length));
    prefix_print(address & bits, length, subnet);
    prefix_print(bits, length, mask);
    *strchr(subnet, '/') = *strchr(mask, '/') = '\0';
    const char *all[] = {
        PROGRAM,
        "--conf-file=/dev/null",
        arena_printf(arena, "--pid-file=%s", resolver_pid_file(paths, arena, request->bridge)),
        arena_printf(arena, "--interface=%s", request->bridge),
        "--except-interface=lo",
        "--bind-dynamic",
        "--no-hosts",
        "--domain-needed",
        "--bogus-priv",
        "--local=/internal/",
        arena_printf(arena, "--hostsdir=%s/hosts", folder),
        arena_printf(arena, "--dhcp-hostsdir=%s/dhcp", folder),
        arena_printf(arena, "--dhcp-leasefile=%s/leases", folder),
        arena_printf(arena, "--dhcp-range=%s,static,%s,1h", subnet, mask),
        /* Without a value the option is not sent: a second default route would compete with the first. */
        arena_printf(arena, "--dhcp-option=tag:" RESOLVER_ROUTED ",option:router%s%s",
                     request->gateway ? "," : "", request->gateway ? request->gateway : ""),
        "--dhcp-option=tag:!" RESOLVER_ROUTED ",option:router",
        "--dhcp-ignore=tag:!known",
        "--dhcp-authoritative",
        request->isolated ? "--no-resolv" : NULL,
        NULL,
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) <= ARGUMENT_BOUND, "room for all arguments");
    memcpy(arguments, all, sizeof(all));
}

static bool arguments_match(int64_t pid, const char *const *arguments, struct arena *arena)
{
    _cleanup_buffer_ struct buffer wanted = {0}, running = {0};
    for (; *arguments; arguments++)
        buffer_add(&wanted, *arguments, strlen(*arguments) + 1);
    return buffer_read_file(&running, AT_FDCWD, arena_printf(arena, "/proc/%" PRId64 "/cmdline", pid), 65536,
                            NULL) == 0 &&
           running.length == wanted.length && memcmp(running.bytes, wanted.bytes, wanted.length) == 0;
}

/* In the child, between fork and exec; what it says there goes to the parent's pipe. */
static void __attribute__((noreturn))
become_resolver(const char *group, const char *const *arguments, int said, pid_t worker)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    umask(022);
    /* Until it detaches, it ends with the worker that waits for it: it would be in the way of the next run's. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != worker)
        _exit(126);
    enter_cgroups(group);
    int null = open("/dev/null", O_RDWR);
    if (setsid() < 0 || chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(said, 2) < 0)
        _exit(126);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(PROGRAM, (char *const *)arguments, (char *const *)environment);
    dprintf(2, "%s: %s", PROGRAM, strerror(errno));
    _exit(127);
}

/* dnsmasq's first process ends when the second one has bound its sockets and written its pid file, or with a
 * message why not: its end is the end of the start. */
static int start(const struct resolver *request, const char *const *arguments, const struct call *call,
                 struct error *error)
{
    _cleanup_close_ int said = -1, say = -1;
    _cleanup_buffer_ struct buffer text = {0};
    int ends[2], status;
    const char *group = group_of(request->bridge, call->arena);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "pipe");
    said = ends[0];
    say = ends[1];
    pid_t worker = getpid(), child = fork();
    if (child < 0)
        return error_errno(error, -errno, "fork");
    if (child == 0)
        become_resolver(group, arguments, say, worker);
    close(TAKE_FD(say));
    int64_t until = now_milliseconds() + START_PATIENCE;
    int result = 0;
    /* The daemon gives its stderr up when it detaches, so the pipe's end means that the start is over. */
    while (result == 0) {
        struct pollfd ready = {.fd = said, .events = POLLIN};
        char piece[512];
        int64_t left = until - now_milliseconds();
        int count = poll(&ready, 1, left > 0 ? (int)left : 0);
        ssize_t length = count > 0 ? read(said, piece, sizeof(piece)) : -1;
        if (count == 0)
            result = error_errno(error, -ETIMEDOUT, "start of dnsmasq");
        else if (length > 0 && text.length < SAID_LIMIT)
            buffer_add(&text, piece, (size_t)length);
        else if (length == 0)
            break;
        else if (length < 0 && errno != EINTR)
            result = error_errno(error, -errno, "start of dnsmasq");
    }
    if (result < 0)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        for (size_t i = 0; i < text.length; i++)
            if (text.bytes[i] < ' ' || text.bytes[i] > '~')
                text.bytes[i] = ' ';
        result = error_set(error, -EIO, "dnsmasq did not start: %s", text.bytes ? text.bytes : "no message");
    }
    return result;
}

static int stop(int pidfd, const char *bridge, struct error *error)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (pidfd_send_signal(pidfd, signals[i], NULL, 0) < 0)
            return errno == ESRCH ? 0 : error_errno(error, -errno, "dnsmasq of %s", bridge);
        struct pollfd over = {.fd = pidfd, .events = POLLIN};
        int64_t until = now_milliseconds() + STOP_PATIENCE;
        for (int64_t left = STOP_PATIENCE; left > 0; left = until - now_milliseconds())
            if (poll(&over, 1, (int)left) > 0)
                return 0;
    }
    return error_set(error, -ETIMEDOUT, "dnsmasq of %s does not end", bridge);
}

static const char *group_of(const char *bridge, struct arena *arena)
{
    return arena_printf(arena, "fpsync-%s", bridge);
}

/* Every hierarchy below /sys/fs/cgroup, and v2's own when it is the whole. A controller that does not take the
 * process (cpuset without CPUs, say) keeps it where it is: that limits it, and ends nothing. */
static void each_cgroup(const char *group, void (*act)(int hierarchy, const char *group))
{
    _cleanup_close_ int root = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return;
    if (faccessat(root, "cgroup.procs", F_OK, 0) == 0) {
        act(root, group);
        return;
    }
    int again = dup(root);
    DIR *hierarchies = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; hierarchies && (entry = readdir(hierarchies));) {
        if (entry->d_name[0] == '.')
            continue;
        _cleanup_close_ int hierarchy =
            openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (hierarchy >= 0 && faccessat(hierarchy, "cgroup.procs", F_OK, 0) == 0)
            act(hierarchy, group);
    }
    if (hierarchies)
        closedir(hierarchies);
    else if (again >= 0)
        close(again);
}

static void enter_cgroup(int hierarchy, const char *group)
{
    char path[64];
    if (mkdirat(hierarchy, group, 0755) < 0 && errno != EEXIST)
        return;
    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    _cleanup_close_ int procs = openat(hierarchy, path, O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) < 0)
        unlinkat(hierarchy, group, AT_REMOVEDIR);
}

/* ---- what a killed run left half started ----
 *
 * Between binding its sockets and writing its pid file a dnsmasq can be neither found nor started beside. But it was
 * in its group before it was a dnsmasq: what is there and has no pid file is such a one, and ends. */

static bool is_resolver_or_worker(int pid)
{
    char path[64], program[PATH_MAX], own[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t length = readlink(path, program, sizeof(program) - 1),
            own_length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (length <= 0 || own_length <= 0)
        return false;
    program[length] = own[own_length] = '\0';
    return strcmp(program, PROGRAM) == 0 || strcmp(program, own) == 0;
}

/* Kills one stray and waits for its end, so that its sockets are free. */
static void end_stray(int pid)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || pid == getpid() || !is_resolver_or_worker(pid) ||
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
        return;
    struct pollfd over = {.fd = pidfd, .events = POLLIN};
    poll(&over, 1, STOP_PATIENCE);
}

static void end_strays_in(int hierarchy, const char *group)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    for (int round = 0; round < STRAY_ROUNDS; round++) { /* what is killed may have forked just before */
        _cleanup_buffer_ struct buffer list = {0};
        if (buffer_read_file(&list, hierarchy, path, 1 << 16, NULL) < 0 || !list.length)
            return;
        for (char *at = list.bytes; *at; at += strcspn(at, "\n"), at += *at == '\n')
            end_stray(atoi(at));
    }
}

static void end_strays(const char *group)
{
    each_cgroup(group, end_strays_in);
}

static void remove_cgroup(int hierarchy, const char *group)
{
    unlinkat(hierarchy, group, AT_REMOVEDIR); /* refused while anything lives in it */
}

static void enter_cgroups(const char *group)
{
    each_cgroup(group, enter_cgroup);
}

static void remove_cgroups(const char *group)
{
    each_cgroup(group, remove_cgroup);
}
