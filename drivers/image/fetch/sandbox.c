/* The sandbox of fpsync-fetch: it reads bytes that anybody may have written.
 *
 * A user namespace whose ids are a range of the host that nobody else has, and in it namespaces for mounts, network, IPC
 * and UTS; the target, id-mapped so that what root of that namespace makes is root's on disk, becomes the root of an
 * otherwise empty mount namespace; capabilities, over that namespace alone, shrink to those that give files their
 * owners, modes and capabilities; then seccomp kills on whatever unpacking does not need.
 *
 * File capabilities that are set in there come out as version 3 with root id 0 on disk, which means the same as
 * version 2 to everybody who looks (capabilities(7)): getxattr(2) of the host's root reports version 2, so that digests
 * and copies do not know them apart, and a container honours both. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/guest/idmap.h"
#include "drivers/image/fetch/fetch.h"
#include "lib/error.h"

#define MEMORY_LIMIT    ((rlim_t)2 << 30)  /* xz -9 takes 65 MiB, a zstd window of 27 bits 128 MiB */
#define FILE_LIMIT      ((rlim_t)32 << 30) /* bytes of one file */
#define PROCESSOR_LIMIT ((rlim_t)3600)     /* seconds */
#define SPARE_IDS       0xfffe0000         /* beyond all that containers are given, and one whole range */

static int set_limits(struct error *error)
{
    static const struct {
        int resource;
        rlim_t value;
    } limits[] = {
#ifndef FPSYNC_SANITIZED /* the shadow alone takes terabytes */
        {RLIMIT_AS, MEMORY_LIMIT},
#endif
        {RLIMIT_FSIZE, FILE_LIMIT}, {RLIMIT_CPU, PROCESSOR_LIMIT}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 512},
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &limit) < 0)
            return error_errno(error, -errno, "cannot set a limit");
    }
    return 0;
}

/* Root of the namespace, and nobody on the host. */
static int enter_user_namespace(int user_namespace, struct error *error)
{
    if (setns(user_namespace, CLONE_NEWUSER) < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 ||
        setresuid(0, 0, 0) < 0)
        return error_errno(error, -errno, "cannot enter a user namespace");
    return 0;
}

/* pivot_root(2) with both arguments "." stacks the old root on the new one, from where it is unmounted. */
static int enter_mount(int tree, struct error *error)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(error, -errno, "cannot make namespaces");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(error, -errno, "cannot make mounts private");
    if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0)
        return error_errno(error, -errno, "cannot mount the target");
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_errno(error, -errno, "cannot make the target the root");
    return 0;
}

/* A detached mount, which nobody else sees, is taken as it is where the kernel copies none of these (before Linux 6.15); one
 * that is attached refuses to be mapped itself. */
static int take_tree(int from, uint64_t attributes, int user_namespace, struct error *error)
{
    int tree = tree_clone(from, "", attributes, user_namespace, error);
    if (tree != -EINVAL)
        return tree;
    _cleanup_close_ int own = fcntl(from, F_DUPFD_CLOEXEC, 0);
    int result = own < 0 ? error_errno(error, -errno, "cannot take a mount")
                         : tree_set_up(own, attributes, user_namespace, error);
    return result < 0 ? result : TAKE_FD(own);
}

static int take_beside(int *beside, uint64_t attributes, int user_namespace, struct error *error)
{
    int tree = take_tree(*beside, attributes | MOUNT_ATTR_RDONLY, user_namespace, error);
    if (tree < 0)
        return error_wrap(error, tree, "second tree");
    close(*beside);
    *beside = tree;
    return 0;
}

static int enter_target(int target, uint64_t attributes, int *beside, struct error *error)
{
    _cleanup_user_namespace_ struct user_namespace ids = NO_USER_NAMESPACE;
    int result = user_namespace_make(&ids, SPARE_IDS, error);
    if (result < 0)
        return result;
    attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    _cleanup_close_ int tree = take_tree(target, attributes, ids.fd, error);
    if (tree < 0)
        return error_wrap(error, tree, "target");
    if (beside && (result = take_beside(beside, attributes, ids.fd, error)) < 0)
        return result;
    result = enter_user_namespace(ids.fd, error);
    return result < 0 ? result : enter_mount(tree, error);
}

static int drop_capabilities(struct error *error)
{
    const uint64_t kept = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH |
                          1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_SETFCAP;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if ((capability > 63 || !(kept >> capability & 1)) && prctl(PR_CAPBSET_DROP, capability) < 0)
            return error_errno(error, -errno, "cannot drop capability %d", capability);
    data[0].effective = data[0].permitted = (uint32_t)kept;
    data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
    if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(error, -errno, "cannot drop capabilities");
    return 0;
}

static int filter_calls(struct error *error)
{
    static const int allowed[] = {
        SCMP_SYS(read),          SCMP_SYS(write),
        SCMP_SYS(pwrite64),      SCMP_SYS(lseek),
        SCMP_SYS(close),         SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),    SCMP_SYS(statx),
        SCMP_SYS(openat2),       SCMP_SYS(mkdirat),
        SCMP_SYS(symlinkat),     SCMP_SYS(linkat),
        SCMP_SYS(mknodat),       SCMP_SYS(fchown),
        SCMP_SYS(fchownat),      SCMP_SYS(fchmod),
        SCMP_SYS(fchmodat),      SCMP_SYS(fsetxattr),
        SCMP_SYS(utimensat),     SCMP_SYS(ftruncate),
        SCMP_SYS(openat),        SCMP_SYS(brk),
        SCMP_SYS(mmap),          SCMP_SYS(munmap),
        SCMP_SYS(mremap),        SCMP_SYS(madvise),
        SCMP_SYS(mprotect),      SCMP_SYS(rt_sigreturn),
        SCMP_SYS(exit),          SCMP_SYS(exit_group),
        SCMP_SYS(clock_gettime), SCMP_SYS(futex),
        SCMP_SYS(getrandom),     SCMP_SYS(getpid),
        SCMP_SYS(sched_yield),   SCMP_SYS(umask),
        SCMP_SYS(pread64),       SCMP_SYS(getdents64),
        SCMP_SYS(unlinkat),      SCMP_SYS(flistxattr),
        SCMP_SYS(fremovexattr),  SCMP_SYS(fcntl),
        SCMP_SYS(gettid),        SCMP_SYS(readlinkat),
        SCMP_SYS(fgetxattr),     SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(sysinfo), /* qsort(3) of glibc asks how much memory there is, for more than 1 KiB */
#ifdef FPSYNC_SANITIZED    /* at the end of its life */
        SCMP_SYS(sigaltstack),
#endif
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;
    for (size_t i = 0; result == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (allowed[i] == SCMP_SYS(mknodat)) /* FIFOs and nothing else */
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 1,
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
        else
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result < 0 ? error_errno(error, result, "cannot filter system calls") : 0;
}

int sandbox_enter(int target, bool read_only, int *beside, struct error *error)
{
    int result = enter_target(target, read_only ? MOUNT_ATTR_RDONLY : 0, beside, error);
    if (result == 0)
        result = set_limits(error);
    return result < 0 ? result : drop_capabilities(error);
}

int sandbox_close(struct error *error)
{
    const struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_NPROC, &none) < 0 ? error_errno(error, -errno, "cannot set a limit")
                                              : filter_calls(error);
}
