/* Runs a program under a seccomp supervisor that kills it at the first system call that would change the host.
 *
 *   no-mutation [-a SUFFIX]... -- PROGRAM [ARGUMENT]...
 *
 * The filter sends every call that can mutate to us; we look at its arguments in the caller's memory and let it
 * go on or kill the process, saying what it tried (exit 99). Files whose path ends in SUFFIX may be opened for
 * writing, sized and written. Exit status is the program's otherwise. Not a sandbox against malice (arguments
 * could change between look and call), but a witness against mistakes. */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOWED_COUNT 16
#define VIOLATION     99

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

struct request { /* one call, as the filter saw it */
    int number;
    pid_t pid;
    const __u64 *arguments;
};

/* True: the call changes nothing. `what` is filled with what is worth saying about it. */
typedef bool judge_function(const struct request *request, char what[static PATH_MAX]);

struct rule {
    int number;
    const char *name;
    judge_function *judge; /* NULL: the call mutates whatever its arguments are */
};

static const char *allowed[ALLOWED_COUNT];
static size_t allowed_count;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(98);
}

/* ---- looking into the caller ---- */

static ssize_t peek(pid_t pid, __u64 address, void *bytes, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = pread(fd, bytes, size, (off_t)address);
    close(fd);
    return length;
}

static void peek_path(pid_t pid, __u64 address, char path[static PATH_MAX])
{
    size_t length = 0;
    while (length < PATH_MAX - 1 && peek(pid, address + length, path + length, 1) == 1 && path[length])
        length++;
    path[length] = '\0';
}

static void path_of_fd(pid_t pid, __u64 fd, char path[static PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static bool path_is_allowed(const char *path)
{
    for (size_t i = 0; i < allowed_count; i++) {
        size_t length = strlen(path), suffix = strlen(allowed[i]);
        if (length >= suffix && !strcmp(path + length - suffix, allowed[i]))
            return true;
    }
    return false;
}

static bool starts(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* ---- judges ---- */

static bool flags_read_only(__u64 flags)
{
    return (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)));
}

static bool path_may_be_written(const char *path)
{
    return path_is_allowed(path) || !strcmp(path, "/dev/null") || !strcmp(path, "/dev/tty");
}

static bool judge_open(const struct request *request, char what[static PATH_MAX])
{
    bool at = request->number == __NR_openat;
    peek_path(request->pid, request->arguments[at ? 1 : 0], what);
    return flags_read_only(request->arguments[at ? 2 : 1]) || path_may_be_written(what);
}

static bool judge_openat2(const struct request *request, char what[static PATH_MAX])
{
    __u64 flags = 0;
    peek_path(request->pid, request->arguments[1], what);
    return (peek(request->pid, request->arguments[2], &flags, sizeof(flags)) == sizeof(flags) &&
            flags_read_only(flags)) ||
           path_may_be_written(what);
}

/* Pipes, sockets and memory are the process's own; a file is not, save what it was given as output. */
static bool judge_fd(const struct request *request, char what[static PATH_MAX])
{
    path_of_fd(request->pid, request->arguments[0], what);
    return request->arguments[0] <= 2 || starts(what, "pipe:") || starts(what, "anon_inode:") ||
           starts(what, "/memfd:") || path_may_be_written(what);
}

static bool netlink_message_reads(int protocol, const struct nlmsghdr *header)
{
    if (header->nlmsg_type < NLMSG_MIN_TYPE)
        return header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_NOOP;
    if (protocol == NETLINK_ROUTE)
        return (header->nlmsg_type & 3) == 2; /* RTM_NEW, DEL, GET, SET in steps of four */
    if (protocol == NETLINK_SOCK_DIAG)
        return header->nlmsg_type == SOCK_DIAG_BY_FAMILY;
    if (protocol != NETLINK_NETFILTER || NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
        return false;
    switch (NFNL_MSG_TYPE(header->nlmsg_type)) {
    case NFT_MSG_GETTABLE:
    case NFT_MSG_GETCHAIN:
    case NFT_MSG_GETRULE:
    case NFT_MSG_GETSET:
    case NFT_MSG_GETSETELEM:
    case NFT_MSG_GETGEN:
    case NFT_MSG_GETOBJ:
    case NFT_MSG_GETFLOWTABLE:
        return true;
    default:
        return false;
    }
}

static int socket_option(const struct request *request, int option)
{
    int pidfd = (int)syscall(SYS_pidfd_open, request->pid, 0);
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)request->arguments[0], 0), value = -1;
    socklen_t size = sizeof(value);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0)
        value = -1;
    close(fd);
    close(pidfd);
    return value;
}

static bool netlink_reads(const struct request *request, __u64 address, size_t size,
                          char what[static PATH_MAX])
{
    static unsigned char bytes[65536];
    int domain = socket_option(request, SO_DOMAIN), protocol = socket_option(request, SO_PROTOCOL);
    snprintf(what, PATH_MAX, "socket of domain %d, protocol %d", domain, protocol);
    if (domain != AF_NETLINK)
        return domain == AF_UNIX; /* a socketpair with a child of its own; connect() has its own judge */
    if (size > sizeof(bytes) || peek(request->pid, address, bytes, size) != (ssize_t)size)
        return false;
    for (const struct nlmsghdr *header = (const struct nlmsghdr *)bytes; NLMSG_OK(header, size);
         header = NLMSG_NEXT(header, size)) {
        snprintf(what, PATH_MAX, "netlink protocol %d, message type 0x%x", protocol, header->nlmsg_type);
        if (!netlink_message_reads(protocol, header))
            return false;
    }
    return true;
}

static bool judge_write(const struct request *request, char what[static PATH_MAX])
{
    path_of_fd(request->pid, request->arguments[0], what);
    if (starts(what, "socket:") && request->arguments[0] > 2)
        return netlink_reads(request, request->arguments[1], request->arguments[2], what);
    return judge_fd(request, what);
}

static bool judge_sendto(const struct request *request, char what[static PATH_MAX])
{
    return netlink_reads(request, request->arguments[1], request->arguments[2], what);
}

static bool judge_sendmsg(const struct request *request, char what[static PATH_MAX])
{
    struct msghdr message;
    struct iovec part;
    if (peek(request->pid, request->arguments[1], &message, sizeof(message)) != sizeof(message))
        return false;
    for (size_t i = 0; i < message.msg_iovlen; i++) {
        __u64 at = (__u64)(uintptr_t)message.msg_iov + i * sizeof(part);
        if (peek(request->pid, at, &part, sizeof(part)) != sizeof(part) ||
            !netlink_reads(request, (__u64)(uintptr_t)part.iov_base, part.iov_len, what))
            return false;
    }
    return true;
}

/* Asking a daemon to act is acting. Name lookups (nscd) are not. */
static bool judge_connect(const struct request *request, char what[static PATH_MAX])
{
    struct {
        sa_family_t family;
        char path[108];
    } address = {0};
    size_t size = request->arguments[2] < sizeof(address) ? request->arguments[2] : sizeof(address);
    if (peek(request->pid, request->arguments[1], &address, size) < 0)
        return false;
    snprintf(what, PATH_MAX, "family %d %.107s", address.family,
             address.family == AF_UNIX ? address.path : "");
    return address.family == AF_NETLINK || (address.family == AF_UNIX && strstr(address.path, "/nscd/"));
}

static bool judge_bind(const struct request *request, char what[static PATH_MAX])
{
    sa_family_t family = 0;
    peek(request->pid, request->arguments[1], &family, sizeof(family));
    snprintf(what, PATH_MAX, "family %d", family);
    return family == AF_NETLINK;
}

static bool judge_ioctl(const struct request *request, char what[static PATH_MAX])
{
    static const unsigned reading[] = {
        TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIOCLEX, FIONBIO, 0x8910 /* SIOCGIFNAME */,
        0x8933 /* SIOCGIFINDEX */};
    snprintf(what, PATH_MAX, "request 0x%x", (unsigned)request->arguments[1]);
    for (size_t i = 0; i < sizeof(reading) / sizeof(reading[0]); i++)
        if ((unsigned)request->arguments[1] == reading[i])
            return true;
    return _IOC_DIR((unsigned)request->arguments[1]) == _IOC_NONE &&
           _IOC_TYPE((unsigned)request->arguments[1]) ==
               0xb7; /* NS_GET_*: namespaces asked about themselves */
}

static bool judge_kill(const struct request *request, char what[static PATH_MAX])
{
    int signal = (int)request->arguments[request->number == __NR_tgkill ? 2 : 1];
    snprintf(what, PATH_MAX, "signal %d", signal);
    return signal == 0 || (request->number == __NR_tgkill && (pid_t)request->arguments[0] == request->pid);
}

static bool judge_pidfd_signal(const struct request *request, char what[static PATH_MAX])
{
    snprintf(what, PATH_MAX, "signal %d", (int)request->arguments[1]);
    return request->arguments[1] == 0;
}

#define MUTATES(call)                                                                                        \
    {                                                                                                        \
        __NR_##call, #call, NULL                                                                             \
    }
#define LOOK(call, judge)                                                                                    \
    {                                                                                                        \
        __NR_##call, #call, judge                                                                            \
    }

static const struct rule rules[] = {
    LOOK(openat, judge_open),
    LOOK(openat2, judge_openat2),
    LOOK(write, judge_write),
    LOOK(writev, judge_fd),
    LOOK(pwrite64, judge_fd),
    LOOK(pwritev, judge_fd),
    LOOK(pwritev2, judge_fd),
    LOOK(ftruncate, judge_fd),
    LOOK(fallocate, judge_fd),
    LOOK(fsync, judge_fd),
    LOOK(fdatasync, judge_fd),
    LOOK(sendto, judge_sendto),
    LOOK(sendmsg, judge_sendmsg),
    LOOK(connect, judge_connect),
    LOOK(bind, judge_bind),
    LOOK(ioctl, judge_ioctl),
    LOOK(kill, judge_kill),
    LOOK(tgkill, judge_kill),
    LOOK(pidfd_send_signal, judge_pidfd_signal),
#ifdef __NR_open
    LOOK(open, judge_open),
    MUTATES(creat),
    MUTATES(unlink),
    MUTATES(rename),
    MUTATES(mkdir),
    MUTATES(rmdir),
    MUTATES(link),
    MUTATES(symlink),
    MUTATES(mknod),
    MUTATES(chmod),
    MUTATES(chown),
    MUTATES(lchown),
    MUTATES(utime),
    MUTATES(utimes),
    MUTATES(futimesat),
#endif
    MUTATES(sendmmsg),
    MUTATES(unlinkat),
    MUTATES(renameat),
    MUTATES(renameat2),
    MUTATES(mkdirat),
    MUTATES(linkat),
    MUTATES(symlinkat),
    MUTATES(mknodat),
    MUTATES(fchmod),
    MUTATES(fchmodat),
    MUTATES(fchown),
    MUTATES(fchownat),
    MUTATES(truncate),
    MUTATES(utimensat),
    MUTATES(setxattr),
    MUTATES(lsetxattr),
    MUTATES(fsetxattr),
    MUTATES(removexattr),
    MUTATES(lremovexattr),
    MUTATES(fremovexattr),
    MUTATES(mount),
    MUTATES(umount2),
    MUTATES(move_mount),
    MUTATES(open_tree),
    MUTATES(mount_setattr),
    MUTATES(fsmount),
    MUTATES(fsopen),
    MUTATES(fsconfig),
    MUTATES(pivot_root),
    MUTATES(sethostname),
    MUTATES(setdomainname),
    MUTATES(swapon),
    MUTATES(swapoff),
    MUTATES(reboot),
    MUTATES(init_module),
    MUTATES(finit_module),
    MUTATES(delete_module),
    MUTATES(settimeofday),
    MUTATES(clock_settime),
    MUTATES(acct),
    MUTATES(quotactl),
    MUTATES(bpf),
    MUTATES(io_uring_setup),
    MUTATES(copy_file_range),
    MUTATES(splice),
    MUTATES(sendfile),
    MUTATES(ptrace),
    MUTATES(process_vm_writev),
    MUTATES(sync),
    MUTATES(syncfs),
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* ---- filter and supervision ---- */

static int install_filter(void)
{
    static struct sock_filter code[2 * RULE_COUNT + 8];
    size_t count = 0;
    code[count++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < RULE_COUNT; i++) {
        code[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (__u32)rules[i].number, 0, 1);
        code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* The child cannot tell us its descriptor by a call that the filter holds back: by shared memory and a futex. */
static _Atomic int *shared;

static void await_change(int from)
{
    while (atomic_load(shared) == from)
        syscall(SYS_futex, shared, FUTEX_WAIT, from, NULL, NULL, 0);
}

static void announce(int value)
{
    atomic_store(shared, value);
    syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static _Noreturn void run_child(char **argv)
{
    int listener = install_filter();
    if (listener < 0) {
        announce(-errno);
        _exit(98);
    }
    announce(listener + 1);
    await_change(listener + 1);
    close(listener);
    /* The leak check of a sanitized program stops it with ptrace(), which is no less forbidden, and waits for ever. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    execvp(argv[0], argv);
    _exit(127);
}

static const struct rule *rule_of(int number)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (rules[i].number == number)
            return &rules[i];
    return NULL;
}

/* True when the call was let through. */
static bool answer(int listener)
{
    struct seccomp_notif notice = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) < 0)
        return errno == ENOENT || errno == EINTR; /* the caller was gone before we looked */
    struct request request = {notice.data.nr, (pid_t)notice.pid, notice.data.args};
    const struct rule *rule = rule_of(request.number);
    char what[PATH_MAX] = "";
    bool fine = rule && rule->judge && rule->judge(&request, what);
    if (!fine) {
        if (rule && !rule->judge)
            peek_path(request.pid, request.arguments[0], what);
        fprintf(stderr, "no-mutation: killed at %s(%s)\n", rule ? rule->name : "?", what);
        kill(request.pid, SIGKILL);
    }
    struct seccomp_notif_resp response = {
        .id = notice.id, .error = fine ? 0 : -EPERM, .flags = fine ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    return fine;
}

static int supervise(pid_t child)
{
    await_change(0);
    int value = atomic_load(shared);
    if (value < 0)
        die("the kernel refused the filter");
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    int listener = (int)syscall(SYS_pidfd_getfd, pidfd, value - 1, 0);
    if (listener < 0)
        die("pidfd_getfd");
    announce(0);
    bool violated = false;
    struct pollfd waits[] = {{.fd = listener, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    while (!(waits[0].revents & (POLLHUP | POLLERR))) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (waits[0].revents & POLLIN)
            violated |= !answer(listener);
        else if (waits[1].revents & POLLIN)
            break;
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (violated)
        return VIOLATION;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "+a:")) != -1) {
        if (option != 'a' || allowed_count == ALLOWED_COUNT)
            return 2;
        allowed[allowed_count++] = optarg;
    }
    if (optind == argc)
        return 2;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run_child(argv + optind);
    return supervise(child);
}
