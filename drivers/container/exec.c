/* Runs a program inside a running container, for `fpsync exec`. */
#include <errno.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

static int attach(struct lxc_container *lxc, char *const *argv, struct error *error);

int container_exec(const struct paths *paths, const char *lxc_name, char *const *argv, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct observed_container present;
    int result = container_look(paths, lxc_name, arena, &present, error);
    if (result < 0)
        return result;
    if (!present.running || !present.init_pid)
        return error_set(error, -ESRCH, "it is not running");
    if (!present.ours)
        return error_set(error, -EPERM, "it is not fpsync's");
    struct hierarchies hierarchies;
    if (hierarchies_read(arena, &hierarchies, NULL) == 0 && is_frozen(&hierarchies, (pid_t)present.init_pid))
        return error_set(error, -EBUSY, "it is frozen, and so would be what runs in it");
    _cleanup_config_ struct config config;
    result = config_open(&config, paths, lxc_name, true, error);
    return result < 0 ? result : attach(config.lxc, argv, error);
}

/* The last to be heard of a program that cannot be run is this process, inside the container. */
static int run_program(void *command)
{
    const char *program = ((lxc_attach_command_t *)command)->program;
    int status =
        lxc_attach_run_command(command); /* as shells have it: 127 not found, else it cannot be run */
    dprintf(STDERR_FILENO, "fpsync: exec: %s: %s\n", program,
            status == 127 ? "no such program in the container" : "cannot be executed");
    return status == 127 ? 127 : 126;
}

static int attach(struct lxc_container *lxc, char *const *argv, struct error *error)
{
    char term[128];
    const char *kind = getenv("TERM");
    int length = kind ? snprintf(term, sizeof(term), "TERM=%s", kind) : 0;
    /* The container's own env comes after these, from its config, and wins. */
    char path[] = CONTAINER_STANDARD_PATH, home[] = "HOME=/root", top[] = "/";
    char *environment[4] = {path, home};
    if (length > 0 && (size_t)length < sizeof(term))
        environment[2] = term;
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    options.env_policy = LXC_ATTACH_CLEAR_ENV;
    options.extra_env_vars = environment;
    options.initial_cwd = top;
    if (isatty(STDIN_FILENO))
        options.attach_flags |= LXC_ATTACH_TERMINAL;
    lxc_attach_command_t command = {.program = argv[0], .argv = (char **)argv};
    pid_t pid;
    int status;
    if (lxc->attach(lxc, run_program, &command, &options, &pid) < 0)
        return error_errno(error, errno ? -errno : -EIO, "cannot enter it");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "lost sight of the program in it");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
