#include "drivers/guest/view_look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/call.h"
#include "drivers/guest/view_place.h"
#include "lib/cleanup.h"

#define PATIENCE   500 /* milliseconds that one guest is given */
#define ASK_AGAIN  10  /* milliseconds, where another's child is with it */
#define MAX_SILENT 2   /* guests that a run waits for in vain */

struct answer { /* of a child */
    int result;
    struct look look;
};

/* Of this process, which is one run. */
static int64_t silent[MAX_SILENT];
static int silent_count;

/* `flags` for statx(2): whether the file system may ask its server for what it knows itself. */
static int describe(int fd, int flags, struct look *look)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH | flags, STATX_TYPE | STATX_INO, &status) < 0)
        return -errno;
    look->mount = status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
    look->major = status.stx_dev_major;
    look->minor = status.stx_dev_minor;
    look->inode = status.stx_ino;
    return 0;
}

/* ---- in a child ---- */

/* Whatever else is open here must not stay so with one that waits for ever: neither our locks nor our caller's pipes. */
static void keep_only(int root, int lock, int answer)
{
    root = fcntl(root, F_DUPFD, 3);
    lock = fcntl(lock, F_DUPFD, 3);
    answer = fcntl(answer, F_DUPFD, 3);
    if (root < 0 || lock < 0 || answer < 0 || dup2(root, 0) < 0 || dup2(lock, 1) < 0 || dup2(answer, 2) < 0 ||
        close_range(3, ~0U, 0) < 0)
        _exit(EXIT_FAILURE);
}

/* It is nobody's child by now: who would wait for its end may have come to his own. */
static void look_for_long(const char *path)
{
    sigset_t none;
    struct answer answer = {.look.fd = -1};
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(1 + PATIENCE / 1000);
    int fd = place_open_inside(0, path);
    answer.result = fd < 0 ? fd : describe(fd, 0, &answer.look);
    answer.look.writable = answer.result == 0 && place_is_writable(fd);
    _exit(write(2, &answer, sizeof(answer)) == sizeof(answer) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The guest's namespace, locked; who has the lock is at it already. */
static int lock_guest(int64_t init_pid, int64_t until)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%lld/ns/mnt", (long long)init_pid);
    _cleanup_close_ int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock < 0)
        return -errno;
    while (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || now_milliseconds() > until)
            return errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;
        poll(NULL, 0, ASK_AGAIN);
    }
    return TAKE_FD(lock);
}

static int look_by_child(int64_t init_pid, int root, const char *path, struct look *look)
{
    int ends[2];
    const int64_t until = now_milliseconds() + PATIENCE;
    _cleanup_close_ int lock = lock_guest(init_pid, until);
    if (lock < 0)
        return lock;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_close_ int hears = ends[0];
    const pid_t between = fork();
    if (between == 0) {
        keep_only(root, lock, ends[1]);
        if (fork() == 0)
            look_for_long(path);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    if (between < 0)
        return -errno;
    while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    struct answer answer;
    struct pollfd end = {.fd = hears, .events = POLLIN};
    for (int64_t left = until - now_milliseconds(); left > 0; left = until - now_milliseconds())
        if (poll(&end, 1, (int)left) > 0)
            break;
    if (!end.revents || read(hears, &answer, sizeof(answer)) != sizeof(answer))
        return -ETIMEDOUT;
    *look = answer.look;
    return answer.result;
}

static bool is_silent(int64_t init_pid)
{
    for (int i = 0; i < silent_count; i++)
        if (silent[i] == init_pid)
            return true;
    return silent_count == MAX_SILENT;
}

/* ---- */

static bool has_own_users(int64_t init_pid)
{
    char path[64];
    struct stat its, ours;
    snprintf(path, sizeof(path), "/proc/%lld/ns/user", (long long)init_pid);
    return stat(path, &its) == 0 && stat("/proc/self/ns/user", &ours) == 0 && its.st_ino != ours.st_ino;
}

int look_inside(int64_t init_pid, int root, const char *path, struct look *look)
{
    *look = NO_LOOK;
    int fd = place_open_cached(root, path);
    if (fd == -EAGAIN && has_own_users(init_pid)) {
        fd = place_open_inside(root, path);
    } else if (fd == -EAGAIN) {
        int result = is_silent(init_pid) ? -ETIMEDOUT : look_by_child(init_pid, root, path, look);
        if (result == -ETIMEDOUT && silent_count < MAX_SILENT && !is_silent(init_pid))
            silent[silent_count++] = init_pid;
        return result;
    }
    if (fd < 0)
        return fd;
    look->fd = fd;
    return describe(fd, AT_STATX_DONT_SYNC, look);
}

bool look_is_writable(const struct look *look)
{
    return look->fd < 0 ? look->writable : place_is_writable(look->fd);
}

void look_leave(struct look *look)
{
    cleanup_close(&look->fd);
}
