/* logs: what a container wrote to its console, as its monitor keeps it: console.log, and console.log.1 once that was
 * full. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "reconciler/cli/logs.h"
#include "reconciler/members.h"

/* A guest may write anything; a terminal gets of that what cannot command it. */
static void make_harmless(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < 0x20 && !strchr("\n\t\r", text[i])) || text[i] == 0x7f)
            text[i] = '?';
}

/* From where the file stands to its end. */
static int print_rest(int fd, struct error *error)
{
    char piece[16 * 1024];
    const bool terminal = isatty(STDOUT_FILENO);
    ssize_t length;
    while ((length = read(fd, piece, sizeof(piece))) > 0) {
        if (terminal)
            make_harmless(piece, (size_t)length);
        if (fwrite(piece, 1, (size_t)length, stdout) != (size_t)length)
            return error_errno(error, -errno, "cannot write");
    }
    fflush(stdout);
    return length < 0 ? error_errno(error, -errno, "cannot read") : 0;
}

int log_print_file(const char *path, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", path);
    return print_rest(fd, error);
}

static bool is_file(int fd, const char *path)
{
    struct stat open_, there;
    return fd >= 0 && fstat(fd, &open_) == 0 && stat(path, &there) == 0 && open_.st_dev == there.st_dev &&
           open_.st_ino == there.st_ino;
}

/* What still came before the file was full, and where that happened twice, all that came between. */
static int move_on(int *fd, const char *path, const char *older, struct error *error)
{
    int result = *fd >= 0 ? print_rest(*fd, error) : 0;
    if (result >= 0 && *fd >= 0 && !is_file(*fd, older))
        result = log_print_file(older, error);
    if (*fd >= 0)
        close(*fd);
    *fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return result;
}

/* Until somebody ends it. The folder is watched, so that a full file's successor is met, too. */
static int follow(const char *folder, const char *path, const char *older, struct error *error)
{
    char events[4096];
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0 || inotify_add_watch(watch, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return error_errno(error, -errno, "cannot watch %s", folder);
    int fd = -1, result = 0;
    while (result >= 0) {
        bool moved = !is_file(fd, path) && access(path, F_OK) == 0;
        result = moved ? move_on(&fd, path, older, error) : fd >= 0 ? print_rest(fd, error) : 0;
        if (result >= 0 && !moved && read(watch, events, sizeof(events)) < 0 && errno != EINTR)
            result = error_errno(error, -errno, "cannot watch %s", folder);
    }
    if (fd >= 0)
        close(fd);
    return result;
}

static const char *log_path(const struct session *session, const struct entry *entry)
{
    return arena_printf(session->arena, "%s/%s/console.log", session->paths.lxc,
                        object_lxc_name(&session->paths, session->arena, &entry->object));
}

static int follow_log(const struct session *session, const struct entry *entry, struct error *error)
{
    const char *path = log_path(session, entry), *older = arena_printf(session->arena, "%s.1", path);
    const char *folder = arena_strndup(session->arena, path, (size_t)(strrchr(path, '/') - path));
    int result = log_print_file(older, error);
    return result < 0 ? result : follow(folder, path, older, error);
}

/* What a container's files hold, the older one first. */
static int print_log(const struct session *session, const struct entry *entry, struct error *error)
{
    const char *path = log_path(session, entry);
    int result = log_print_file(arena_printf(session->arena, "%s.1", path), error);
    return result < 0 ? result : log_print_file(path, error);
}

/* As tail(1) does it. */
static int print_logs(const struct session *session, const struct members *members, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < members->count && result >= 0; i++) {
        printf("%s==> %s <==\n", i ? "\n" : "", members->items[i]->name);
        result = print_log(session, members->items[i], error);
    }
    return result;
}

/* An adopted container may keep its log elsewhere or nowhere. */
static bool has_log(const struct session *session, const struct entry *entry)
{
    const char *path = log_path(session, entry);
    return !container_is_adopted(entry->object.body) || access(path, F_OK) == 0 ||
           access(arena_printf(session->arena, "%s.1", path), F_OK) == 0;
}

int run_logs(const struct options *options)
{
    static const char image[] = "image/";
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct members members;
    struct error error = {0};
    if (options->argument_count != 1) {
        error_set(&error, -EINVAL, "logs: of which container? fpsync status -o name lists them");
        return fail(options, &error, EXIT_ERROR);
    }
    const bool is_of_build = strncmp(options->arguments[0], image, strlen(image)) == 0;
    if (is_of_build && options->follow) {
        error_set(&error, -EINVAL,
                  "logs: --follow is of containers; without it what a RUN has printed so far is shown");
        return fail(options, &error, EXIT_ERROR);
    }
    if (is_of_build)
        return logs_of_build(options, options->arguments[0] + strlen(image));
    int result = session_open(options, SESSION_READ, &session, &error);
    if (result >= 0)
        result = members_find(&session, options->arguments[0], &members, &error);
    if (result >= 0 && members.count > 1 && options->follow)
        result = error_set(&error, -EINVAL, "logs: %s is a set; follow one of its members: %s",
                           options->arguments[0], members_print(&members, session.arena));
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const struct entry *first = members.items[0];
    /* What the monitor remembers is better than nothing. */
    if (!options->follow && !has_log(&session, first)) {
        session_close(&session);
        session = (struct session){.lock = -1};
        return become_worker(options, "--log", options->arguments[0], NULL, 0);
    }
    if (members.count > 1)
        result = print_logs(&session, &members, &error);
    else if (options->follow)
        result = follow_log(&session, first, &error);
    else
        result = print_log(&session, first, &error);
    return result < 0 ? fail(options, &error, EXIT_ERROR) : EXIT_IN_SYNC;
}
