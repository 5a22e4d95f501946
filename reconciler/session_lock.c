/* One writer a root (SEMANTICS 24): the lock, who holds it, and what a killed holder left under way. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "lib/error.h"
#include "reconciler/session.h"

#define HOLDER_SIZE     64    /* bytes of what the holder of the lock writes about itself */
#define WORKER_PATIENCE 30000 /* milliseconds */

/* The holder writes who it is into the file; it is only read while somebody else holds the lock. */
static int lock_failed(const struct paths *paths, int64_t patience, struct error *error)
{
    _cleanup_buffer_ struct buffer holder = {0};
    buffer_read_file(&holder, AT_FDCWD, paths->lock, 4096, NULL);
    while (holder.length && holder.bytes[holder.length - 1] == ' ')
        holder.bytes[--holder.length] = '\0';
    return error_set(error, -EWOULDBLOCK, "another run holds %s: %s%s", paths->lock,
                     holder.length ? holder.bytes : "unknown",
                     patience ? "" : "; --lock-timeout 60s waits for its end");
}

/* Whether the process that wrote itself into the lock file still is one; a zombie has no program any more. */
static bool holder_lives(const struct paths *paths)
{
    _cleanup_buffer_ struct buffer holder = {0};
    char program[64], target[16];
    int pid = 0;
    if (buffer_read_file(&holder, AT_FDCWD, paths->lock, 4096, NULL) < 0 || !holder.length ||
        sscanf(holder.bytes, "pid %d,", &pid) != 1)
        return true; /* it has not said yet who it is */
    snprintf(program, sizeof(program), "/proc/%d/exe", pid);
    return readlink(program, target, sizeof(target)) >= 0 || errno != ENOENT;
}

static void ignore_alarm(int signal)
{
    (void)signal;
}

/* flock() has no timeout: an interval timer interrupts it, again and again, so that none is missed. */
static int wait_for_lock(int fd, int64_t milliseconds)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (milliseconds <= 0)
        return -EWOULDBLOCK;
    struct sigaction action = {.sa_handler = ignore_alarm}, before;
    sigaction(SIGALRM, &action, &before);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec when = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000},
                              .it_interval = {0, 10 * 1000000}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    timer_settime(timer, 0, &when, NULL);
    int result = flock(fd, LOCK_EX) < 0 ? -errno : 0;
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
    return result == -EINTR ? -EWOULDBLOCK : result;
}

/* What a killed run had under way ends by itself, soon; only then is there something to look at. */
static int await_workers(const struct paths *paths, struct error *error)
{
    _cleanup_close_ int fd = open(paths->workers, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot open %s", paths->workers);
    int result = wait_for_lock(fd, WORKER_PATIENCE);
    return result == 0
               ? 0
               : error_errno(error, result, "workers of an earlier run do not end (%s)", paths->workers);
}

int session_lock(struct session *session, struct error *error)
{
    const struct paths *paths = &session->paths;
    int fd = open(paths->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open %s", paths->lock);
    int64_t patience = session->options->automatic && !session->options->lock_timeout
                           ? 60000
                           : session->options->lock_timeout;
    int result = wait_for_lock(fd, patience);
    /* A run that was killed while it started a worker holds the lock on in that child, until the child's exec. */
    if (result == -EWOULDBLOCK && !holder_lives(paths))
        result = wait_for_lock(fd, WORKER_PATIENCE);
    if (result < 0) {
        close(fd);
        return result == -EWOULDBLOCK ? lock_failed(paths, patience, error)
                                      : error_errno(error, result, "cannot lock %s", paths->lock);
    }
    /* Always as long, so that the file is never cut: that costs more than all the rest of taking the lock. */
    _cleanup_buffer_ struct buffer who = {0};
    buffer_printf(&who, "pid %d, fpsync %s", getpid(), session->options->command);
    while (who.length < HOLDER_SIZE)
        buffer_text(&who, " ");
    if (pwrite(fd, who.bytes, who.length, 0) < 0) {
        close(fd);
        return error_errno(error, -errno, "cannot write %s", paths->lock);
    }
    session->lock = fd;
    return await_workers(paths, error);
}
