/* peak COMMAND [ARGUMENT...]: runs it and writes its highest resident memory, in KiB, to stderr. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

int main(int count, char **arguments)
{
    pid_t pid;
    struct rusage used;
    if (count < 2 || posix_spawnp(&pid, arguments[1], NULL, NULL, arguments + 1, environ) ||
        wait4(pid, NULL, 0, &used) < 0) {
        fputs("usage: peak COMMAND [ARGUMENT...]\n", stderr);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "%ld\n", used.ru_maxrss);
    return EXIT_SUCCESS;
}
