/* Whether LXC itself takes a config, and a spec can keep what it says, as far as that is seen line by line: what is wrong
 * is named with its line, before anything is taken over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/view_found.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "specs/forms.h"

#define FILE_LIMIT ((size_t)1024 * 1024) /* bytes, of each file */
#define DEPTH      8                     /* of includes in includes */

struct checking {
    struct arena *arena;
    struct error *error;
    struct texts *included; /* what has been read: one file may be included by many */
};
struct spot {
    const char *path; /* of the file */
    size_t line;      /* from 1 */
    int depth;        /* of includes */
};

static int check_text(const struct checking *checking, const char *path, char *text, int depth);

/* As LXC before 3.0 had them; lxc.network and lxc.limit stand for all below them. */
static bool is_of_old(const char *key)
{
    static const char *const words[] = {"aa_profile",
                                        "aa_allow_incomplete",
                                        "console",
                                        "devttydir",
                                        "haltsignal",
                                        "id_map",
                                        "init_cmd",
                                        "init_uid",
                                        "init_gid",
                                        "kmsg",
                                        "logfile",
                                        "loglevel",
                                        "mount",
                                        "pivotdir",
                                        "pts",
                                        "rebootsignal",
                                        "rootfs",
                                        "rootfs.backend",
                                        "rootfs.mount.old",
                                        "se_context",
                                        "seccomp",
                                        "stopsignal",
                                        "syslog",
                                        "tty",
                                        "utsname"};
    static const char *const trees[] = {"network", "limit"};
    key += strlen("lxc.");
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(key, words[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
        size_t length = strlen(trees[i]);
        if (strncmp(key, trees[i], length) == 0 && (!key[length] || key[length] == '.'))
            return true;
    }
    return false;
}

static int check_included(const struct checking *checking, const struct spot *at, const char *path)
{
    struct stat status;
    _cleanup_buffer_ struct buffer text = {0};
    if (*path != '/')
        return error_set(checking->error, -EINVAL,
                         "%s:%zu: lxc.include names %s, where an absolute path was expected: LXC looks for "
                         "another wherever it is started; write all of it",
                         at->path, at->line, path);
    const bool there = stat(path, &status) == 0;
    if (path[strlen(path) - 1] == '/' || (there && S_ISDIR(status.st_mode)) ||
        texts_have(checking->included, path))
        return 0; /* a folder that is not there includes nothing */
    if (there && !S_ISREG(status.st_mode))
        return error_set(checking->error, -EINVAL,
                         "%s:%zu: lxc.include names %s, where a config was expected: it is no file; put one "
                         "there, or remove the line",
                         at->path, at->line, path);
    *arena_append(checking->arena, checking->included->items, checking->included->count) =
        arena_strdup(checking->arena, path);
    int result = buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, NULL);
    if (result < 0)
        return error_set(checking->error, result == -ENOENT ? -ENOTDIR : result,
                         "%s:%zu: lxc.include names %s, where a config was expected: %s; put it there, or "
                         "remove the line, for without it LXC starts the container no more",
                         at->path, at->line, path, strerror(-result));
    return text.length && at->depth < DEPTH
               ? check_text(checking, path, arena_strdup(checking->arena, text.bytes), at->depth + 1)
               : 0;
}

static int check_line(const struct checking *checking, const struct spot *at, const char *key,
                      const char *value)
{
    if (strncmp(key, "lxc.", strlen("lxc.")) != 0)
        return 0; /* LXC takes it for no line of its own */
    if (is_of_old(key))
        return error_set(checking->error, -EINVAL,
                         "%s:%zu: %s is a key of LXC before 3.0, which the LXC of this host refuses; "
                         "lxc-update-config -c %s writes the present ones",
                         at->path, at->line, key, at->path);
    if (strcmp(key, "lxc.include") == 0 && *value)
        return check_included(checking, at, value);
    if (at->depth)
        return 0; /* stays where it is */
    const struct form_context context = {.arena = checking->arena, .project = "default", .folder = "/"};
    const char *line = arena_printf(checking->arena, "%s = %s", key, value);
    if (text_printable(line, strlen(line)) == strlen(line) && form_canonical(&context, FORM_LXC_LINE, line))
        return 0;
    return error_set(checking->error, -EINVAL,
                     "%s:%zu: %.*s has a value that no spec can say, which are UTF-8 without control "
                     "characters; write it so, or put the line into a file that lxc.include names",
                     at->path, at->line, (int)text_printable(key, strlen(key)), key);
}

static int check_text(const struct checking *checking, const char *path, char *text, int depth)
{
    struct spot at = {.path = path, .depth = depth};
    int result = 0;
    for (char *line = strsep(&text, "\n"), *key, *value; line && result == 0; line = strsep(&text, "\n")) {
        at.line++;
        if (found_split(line, &key, &value))
            result = check_line(checking, &at, key, value);
    }
    return result;
}

int found_check(const char *path, const char *text, struct arena *arena, struct error *error)
{
    struct texts included = {0};
    const struct checking checking = {.arena = arena, .error = error, .included = &included};
    return check_text(&checking, path, arena_strdup(arena, text), 0);
}

size_t found_line_of(const char *path, const char *key)
{
    _cleanup_buffer_ struct buffer text = {0};
    size_t number = 0, found = 0;
    if (buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, NULL) < 0 || !text.length)
        return 0;
    char *rest = text.bytes;
    for (char *line = strsep(&rest, "\n"), *said, *value; line; line = strsep(&rest, "\n")) {
        number++;
        if (found_split(line, &said, &value) && strcmp(said, key) == 0)
            found = number;
    }
    return found;
}
