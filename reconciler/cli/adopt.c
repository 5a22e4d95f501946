/* adopt: takes over, in place, containers that LXC had before fpsync. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "reconciler/adoption.h"
#include "reconciler/cli/cli.h"
#include "reconciler/found.h"

static int write_spec(struct session *session, const char *path, const struct object_set *set,
                      struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    specs_print(set, &text);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text.bytes, text.length) != (ssize_t)text.length || fsync(fd) < 0)
        return error_errno(error, -errno, "cannot write %s", path);
    if (!session->options->quiet && session->options->output == OUTPUT_TABLE)
        printf("Wrote %s.\n", path);
    return 0;
}

/* Without a file, one is written into the default folder that says what LXC has. */
static int declare(struct session *session, const char *lxc_name, struct error *error)
{
    const struct call call = {.arena = session->arena, .cancel = -1};
    struct container_found *found;
    struct observed_guest *inside;
    int result =
        container_view.read_found(&session->paths, session->paths.lxc, lxc_name, &call, &found, error);
    if (result == -ENOENT)
        return error_set(error, -ENOENT, "there is no LXC container %s below %s", lxc_name,
                         session->paths.lxc);
    if (result >= 0)
        result = adoption_look(session, lxc_name, &inside, error);
    if (result < 0)
        return result;
    struct found_networks networks = adoption_networks(session);
    networks.makes = true;
    const struct found_context context = {
        .networks = &networks, .inside = inside, .frozen = adoption_is_frozen(session, lxc_name)};
    struct object *object =
        found_container(&session->paths, session->arena,
                        found_name(&session->paths, session->arena, lxc_name), found, &context);
    struct object_set set = networks.made;
    *arena_append(session->arena, set.items, set.count) = object; /* networks come first */
    if (mkdir(session->paths.specs, 0755) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make %s", session->paths.specs);
    const char *path =
        arena_printf(session->arena, "%s/%s.yaml", session->paths.specs, name_bare(object->name));
    return write_spec(session, path, &set, error);
}

static int declare_unknown(struct session *session, struct adoption *adoption, struct error *error)
{
    const struct options *options = session->options;
    if (!adoption->unknown.count)
        return 0;
    if (options->file_count)
        return error_set(error, -ENOENT, "adopt: the files declare no container %s",
                         adoption->unknown.items[0]);
    if (options->dry_run)
        return error_set(error, -ENOENT,
                         "adopt: no file declares %s; fpsync export --lxc %s shows what would be",
                         adoption->unknown.items[0], adoption->unknown.items[0]);
    int result = 0;
    for (size_t i = 0; i < adoption->unknown.count && result >= 0; i++)
        result = declare(session, adoption->unknown.items[i], error);
    if (result >= 0)
        result = session_load(session, error);
    return result < 0
               ? result
               : adoption_choose(session, options->arguments, options->argument_count, adoption, error);
}

int run_adopt(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct adoption adoption;
    struct plan plan;
    struct error error = {0};
    int result = session_open(options, options->dry_run ? SESSION_READ : SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    result = session_load(&session, &error);
    if (result >= 0)
        result = session_look(&session, &error);
    if (result >= 0)
        result = adoption_choose(&session, options->arguments, options->argument_count, &adoption, &error);
    if (result >= 0)
        result = declare_unknown(&session, &adoption, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    adoption_plan(&session, &adoption, &plan);
    if (session_guard(&session, &plan, &error) < 0)
        return fail(options, &error, EXIT_REFUSED);
    if (options->output != OUTPUT_DATA || options->dry_run || !plan.count)
        show_plan(options, &plan);
    fflush(stdout);
    if (options->dry_run || !plan.count)
        return plan.held_count ? EXIT_SOME_FAILED : plan.count ? EXIT_PENDING : EXIT_IN_SYNC;
    const struct execution_request request = {
        .sources = session.set.sources, .source_count = session.set.source_count, .stop_timeout = -1};
    int code = execute_and_report(&session, &plan, &request);
    return code == EXIT_IN_SYNC && plan.held_count ? EXIT_SOME_FAILED : code;
}
