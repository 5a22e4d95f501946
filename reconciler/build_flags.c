#include "reconciler/build_flags.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/error.h"
#include "specs/forms.h"
#include "specs/image_config.h"

static int read_target(const char *target, struct arena *arena, struct build_flags *flags,
                       struct error *error);
static int read_argument(const char *text, struct arena *arena, struct build_flags *flags,
                         struct error *error);
static int read_secret(const char *text, struct arena *arena, struct build_flags *flags, struct error *error);
static const char *told(const struct build_flags *flags, struct arena *arena);

int build_flags_read(const struct options *options, struct arena *arena, struct build_flags *flags,
                     struct error *error)
{
    int result = 0;
    *flags = (struct build_flags){0};
    for (size_t i = 0; i < options->target_count && result >= 0; i++)
        result = read_target(options->targets[i], arena, flags, error);
    for (size_t i = 0; i < options->build_args.count && result >= 0; i++)
        result = read_argument(options->build_args.items[i], arena, flags, error);
    for (size_t i = 0; i < options->secrets.count && result >= 0; i++)
        result = read_secret(options->secrets.items[i], arena, flags, error);
    flags->told = told(flags, arena);
    return result;
}

bool build_flags_any(const struct build_flags *flags)
{
    return flags->args.count || flags->stage || flags->secrets.count;
}

/* A later one of the same name counts. */
static void put(struct pairs *pairs, const char *key, const char *value, struct arena *arena)
{
    struct pair *pair = NULL;
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].key, key) == 0)
            pair = &pairs->items[i];
    if (!pair)
        pair = arena_append(arena, pairs->items, pairs->count);
    *pair = (struct pair){.key = key, .value = value};
}

static int read_target(const char *target, struct arena *arena, struct build_flags *flags,
                       struct error *error)
{
    if (strncmp(target, "image/", strlen("image/")) == 0)
        *arena_append(arena, flags->images.items, flags->images.count) = target;
    else if (strchr(target, '/'))
        return error_set(error, -EINVAL,
                         "--target: expected a stage of the recipe or image/NAME, found \"%s\"", target);
    else if (flags->stage && strcmp(flags->stage, target) != 0)
        return error_set(error, -EINVAL, "--target: one stage becomes the image, not both %s and %s",
                         flags->stage, target);
    else
        flags->stage = target;
    return 0;
}

static int read_argument(const char *text, struct arena *arena, struct build_flags *flags,
                         struct error *error)
{
    const char *equals = strchr(text, '=');
    const char *name = equals ? arena_strndup(arena, text, (size_t)(equals - text)) : text;
    const char *value = equals ? equals + 1 : getenv(name);
    if (!image_variable_is_valid(name))
        return error_set(error, -EINVAL, "--build-arg: expected NAME=VALUE or NAME, found \"%s\"", text);
    if (!value)
        return error_set(error, -ENOENT, "--build-arg %s: no value is given, and the environment has none",
                         name);
    put(&flags->args, name, value, arena);
    return 0;
}

/* ---- secrets ---- */

/* Its variable is gone after that, also from what /proc/PID/environ shows. */
static int hide_variable(const char *id, const char *name, struct arena *arena, const char **file,
                         struct error *error)
{
    char *value = getenv(name);
    if (!value)
        return error_set(error, -ENOENT, "--secret id=%s: the environment has no %s", id, name);
    const size_t length = strlen(value);
    int memory = memfd_create("fpsync-secret", MFD_CLOEXEC); /* open as long as this process lives */
    int result = memory < 0 ? -errno : bytes_write(memory, value, length);
    if (result < 0)
        return error_errno(error, result, "--secret id=%s", id);
    *file = arena_printf(arena, "/proc/%ld/fd/%d", (long)getpid(), memory);
    explicit_bzero(value, length);
    unsetenv(name);
    return 0;
}

static int find_file(const char *id, const char *path, struct arena *arena, const char **file,
                     struct error *error)
{
    char folder[PATH_MAX] = "/";
    if (*path != '/' && !getcwd(folder, sizeof(folder)))
        return error_errno(error, -errno, "--secret id=%s", id);
    *file = path_clean(arena, folder, path);
    return access(*file, R_OK) < 0 ? error_errno(error, -errno, "--secret id=%s: %s", id, *file) : 0;
}

/* "id=ID,src=FILE", "id=ID,env=NAME", "id=ID": of the variable ID, or else the file ID, as docker has it. */
static int read_secret(const char *text, struct arena *arena, struct build_flags *flags, struct error *error)
{
    const char *id = NULL, *path = NULL, *variable = NULL, *file;
    char *copy = arena_strdup(arena, text), *save = NULL;
    for (char *part = strtok_r(copy, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        char *value = strchr(part, '=');
        if (value)
            *value++ = '\0';
        if (value && strcmp(part, "id") == 0)
            id = value;
        else if (value && (strcmp(part, "src") == 0 || strcmp(part, "source") == 0))
            path = value;
        else if (value && strcmp(part, "env") == 0)
            variable = value;
        else if (!value || strcmp(part, "type") != 0)
            return error_set(error, -EINVAL,
                             "--secret: expected id=ID,src=FILE or id=ID,env=NAME, found \"%s\"", part);
    }
    if (!id || !*id || (path && variable) || (path && !*path))
        return error_set(error, -EINVAL, "--secret: expected id=ID,src=FILE or id=ID,env=NAME");
    if (!path && !variable && getenv(id))
        variable = id;
    int result = variable ? hide_variable(id, variable, arena, &file, error)
                          : find_file(id, path ? path : id, arena, &file, error);
    if (result == 0)
        put(&flags->secrets, id, file, arena);
    return result;
}

/* Secrets are in no key, so an image is the same with them and without. */
static const char *told(const struct build_flags *flags, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < flags->args.count; i++)
        buffer_printf(&text, "%s%s", i ? " " : "", flags->args.items[i].key);
    if (flags->args.count)
        buffer_text(&text, " by --build-arg");
    if (flags->stage)
        buffer_printf(&text, "%sstage %s by --target", text.length ? ", " : "", flags->stage);
    return text.length ? arena_strdup(arena, text.bytes) : NULL;
}
