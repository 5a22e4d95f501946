/* exec, console, and logs of a console that has no file: the worker program takes this process over, with nothing of ours
 * but its arguments. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "reconciler/cli/cli.h"
#include "reconciler/members.h"
#include "reconciler/pool.h"

int become_worker(const struct options *options, const char *mode, const char *argument, char *const *rest,
                  size_t count)
{
    struct session session = {.options = options, .lock = -1};
    struct error error = {0};
    struct entry *entry = NULL;
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0)
        result = members_find_running(&session, argument, &entry, &error);
    if (result < 0) {
        session_close(&session);
        return fail(options, &error, EXIT_ERROR);
    }
    char *lxc_name = strdup(object_lxc_name(&session.paths, session.arena, &entry->object));
    char *root = strdup(session.paths.root), *name = strdup(entry->name);
    session_close(&session);
    char **argv = calloc(count + 7, sizeof(*argv));
    if (!argv || !lxc_name || !root || !name)
        abort();
    char *const first[] = {(char *)pool_worker_path(), (char *)mode, root, lxc_name, name};
    size_t length = sizeof(first) / sizeof(*first);
    memcpy(argv, first, sizeof(first));
    if (count)
        argv[length++] = (char *)"--";
    for (size_t i = 0; i < count; i++)
        argv[length++] = rest[i];
    execv(argv[0], argv);
    error_errno(&error, -errno, "cannot run %s", argv[0]);
    return fail(options, &error, EXIT_ERROR);
}

int run_exec(const struct options *options)
{
    struct error error = {0};
    size_t skip = options->argument_count > 1 && strcmp(options->arguments[1], "--") == 0 ? 2 : 1;
    if (options->argument_count <= skip) {
        error_set(&error, -EINVAL, "exec: expected CONTAINER [--] COMMAND...");
        return fail(options, &error, EXIT_ERROR);
    }
    return become_worker(options, "--exec", options->arguments[0], options->arguments + skip,
                         options->argument_count - skip);
}

int run_console(const struct options *options)
{
    struct error error = {0};
    if (options->argument_count != 1)
        error_set(&error, -EINVAL, "console: of which container? fpsync status -o name lists them");
    else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        error_set(&error, -ENOTTY,
                  "console: standard input and output are no terminal; fpsync logs prints a console");
    return error.code ? fail(options, &error, EXIT_ERROR)
                      : become_worker(options, "--console", options->arguments[0], NULL, 0);
}
