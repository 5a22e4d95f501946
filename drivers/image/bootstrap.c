/* Images out of `bootstrap:` sources, by mmdebstrap(1) as root, in namespaces of its own so that apt and dpkg never
 * outlive it. The suite and the packages are checked here, right before they become arguments. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/full.h"
#include "drivers/image/make.h"
#include "drivers/image/program.h"
#include "drivers/storage/tree.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/fields.h"

#define MMDEBSTRAP "/usr/bin/mmdebstrap"

static int check_suite(const char *suite, struct error *error)
{
    size_t length = strlen(suite);
    if (length == 0 || length > 32 || strspn(suite, "abcdefghijklmnopqrstuvwxyz") != length)
        return error_set(error, -EINVAL, "\"%s\" is not the name of a suite", suite);
    return 0;
}

/* Debian policy 5.6.1: at least two of [a-z0-9+.-], the first a letter or digit. */
static int check_package(const char *name, struct error *error)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
    size_t length = strlen(name);
    if (length < 2 || length > 128 || !strchr(first, *name) || strspn(name, rest) != length)
        return error_set(error, -EINVAL, "\"%s\" is not the name of a Debian package", name);
    return 0;
}

struct hearing {
    const struct call *call;
    char last[512]; /* the last line that tells of an error, else the last one */
    bool is_error, is_full;
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    bool is_error = strncmp(line, "E: ", 3) == 0;
    if (is_error || !hearing->is_error)
        snprintf(hearing->last, sizeof(hearing->last), "%s", line);
    hearing->is_error |= is_error;
    hearing->is_full |= strstr(line, "No space left on device") != NULL; /* it tidies up before it ends */
    if (hearing->call->progress)
        hearing->call->progress(hearing->call->context, line);
}

static char *include_option(struct arena *arena, const struct texts *packages, struct error *error)
{
    char *option = arena_strdup(arena, "--include=");
    for (size_t i = 0; i < packages->count; i++) {
        if (check_package(packages->items[i], error) < 0)
            return NULL;
        option = arena_printf(arena, "%s%s%s", option, i ? "," : "", packages->items[i]);
    }
    return option;
}

/* Two files name this host, and a guest's systemd would take over the one; device nodes have no place in an image,
 * a container gets its /dev when it starts. */
static int remove_host_parts(const char *target, struct error *error)
{
    static const char *const names[] = {"etc/hostname", "etc/resolv.conf"};
    _cleanup_close_ int root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; root >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
        if (unlinkat(root, names[i], 0) < 0 && errno != ENOENT)
            return error_errno(error, -errno, "%s", names[i]);
    if (root < 0)
        return error_errno(error, -errno, "%s", target);
    int result = tree_remove(root, "dev", error);
    if (result == 0 && (mkdirat(root, "dev", 0755) < 0 || fchmodat(root, "dev", 0755, 0) < 0))
        result = error_errno(error, -errno, "%s/dev", target);
    return result;
}

int bootstrap_make(const char *suite, const struct texts *packages, const char *target,
                   const struct call *call, struct error *error)
{
    struct arena *arena = call->arena;
    int result = check_suite(suite, error);
    char *include = result < 0 ? NULL : include_option(arena, packages, error);
    if (!include)
        return -EINVAL;
    _cleanup_close_ int sources = apt_sources_of("/etc/apt", suite, error);
    if (sources < 0)
        return sources;
    const char *const fixed[] = {MMDEBSTRAP, "--mode=root", "--variant=minbase", "--format=directory"};
    const char **arguments = arena_array_of(arena, const char *, 16);
    size_t count = 0;
    for (; count < sizeof(fixed) / sizeof(fixed[0]); count++)
        arguments[count] = fixed[count];
    if (packages->count)
        arguments[count++] = include;
    arguments[count++] = "--";
    arguments[count++] = suite;
    arguments[count++] = target;
    arguments[count++] = "-"; /* sources from stdin */
    struct hearing hearing = {.call = call};
    const struct program program = {.arguments = (char *const *)arguments,
                                    .input = sources,
                                    .target = -1,
                                    .own_processes = true,
                                    .line = hear,
                                    .context = &hearing};
    result = program_run(&program, call, error);
    if (result == -ENOENT)
        return error_set(error, result, MMDEBSTRAP " is not installed: apt install mmdebstrap");
    if (result > 0)
        return hearing.is_full || is_on_full(target)
                   ? error_set(error, -ENOSPC, "mmdebstrap ended with status %d: the disk of %s is full: %s",
                               result, target, hearing.last)
                   : error_set(error, -EIO, "mmdebstrap ended with status %d: %s", result, hearing.last);
    return result < 0 ? result : remove_host_parts(target, error);
}
