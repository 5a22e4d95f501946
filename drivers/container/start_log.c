#include "drivers/container/start_log.h"

#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/full.h"
#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"

#define LOG_LIMIT (256 * 1024) /* bytes of a log that are read for reasons */
#define REASONS   3

void start_log_open(struct config *config, const struct paths *paths, struct start_log *log)
{
    struct stat status;
    struct lxc_container *lxc = config->lxc;
    int length = lxc->get_config_item(lxc, "lxc.log.file", log->path, sizeof(log->path));
    if (length <= 0 || (size_t)length >= sizeof(log->path)) {
        container_path(paths, config->name, "log", log->path);
        struct lxc_log said = {
            .name = config->name, .lxcpath = paths->lxc, .file = log->path, .level = "WARN", .quiet = true};
        if (lxc_log_init(&said) < 0)
            *log->path = '\0';
    }
    log->from = *log->path && stat(log->path, &status) == 0 ? status.st_size : 0;
}

/* "lxc NAME 20261124020429.123 ERROR    start - ../src/lxc/start.c:function:123 - MESSAGE" */
static const char *error_message(char *line)
{
    char *level = strstr(line, " ERROR ");
    char *source = level ? strstr(level, " - ") : NULL;
    char *message = source ? strstr(source + 3, " - ") : NULL;
    return message ? message + 3 : NULL;
}

static void add_reason(const char **reasons, int *count, const char *message)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(reasons[i], message) == 0)
            return;
    if (*count < REASONS)
        reasons[(*count)++] = message;
}

static size_t read_log(const struct start_log *log, char *bytes)
{
    _cleanup_close_ int fd = open(log->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t got = 1; fd >= 0 && got > 0 && length<LOG_LIMIT; length += got> 0 ? (size_t)got : 0)
        got = pread(fd, bytes + length, LOG_LIMIT - length, log->from + (off_t)length);
    bytes[length] = '\0';
    return length;
}

/* "No such file or directory - Failed to exec "/sbin/init"", the first of its errors then. */
const char *start_log_missing(const struct start_log *log, struct arena *arena)
{
    static const char before[] = "No such file or directory - Failed to exec \"";
    if (!*log->path)
        return NULL;
    _cleanup_free_ char *bytes = malloc(LOG_LIMIT + 1);
    const char *at = bytes && read_log(log, bytes) ? strstr(bytes, before) : NULL;
    if (!at)
        return NULL;
    at += strlen(before);
    return arena_strndup(arena, at, strcspn(at, "\"\n"));
}

/* The first errors say the cause, the last what came of it. */
void start_log_explain(const struct start_log *log, struct buffer *text)
{
    const char *reasons[REASONS];
    int count = 0;
    if (!*log->path)
        return;
    _cleanup_free_ char *bytes = malloc(LOG_LIMIT + 1);
    char *rest = bytes && read_log(log, bytes) ? bytes : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        const char *message = error_message(line);
        if (message)
            add_reason(reasons, &count, message);
    }
    for (int i = 0; i < count; i++)
        buffer_printf(text, "%s%s", i ? "; " : ": ", reasons[i]);
    if (!count && is_on_full(log->path))
        buffer_text(text, ": LXC said why, but its log lies on a file system that is full");
    buffer_printf(text, " (%s)", log->path);
}
