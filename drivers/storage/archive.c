/* What writing and reading a backup have in common. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/call.h"
#include "drivers/storage/archive_internal.h"
#include "lib/error.h"

#define TAR        "/bin/tar"
#define TELL_EVERY (64LL << 20) /* bytes */

int archive_tar_start(const char *const *arguments, bool reads, struct archive_tar *tar, struct error *error)
{
    static char *const environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[reads ? 0 : 1], reads ? 0 : 1);
    if (!reads)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    int result = posix_spawn(&tar->pid, TAR, &actions, NULL, (char *const *)arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[reads ? 0 : 1]);
    tar->stream = ends[reads ? 1 : 0];
    if (result == 0)
        return 0;
    close(tar->stream);
    return error_errno(error, -result, "cannot run %s", TAR);
}

int archive_tar_end(struct archive_tar *tar, bool early, struct error *error)
{
    int status = 0;
    if (early)
        kill(tar->pid, SIGKILL);
    close(tar->stream);
    while (waitpid(tar->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return early || (WIFEXITED(status) && WEXITSTATUS(status) == 0)
               ? 0
               : error_set(error, -EIO, "tar ended with status %d",
                           WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

ssize_t archive_get(int fd, char *bytes, size_t size)
{
    ssize_t got;
    do {
        got = read(fd, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

void archive_tell(const struct call *call, const char *what, int64_t before, int64_t now)
{
    char line[64];
    if (!call->progress || before / TELL_EVERY == now / TELL_EVERY)
        return;
    snprintf(line, sizeof(line), "%s %lld MiB", what, (long long)(now >> 20));
    call->progress(call->context, line);
}

void archive_trailer(const char *digest, char trailer[static ARCHIVE_TRAILER + 1])
{
    snprintf(trailer, ARCHIVE_TRAILER + 1, ARCHIVE_LABEL "%s\n", digest);
}
