/* The sandboxes of `get`, which speaks to servers and can do nothing else, and of `resolve`, which only reads.
 *
 * A user namespace of one id that nobody has; a file system in memory that holds copies of a few files, so that names
 * resolve and servers are verified, and is then read-only; the host's network, by sockets of IP alone: the abstract
 * sockets of the host's services lie in the network's namespace, too. Threads are allowed, since libcurl resolves in
 * one; programs are not. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "drivers/image/fetch/get.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define NOBODY_ID    0x6fff0000u /* below the pool that containers' ranges are leased from (SEMANTICS 11) */
#define FILE_LIMIT   ((size_t)4 << 20)
#define MEMORY_LIMIT ((rlim_t)1 << 30)
#define THREADS      16
#define BUNDLE       "/etc/ssl/certs/ca-certificates.crt"

struct files { /* what comes along */
    struct buffer resolver, hosts, certificates, revoked;
};

static int read_files(const struct get_request *request, struct files *files, struct error *error)
{
    struct error unused;
    buffer_text(&files->resolver, "");
    buffer_text(&files->hosts, "");
    buffer_read_file(&files->resolver, AT_FDCWD, "/etc/resolv.conf", FILE_LIMIT, &unused);
    buffer_read_file(&files->hosts, AT_FDCWD, "/etc/hosts", FILE_LIMIT, &unused);
    if (request->crl)
        buffer_text(&files->revoked, request->crl);
    if (request->ca) {
        buffer_text(&files->certificates, request->ca);
        return 0;
    }
    int result = buffer_read_file(&files->certificates, AT_FDCWD, BUNDLE, FILE_LIMIT, error);
    return result == -ENOENT ? error_set(error, -ENOENT, BUNDLE " is missing: apt install ca-certificates")
                             : result;
}

static int write_map(pid_t pid, const char *name)
{
    char path[64], line[32];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int length = snprintf(line, sizeof(line), "0 %u 1\n", NOBODY_ID);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : bytes_write(fd, line, (size_t)length);
}

/* A map to an id other than one's own can be written only by who stayed outside. */
static pid_t fork_mapper(int ready, int other_end)
{
    pid_t parent = getpid(), pid = fork();
    char byte;
    if (pid != 0)
        return pid;
    close(other_end);
    if (read(ready, &byte, 1) != 1)
        _exit(1);
    int result = write_map(parent, "uid_map");
    if (result == 0)
        result = write_map(parent, "gid_map");
    _exit(-result);
}

static int unshare_all(int more, struct error *error)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    _cleanup_close_ int ready = ends[0], go = ends[1];
    pid_t mapper = fork_mapper(ready, go);
    if (mapper < 0)
        return error_errno(error, -errno, "cannot fork");
    int result =
        unshare(more | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0
            ? error_errno(error, -errno, "cannot make namespaces")
            : 0;
    if (result < 0)
        kill(mapper, SIGKILL);
    else if (write(go, "", 1) != 1)
        result = error_errno(error, -errno, "cannot map ids");
    while (waitpid(mapper, &status, 0) < 0 && errno == EINTR)
        ;
    if (result == 0 && status != 0)
        result = error_errno(error, -WEXITSTATUS(status), "cannot map ids");
    if (result == 0 && (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        result = error_errno(error, -errno, "cannot take another id");
    return result;
}

static int put_file(const char *path, const struct buffer *content, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    int result = fd < 0 ? -errno : bytes_write(fd, content->bytes, content->length);
    return result < 0 ? error_errno(error, result, "%s of the sandbox", path) : 0;
}

/* Of the name services those that are part of the C library: the others are loaded from files. */
static int fill_root(const struct files *files, struct error *error)
{
    static char order[] = "hosts: files dns\n";
    const struct buffer services = {.bytes = order, .length = sizeof(order) - 1};
    if (mkdir("etc", 0755) < 0)
        return error_errno(error, -errno, "etc of the sandbox");
    int result = put_file("etc/resolv.conf", &files->resolver, error);
    if (result == 0)
        result = put_file("etc/hosts", &files->hosts, error);
    if (result == 0)
        result = put_file("etc/nsswitch.conf", &services, error);
    if (result == 0)
        result = put_file(&GET_CA_PATH[1], &files->certificates, error);
    return result < 0 || !files->revoked.length ? result : put_file(&GET_CRL_PATH[1], &files->revoked, error);
}

static int enter_root(const struct files *files, struct error *error)
{
    static const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    umask(022);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("fpsync", "/proc", "tmpfs", flags, "size=16m,mode=0755") < 0 || chdir("/proc") < 0)
        return error_errno(error, -errno, "cannot mount the sandbox's root");
    int result = files ? fill_root(files, error) : 0;
    if (result < 0)
        return result;
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | flags, "size=16m") < 0)
        return error_errno(error, -errno, "cannot enter the sandbox's root");
    return 0;
}

static int set_limits(int64_t limit, struct error *error)
{
    const struct {
        int resource;
        rlim_t value;
    } limits[] = {
#ifndef FPSYNC_SANITIZED /* the shadow alone takes terabytes */
        {RLIMIT_AS, MEMORY_LIMIT},
#endif
        {RLIMIT_FSIZE, (rlim_t)limit}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, THREADS},
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit value = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &value) < 0)
            return error_errno(error, -errno, "cannot set a limit");
    }
    return 0;
}

/* The change of ids has cleared what a parent's death does. */
static int drop_capabilities(struct error *error)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability) < 0)
            return error_errno(error, -errno, "cannot drop capability %d", capability);
    if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(error, -errno, "cannot drop capabilities");
    return 0;
}

static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(openat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fcntl),
    SCMP_SYS(ioctl),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mprotect),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(uname),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sysinfo),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(sched_getaffinity),
};

#define SOCKET_TYPE 0xfu /* of the argument; the rest are flags */

static int add_client_rules(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; result == 0 && i < sizeof(families) / sizeof(families[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    if (result ==
        0) /* with which libcurl wakes itself; one of datagrams could be sent from to the host's services */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_STREAM));
    if (result == 0) /* a thread; a process would lack the flag */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD));
    return result;
}

static int add_reader_rules(scmp_filter_ctx filter)
{
    static const int reading[] = {
        SCMP_SYS(read),           SCMP_SYS(write),       SCMP_SYS(lseek),        SCMP_SYS(close),
        SCMP_SYS(fstat),          SCMP_SYS(brk),         SCMP_SYS(mmap),         SCMP_SYS(munmap),
        SCMP_SYS(mremap),         SCMP_SYS(madvise),     SCMP_SYS(futex),        SCMP_SYS(mprotect),
        SCMP_SYS(exit),           SCMP_SYS(exit_group),  SCMP_SYS(getrandom),    SCMP_SYS(getpid),
        SCMP_SYS(gettid),         SCMP_SYS(tgkill),      SCMP_SYS(rt_sigreturn), SCMP_SYS(newfstatat),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(reading) / sizeof(reading[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, reading[i], 0);
    return result;
}

/* Refused rather than killed: libraries ask for more than they need, and take no for an answer. */
static int filter_calls(int (*add_rules)(scmp_filter_ctx), struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int result = filter ? add_rules(filter) : -ENOMEM;
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result < 0 ? error_errno(error, result, "cannot filter system calls") : 0;
}

int get_sandbox_enter(const struct get_request *request, struct error *error)
{
    struct files files = {0};
    int result = read_files(request, &files, error);
    if (result == 0)
        result = unshare_all(0, error);
    if (result == 0)
        result = enter_root(&files, error);
    if (result == 0)
        result = set_limits(request->limit, error);
    if (result == 0)
        result = drop_capabilities(error);
    buffer_clear(&files.resolver);
    buffer_clear(&files.hosts);
    buffer_clear(&files.certificates);
    buffer_clear(&files.revoked);
    return result < 0 ? result : filter_calls(add_client_rules, error);
}

int reading_sandbox_enter(struct error *error)
{
    int result = unshare_all(CLONE_NEWNET, error);
    if (result == 0)
        result = enter_root(NULL, error);
    if (result == 0)
        result = set_limits(0, error);
    if (result == 0)
        result = drop_capabilities(error);
    return result < 0 ? result : filter_calls(add_reader_rules, error);
}
