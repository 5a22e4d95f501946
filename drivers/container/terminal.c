/* Runs a program inside a container with the streams of another process: by a terminal of the container's own, joined to
 * that process's one, or as they are.
 *
 * The terminal of the container is made from its own devpts, so that what runs there finds it under the name that it has. The
 * other one is in raw mode meanwhile: Ctrl-C and the like are what is typed, and the terminal inside makes signals of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "drivers/guest/guest_path.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define TTY_GROUP 5 /* that devpts gives its terminals, as LXC mounts it */

struct joint {
    const struct container_streams *streams;
    const struct call *call;
    int program; /* pidfd */
    int master;  /* -1: the program has the streams as they are */
    int signals; /* of the size of the window; -1 */
    bool open;   /* something may come from the terminal outside */
    char typed[1024];
    size_t begin, end; /* of what the terminal inside has not taken yet */
};

/* ---- the terminal inside ---- */

static int open_multiplexer(pid_t init, struct error *error)
{
    char path[64];
    struct stat status;
    struct statfs system;
    snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
    _cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "cannot reach its root");
    _cleanup_close_ int found = guest_open(root, "/dev/pts/ptmx", 0, error);
    if (found < 0)
        return found;
    if (fstat(found, &status) < 0 || fstatfs(found, &system) < 0 || !S_ISCHR(status.st_mode) ||
        status.st_rdev != makedev(5, 2) || system.f_type != DEVPTS_SUPER_MAGIC)
        return error_set(error, -ENOTTY, "its /dev/pts/ptmx is not what terminals are made from");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
    int master = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return master < 0 ? error_errno(error, -errno, "cannot make a terminal in it") : master;
}

/* `owner`: the host's id of who is to use it. */
static int make_terminal(pid_t init, uid_t owner, gid_t group, int *master, int *peer, struct error *error)
{
    const int unlocked = 0;
    _cleanup_close_ int made = open_multiplexer(init, error);
    if (made < 0)
        return made;
    _cleanup_close_ int other =
        ioctl(made, TIOCSPTLCK, &unlocked) < 0 ? -1 : ioctl(made, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0 || fchown(other, owner, group) < 0 || fcntl(made, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return error_errno(error, -errno, "cannot make a terminal in it");
    *master = TAKE_FD(made);
    *peer = TAKE_FD(other);
    return 0;
}

static void copy_size(int from, int to)
{
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) == 0)
        ioctl(to, TIOCSWINSZ, &size);
}

/* ---- between the two ---- */

/* As far as it takes it now. */
static void give_typed(struct joint *joint)
{
    ssize_t written = write(joint->master, joint->typed + joint->begin, joint->end - joint->begin);
    if (written > 0)
        joint->begin += (size_t)written;
    if (joint->begin == joint->end)
        joint->begin = joint->end = 0;
}

/* A terminal that hung up ends the program: nobody will type any more. */
static void take_typed(struct joint *joint)
{
    ssize_t got = read(joint->streams->in, joint->typed, sizeof(joint->typed));
    if (got > 0) {
        joint->end = (size_t)got;
        give_typed(joint);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        joint->open = false;
        syscall(SYS_pidfd_send_signal, joint->program, SIGKILL, NULL, 0);
    }
}

/* In pieces that a terminal has room for once it says that it has any. True while there may be more. */
static bool show(struct joint *joint)
{
    char bytes[256];
    ssize_t got = read(joint->master, bytes, sizeof(bytes));
    return got > 0 ? bytes_write(joint->streams->out, bytes, (size_t)got) == 0 : got < 0 && errno == EINTR;
}

static void drain(struct joint *joint)
{
    while (joint->master >= 0 && show(joint))
        ;
}

/* 1 when the program has ended. */
static int pass(struct joint *joint)
{
    const bool waits = joint->end > joint->begin, asks = joint->master >= 0 && joint->open && !waits;
    struct pollfd sources[] = {
        {.fd = joint->program, .events = POLLIN},
        {.fd = joint->call->cancel, .events = POLLIN},
        {.fd = joint->streams->owner, .events = POLLIN},
        {.fd = joint->signals, .events = POLLIN},
        {.fd = joint->master, .events = (short)(POLLIN | (waits ? POLLOUT : 0))},
        {.fd = asks ? joint->streams->in : -1, .events = POLLIN},
    };
    if (poll(sources, sizeof(sources) / sizeof(*sources), call_time_left(joint->call)) < 0)
        return errno == EINTR ? 0 : -errno;
    struct signalfd_siginfo told;
    if (sources[3].revents && read(joint->signals, &told, sizeof(told)) > 0)
        copy_size(joint->streams->in, joint->master);
    if (sources[0].revents) {
        drain(joint);
        return 1;
    }
    if (sources[2].revents)
        return -ECANCELED;
    if (sources[4].revents & POLLOUT)
        give_typed(joint);
    if (sources[4].revents & POLLIN)
        show(joint);
    if (sources[5].revents)
        take_typed(joint);
    return call_check(joint->call);
}

/* Not before there is a program, which would inherit it blocked. */
static int watch_size(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int join_terminal(struct joint *joint, struct termios *before)
{
    struct termios raw = *before;
    cfmakeraw(&raw);
    _cleanup_close_ int signals = watch_size();
    joint->signals = signals;
    copy_size(joint->streams->in, joint->master);
    tcsetattr(joint->streams->in, TCSANOW, &raw);
    int result = 0;
    while (result == 0)
        result = pass(joint);
    tcsetattr(joint->streams->in, TCSADRAIN, before);
    return result;
}

static int await(struct joint *joint)
{
    int result = 0;
    while (result == 0)
        result = pass(joint);
    return result;
}

/* ---- the program ---- */

static int reap(pid_t pid, int result, const char *name, struct error *error)
{
    int status = 0;
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return error_errno(error, result, "%s", name);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int container_join(const struct paths *paths, const struct container_command *command,
                   const struct container_streams *streams, const struct call *call, struct error *error)
{
    _cleanup_config_ struct config config;
    _cleanup_close_ int master = -1;
    struct termios before;
    struct joint joint = {.streams = streams, .call = call, .master = -1, .signals = -1, .open = true};
    int given[] = {streams->in, streams->out, streams->error};
    const bool has_terminal = isatty(streams->out) && tcgetattr(streams->in, &before) == 0;
    int result = config_open(&config, paths, command->lxc_name, true, error);
    if (result < 0)
        return result;
    _cleanup_close_ int peer = -1;
    if (has_terminal) {
        const int64_t base = streams->id_base;
        result = make_terminal((pid_t)streams->init_pid, (uid_t)(base + command->uid),
                               (gid_t)(base + TTY_GROUP), &master, &peer, error);
        if (result < 0)
            return result;
        tcsetattr(peer, TCSANOW, &before);
        copy_size(streams->in, peer);
        given[0] = given[1] = given[2] = peer;
        joint.master = master;
    }
    pid_t pid = -1;
    result = container_attach(config.lxc, command, given, &pid, error);
    cleanup_close(&peer);
    if (result < 0)
        return result;
    _cleanup_close_ int program = (int)syscall(SYS_pidfd_open, pid, 0);
    joint.program = program;
    result = program < 0 ? -errno : has_terminal ? join_terminal(&joint, &before) : await(&joint);
    return reap(pid, result, command->argv[0], error);
}
