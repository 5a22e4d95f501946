/* Measures a command from the moment it is asked for to its end, without a shell between.
 *
 *   spawn COUNT COMMAND [ARGUMENT...]     prints microseconds, one line a run
 *
 * Run by tests/bench/run. Ends with the command's exit status when that is not 0. */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The command's exit status, or -errno. */
static int run(char **command)
{
    pid_t pid;
    int status;
    int failed = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    if (failed)
        return -failed;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fputs("usage: spawn COUNT COMMAND [ARGUMENT...]\n", stderr);
        return EXIT_FAILURE;
    }
    for (int left = atoi(arguments[1]); left > 0; left--) {
        int64_t began = microseconds();
        int status = run(arguments + 2);
        int64_t took = microseconds() - began;
        if (status != 0) {
            fprintf(stderr, "spawn: %s: %s\n", arguments[2], status < 0 ? strerror(-status) : "failed");
            return status < 0 ? EXIT_FAILURE : status;
        }
        printf("%lld\n", (long long)took);
    }
    return EXIT_SUCCESS;
}
