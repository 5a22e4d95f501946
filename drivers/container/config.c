/* Writes LXC configs through liblxc's own setters, so that a value can never become a second line or another key. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

#define CONFIG_LIMIT (1024 * 1024)

int config_open(struct config *config, const struct paths *paths, const char *name, bool load,
                struct error *error)
{
    *config = (struct config){.name = name, .error = error};
    config->lxc = lxc_container_new(name, paths->lxc);
    if (!config->lxc)
        return error_set(error, -EIO, "container %s: liblxc cannot open it below %s", name, paths->lxc);
    if (!load)
        config->lxc->clear_config(config->lxc);
    return 0;
}

void config_close(struct config *config)
{
    if (config->lxc)
        lxc_container_put(config->lxc);
    config->lxc = NULL;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return true;
    return false;
}

/* Told apart from a value that is refused: the key is what is to be mended then. */
static bool knows(struct config *config, const char *key)
{
    if (lxc_config_item_is_supported(key))
        return true;
    config->result =
        error_set(config->error, -EINVAL, "container %s: liblxc knows no key %s", config->name, key);
    return false;
}

/* The value is not quoted in the message: it may be a secret's. */
void config_set(struct config *config, const char *key, const char *value)
{
    if (config->result < 0)
        return;
    if (has_control(value))
        config->result = error_set(config->error, -EINVAL,
                                   "container %s: %s: a value with a control character", config->name, key);
    else if (!config->lxc->set_config_item(config->lxc, key, value) && knows(config, key))
        config->result = error_set(config->error, -EINVAL, "container %s: liblxc refuses the value of %s",
                                   config->name, key);
}

void config_setf(struct config *config, const char *key, const char *format, ...)
{
    _cleanup_free_ char *value = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    config_set(config, key, value);
}

void config_clear(struct config *config, const char *key)
{
    if (config->result == 0)
        config->lxc->clear_config_item(config->lxc, key);
}

bool config_says(struct config *config, const char *key)
{
    return config->result == 0 && config->lxc->get_config_item(config->lxc, key, NULL, 0) > 0;
}

static int write_file(const char *path, const struct buffer *text, bool passing)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return -errno;
    int result = bytes_write(fd, text->bytes, text->length);
    return result < 0 || passing ? result : fsync(fd) < 0 ? -errno : 0;
}

void config_load_lines(struct config *config, const struct paths *paths, const struct texts *lines)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < lines->count && config->result == 0; i++) {
        if (has_control(lines->items[i]) || strncmp(lines->items[i], "lxc.", strlen("lxc.")) != 0)
            config->result = error_set(config->error, -EINVAL, "container %s: \"%s\" is no line of a config",
                                       config->name, lines->items[i]);
        buffer_printf(&text, "%s\n", lines->items[i]);
    }
    if (config->result < 0 || !text.length)
        return;
    container_path(paths, config->name, "config.new", path);
    int result = write_file(path, &text, config->passing);
    if (result < 0)
        config->result =
            error_errno(config->error, result, "container %s: cannot write %s", config->name, path);
    else if (!config->lxc->load_config(config->lxc, path))
        config->result = error_set(config->error, -EINVAL,
                                   "container %s: liblxc refuses one of the lines below lxc:", config->name);
    unlink(path);
}

static void set_limit(struct config *config, const struct limit_setting *setting)
{
    char key[96];
    snprintf(key, sizeof(key), "lxc.cgroup%s.%s", setting->unified ? "2" : "", setting->file);
    config_set(config, key, setting->value);
}

static int settings_of(struct config *config, const struct hierarchies *hierarchies,
                       const struct limits *limits, struct limit_setting settings[static LIMIT_SETTINGS])
{
    if (config->result < 0)
        return 0;
    int count = limits_settings(hierarchies, limits, settings, config->error);
    if (count >= 0)
        return count;
    config->result = error_wrap(config->error, count, "container %s", config->name);
    return 0;
}

/* Always at the config's end, in one order: a live change then gives byte for byte the file that a new definition
 * would. */
void config_set_limits(struct config *config, const struct hierarchies *hierarchies,
                       const struct limits *limits)
{
    struct limit_setting settings[LIMIT_SETTINGS];
    int count = settings_of(config, hierarchies, limits, settings);
    for (int i = 0; i < count; i++)
        if (!settings[i].only_live)
            set_limit(config, &settings[i]);
}

/* Every setting has a word for "no limit"; the period of processor time goes with its quota. */
void config_set_given_limits(struct config *config, const struct hierarchies *hierarchies,
                             const struct limits *limits)
{
    struct limit_setting settings[LIMIT_SETTINGS];
    int count = settings_of(config, hierarchies, limits, settings);
    for (int i = 0; i < count; i++) {
        bool none = strncmp(settings[i].value, "-1", 2) == 0 || strncmp(settings[i].value, "max", 3) == 0;
        bool idle = strcmp(settings[i].file, "cpu.cfs_period_us") == 0 && !limits->cpus;
        bool endless = strcmp(settings[i].file, "memory.swap.max") == 0 && limits->swap == INT64_MAX;
        if (!settings[i].only_live && !none && !idle && !endless)
            set_limit(config, &settings[i]);
    }
}

/* ---- saving ---- */

/* liblxc's text without any mark that it carried over, ours in front. */
static int compose(struct config *config, const char *path, const char *uid, int64_t generation,
                   struct buffer *text)
{
    _cleanup_buffer_ struct buffer saved = {0};
    if (!config->lxc->save_config(config->lxc, path))
        return error_errno(config->error, errno ? -errno : -EIO, "container %s: cannot write %s",
                           config->name, path);
    int result = buffer_read_file(&saved, AT_FDCWD, path, CONFIG_LIMIT, config->error);
    if (result < 0)
        return result;
    buffer_printf(text, CONTAINER_MARK "%s %lld\n", uid, (long long)generation);
    char *rest = saved.length ? saved.bytes : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (*line && strncmp(line, CONTAINER_MARK, strlen(CONTAINER_MARK)) != 0)
            buffer_printf(text, "%s\n", line);
    return 0;
}

static int replace(struct config *config, const char *new, const char *path, const struct buffer *text)
{
    _cleanup_buffer_ struct buffer before = {0};
    if (buffer_read_file(&before, AT_FDCWD, path, CONFIG_LIMIT, NULL) >= 0 && before.length == text->length &&
        memcmp(before.bytes, text->bytes, text->length) == 0) {
        unlink(new);
        return 0;
    }
    int result = write_file(new, text, config->passing);
    if (result == 0 && rename(new, path) < 0)
        result = -errno;
    if (result == 0)
        return 0;
    unlink(new);
    return error_errno(config->error, result, "container %s: cannot write %s", config->name, path);
}

int config_save(struct config *config, const struct paths *paths, const char *uid, int64_t generation,
                struct arena *arena, const char **digest)
{
    if (config->result < 0)
        return config->result;
    char path[CONTAINER_PATH_SIZE], new[CONTAINER_PATH_SIZE], hex[DIGEST_TEXT_SIZE];
    container_path(paths, config->name, "config", path);
    container_path(paths, config->name, "config.new", new);
    _cleanup_buffer_ struct buffer text = {0};
    int result = compose(config, new, uid, generation, &text);
    if (result == 0)
        result = replace(config, new, path, &text);
    else
        unlink(new);
    if (result < 0)
        return result;
    digest_of(text.bytes, text.length, hex);
    *digest = arena_strdup(arena, hex);
    return 0;
}
