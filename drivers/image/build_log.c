#include "drivers/image/build_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/build_making.h"
#include "lib/buffer.h"

#define HALF_SIZE ((int64_t)512 * 1024) /* bytes; there are two files of a log at most */

static int open_file(const struct build_log *log)
{
    return openat(log->folder, log->name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static const char *older(const struct build_log *log, char *name, size_t size)
{
    snprintf(name, size, "%s.1", log->name);
    return name;
}

struct kept {
    char name[NAME_MAX + 1];
    time_t time;
};

static int newest_first(const void *left, const void *right)
{
    const time_t a = ((const struct kept *)left)->time, b = ((const struct kept *)right)->time;
    return a > b ? -1 : a < b;
}

/* Of names that are no logs nothing is known, and they stay. */
static void tidy(int folder, struct arena *arena)
{
    const time_t now = time(NULL);
    struct kept *kept = NULL;
    size_t count = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *item; directory && (item = readdir(directory));) {
        struct stat status;
        if (item->d_name[0] == '.' || fstatat(folder, item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        struct kept *one = arena_append(arena, kept, count);
        snprintf(one->name, sizeof(one->name), "%s", item->d_name);
        one->time = status.st_mtime;
    }
    if (directory)
        closedir(directory);
    if (count)
        qsort(kept, count, sizeof(*kept), newest_first);
    for (size_t i = 0; i < count; i++)
        if (i >= BUILD_LOG_COUNT || now - kept[i].time > BUILD_LOG_AGE)
            unlinkat(folder, kept[i].name, 0);
}

void build_log_begin(struct build_log *log, const struct paths *paths, const struct build_run *request,
                     struct arena *arena)
{
    char text[64], name[NAME_MAX + 1];
    const time_t now = time(NULL);
    struct tm parts;
    *log = NO_BUILD_LOG;
    if (!request->image)
        return;
    log->name = build_log_name(arena, request->image, request->place->key);
    log->folder = build_folder_open(paths, BUILD_FOLDER_LOGS, NULL);
    if (log->folder < 0)
        return;
    tidy(log->folder, arena);
    unlinkat(log->folder, older(log, name, sizeof(name)), 0);
    log->file = open_file(log);
    if (log->file >= 0)
        log->path = arena_printf(arena, "%s/" BUILD_FOLDER_LOGS "/%s", paths->build, log->name);
    strftime(text, sizeof(text), "%FT%TZ", gmtime_r(&now, &parts));
    build_log_line(log, arena_printf(arena, "# %s, %s", text, request->what));
}

void build_log_line(struct build_log *log, const char *line)
{
    const size_t length = strlen(line);
    char name[NAME_MAX + 1];
    if (log->file < 0)
        return;
    if (log->bytes + (int64_t)length >= HALF_SIZE) {
        cleanup_close(&log->file);
        if (renameat(log->folder, log->name, log->folder, older(log, name, sizeof(name))) == 0)
            log->file = open_file(log);
        log->bytes = 0;
    }
    if (log->file < 0 || bytes_write(log->file, line, length) < 0 || bytes_write(log->file, "\n", 1) < 0)
        cleanup_close(&log->file);
    log->bytes += (int64_t)length + 1;
}

void build_log_end(struct build_log *log)
{
    cleanup_close(&log->file);
    cleanup_close(&log->folder);
}
