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
#include "lib/error.h"

#define LAST_READS 256 /* what the program has left running may write for ever; it ends with the container */
#define TTY_GROUP  5   /* that devpts gives its terminals, as LXC mounts it */

struct flow { /* one way between the two terminals */
    int from, to;
    bool open; /* something may come */
    char bytes[256];
    size_t begin, end; /* of what `to` has not taken yet */
};

struct joint {
    const struct container_streams *streams;
    const struct call *call;
    int program; /* pidfd */
    int master;  /* -1: the program has the streams as they are */
    int signals; /* of the size of the window; -1 */
    bool ended;  /* the program has */
    size_t last; /* pieces that were read after that */
    struct flow typed, shown;
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

static bool waits(const struct flow *flow)
{
    return flow->end > flow->begin;
}

/* Nothing is read before what was read is gone: a terminal that takes nothing holds up who writes to it, and nobody else. */
static struct pollfd source_of(const struct flow *flow)
{
    return waits(flow) ? (struct pollfd){.fd = flow->to, .events = POLLOUT}
                       : (struct pollfd){.fd = flow->open ? flow->from : -1, .events = POLLIN};
}

static bool is_over(ssize_t count)
{
    return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
}

/* One read or write, which a signal may cut off. False once the end that it is about is gone. */
static bool move(struct flow *flow)
{
    const bool out = waits(flow);
    ssize_t count = out ? write(flow->to, flow->bytes + flow->begin, flow->end - flow->begin)
                        : read(flow->from, flow->bytes, sizeof(flow->bytes));
    if (is_over(count)) {
        flow->begin = flow->end = 0;
        flow->open = false;
        return false;
    }
    if (count > 0 && out)
        flow->begin += (size_t)count;
    else if (count > 0)
        flow->end = (size_t)count;
    if (flow->begin == flow->end)
        flow->begin = flow->end = 0;
    return true;
}

/* Whoever had the terminal will neither type nor read any more. */
static void hang_up(struct joint *joint)
{
    joint->typed.open = joint->shown.open = false;
    syscall(SYS_pidfd_send_signal, joint->program, SIGKILL, NULL, 0);
}

static void move_both(struct joint *joint, const struct pollfd *typed, const struct pollfd *shown)
{
    const bool takes = !waits(&joint->typed), gives = waits(&joint->shown);
    if (typed->revents && !move(&joint->typed) && takes)
        hang_up(joint);
    if (shown->revents && !move(&joint->shown) && gives)
        hang_up(joint);
}

/* 1 when the program has ended, and all that it wrote is shown. */
static int pass(struct joint *joint)
{
    struct pollfd sources[] = {
        {.fd = joint->ended ? -1 : joint->program, .events = POLLIN},
        {.fd = joint->call->cancel, .events = POLLIN},
        {.fd = joint->streams->owner, .events = POLLIN},
        {.fd = joint->signals, .events = POLLIN},
        source_of(&joint->typed),
        source_of(&joint->shown),
    };
    const int patience = joint->ended && !waits(&joint->shown) ? 0 : call_time_left(joint->call);
    if (poll(sources, sizeof(sources) / sizeof(*sources), patience) < 0)
        return errno == EINTR ? call_check(joint->call) : -errno;
    struct signalfd_siginfo told;
    if (sources[3].revents && read(joint->signals, &told, sizeof(told)) > 0)
        copy_size(joint->streams->in, joint->master);
    if (sources[2].revents)
        return -ECANCELED;
    move_both(joint, &sources[4], &sources[5]);
    if (joint->ended && patience == 0 && (!sources[5].revents || ++joint->last > LAST_READS))
        return 1;
    if (sources[0].revents) {
        joint->ended = true;
        joint->typed = (struct flow){0};
    }
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
    tcsetattr(joint->streams->in, TCSANOW, before);
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
    struct joint joint = {.streams = streams, .call = call, .master = -1, .signals = -1};
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
        joint.typed = (struct flow){.from = streams->in, .to = master, .open = true};
        joint.shown = (struct flow){.from = master, .to = streams->out, .open = true};
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
