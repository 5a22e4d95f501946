/* A shell in the root of a RUN that failed: what RUN does, but that a person has the command's streams, and that nothing
 * comes of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/guest/guest_path.h"
#include "drivers/image/build_effects.h"
#include "drivers/image/build_environment.h"
#include "drivers/image/build_failed.h"
#include "drivers/image/build_run.h"
#include "lib/error.h"

struct shell {
    struct running running;
    const struct build_shell *request;
    struct container_streams streams;
};

/* ---- whose streams ---- */

/* The descriptors themselves: what lies behind a name may not be opened a second time (a socket), or from its begin. */
static int take_streams(struct shell *shell)
{
    struct container_streams *streams = &shell->streams;
    int *const taken[] = {&streams->in, &streams->out, &streams->error};
    streams->owner = (int)syscall(SYS_pidfd_open, (pid_t)shell->request->pid, 0);
    if (streams->owner < 0)
        return error_errno(shell->running.error, -errno, "cannot find who asked for the shell");
    for (int i = 0; i < 3; i++) {
        *taken[i] = (int)syscall(SYS_pidfd_getfd, streams->owner, i, 0);
        if (*taken[i] < 0)
            return error_errno(shell->running.error, -errno,
                               "cannot take the terminal of who asked for the shell");
    }
    return 0;
}

static void close_streams(struct container_streams *streams)
{
    cleanup_close(&streams->in);
    cleanup_close(&streams->out);
    cleanup_close(&streams->error);
    cleanup_close(&streams->owner);
}

/* Its death asks for the end instead of being it: then the container goes, too, and the terminal is as it was. An identity
 * that is taken for a moment takes that back. */
static void outlive_owner(void)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* ---- the shell ---- */

static bool is_program(int root, const char *path)
{
    struct stat status;
    _cleanup_close_ int found = guest_open(root, path, 0, NULL);
    return found >= 0 && fstat(found, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111);
}

static int find_shell(const struct running *running, struct texts *words)
{
    static const char *const shells[] = {"/bin/bash", "/bin/sh"};
    for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++)
        if (is_program(running->root, shells[i])) {
            *arena_append(running->call->arena, words->items, words->count) = shells[i];
            return 0;
        }
    return error_set(running->error, -ENOENT,
                     "there is neither bash nor sh in the root: say a COMMAND that it has");
}

/* The status, or a negative errno. */
static int talk(struct shell *shell, const struct container_started *started)
{
    struct running *running = &shell->running;
    struct texts words = shell->request->argv;
    struct container_command command;
    _cleanup_build_environment_ struct build_environment environment = {0};
    int result = words.count ? 0 : find_shell(running, &words);
    if (result == 0)
        result = build_guest_command(running, &words, &environment, &command);
    if (result < 0)
        return result;
    command.mortal = true;
    shell->streams.init_pid = started->init_pid;
    shell->streams.id_base = running->id_base;
    return container_join(running->paths, &command, &shell->streams, running->call, running->error);
}

static int open_and_talk(struct shell *shell)
{
    struct running *running = &shell->running;
    struct container_started started = {0};
    int status = build_guest_begin(running);
    if (status == 0)
        status = build_guest_start(running, &started);
    outlive_owner();
    if (status == 0)
        status = talk(shell, &started);
    if (status >= 0)
        build_guest_halt(running); /* one that does not listen is killed below */
    int result = build_guest_end(running, &started, status < 0 ? NULL : running->error);
    build_guest_release(running);
    int removed = build_guest_remove(running, status < 0 || result < 0 ? NULL : running->error);
    if (result == 0 && removed == 0) /* else it is what the next one settles */
        removed = build_failed_close(&running->making, status < 0 ? NULL : running->error);
    return status < 0 ? status : result < 0 ? result : removed < 0 ? removed : status;
}

int build_shell_open(const struct paths *paths, const struct build_shell *request, const struct call *call,
                     struct build_shelled *shelled, struct error *error)
{
    struct shell shell = {.request = request,
                          .running = {.paths = paths,
                                      .request = request->run,
                                      .call = call,
                                      .user_namespace = -1,
                                      .root = -1,
                                      .term = request->term,
                                      .making = NO_BUILD_MAKING,
                                      .error = error},
                          .streams = {.in = -1, .out = -1, .error = -1, .owner = -1}};
    int result = build_guest_check(request->run, error);
    outlive_owner();
    if (result == 0)
        result = take_streams(&shell);
    if (result == 0)
        result = build_failed_open(&shell.running.making, paths, request->run, call, error);
    if (result == 0) {
        build_guest_name(&shell.running);
        result = open_and_talk(&shell);
        build_guest_release(&shell.running);
    }
    build_making_end(&shell.running.making);
    close_streams(&shell.streams);
    if (result < 0)
        return error_wrap(error, result, "shell in the root of %s", request->run->what);
    shelled->status = result;
    described_whole(&build_shelled_table, shelled);
    return 0;
}
