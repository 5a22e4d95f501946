#include "drivers/image/build_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define FILE_LIMIT  ((size_t)4 * 1024 * 1024)
#define GROUP_LIMIT 1024
#define FIELDS      7

/* Digits and nothing else: "1" is no "+1", " 1" or "01x". */
static bool parse_id(const char *text, int64_t *id)
{
    size_t length = strlen(text);
    if (!length || length > 5 || strspn(text, "0123456789") != length)
        return false;
    *id = strtoll(text, NULL, 10);
    return *id < ID_RANGE;
}

/* Empty where the root has no such file. */
static int read_file(int root, const char *path, struct arena *arena, char **text, struct error *error)
{
    char link[64];
    struct stat status;
    _cleanup_buffer_ struct buffer bytes = {0};
    *text = arena_strdup(arena, "");
    _cleanup_close_ int found = guest_open(root, path, 0, error);
    if (found < 0)
        return found == -ENOENT || found == -ENOTDIR ? 0 : found;
    if (fstat(found, &status) < 0 || !S_ISREG(status.st_mode))
        return error_set(error, -EINVAL, "%s of the image is not a regular file", path);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    int result = buffer_read_file(&bytes, AT_FDCWD, link, FILE_LIMIT, error);
    if (result < 0)
        return error_wrap(error, result, "%s of the image", path);
    *text = arena_strndup(arena, bytes.bytes ? bytes.bytes : "", bytes.length);
    return 0;
}

/* One line's fields; what is missing is "". */
static void split(char *line, char *fields[static FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++) {
        char *field = line ? strsep(&line, ":") : NULL;
        fields[i] = field ? field : (char *)"";
    }
}

/* The first entry of that name, or, where `name` is NULL, number. */
static bool find_user(char *text, const char *name, int64_t number, struct arena *arena,
                      struct build_user *user)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[FIELDS];
        int64_t uid, gid;
        split(line, fields);
        if (!parse_id(fields[2], &uid) || !parse_id(fields[3], &gid) ||
            (name ? strcmp(fields[0], name) != 0 : uid != number))
            continue;
        user->uid = uid;
        user->gid = gid;
        user->home = *fields[5] == '/' ? arena_strdup(arena, fields[5]) : "/";
        user->groups = NULL;
        return true;
    }
    return false;
}

static const char *name_of(char *text, int64_t number, struct arena *arena)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[FIELDS];
        int64_t uid;
        split(line, fields);
        if (parse_id(fields[2], &uid) && uid == number)
            return arena_strdup(arena, fields[0]);
    }
    return NULL;
}

static bool find_group(char *text, const char *name, int64_t *gid)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *fields[FIELDS];
        split(line, fields);
        if (strcmp(fields[0], name) == 0 && parse_id(fields[2], gid))
            return true;
    }
    return false;
}

static void add_groups(char *text, const char *name, struct arena *arena, struct build_user *user)
{
    for (char *line; name && (line = strsep(&text, "\n")) && user->group_count < GROUP_LIMIT;) {
        char *fields[FIELDS];
        int64_t gid;
        split(line, fields);
        if (!parse_id(fields[2], &gid) || gid == user->gid)
            continue;
        for (char *members = fields[3], *member; (member = strsep(&members, ","));)
            if (strcmp(member, name) == 0) {
                *arena_append(arena, user->groups, user->group_count) = gid;
                break;
            }
    }
}

static int set_user(char *users, const char *name, int64_t otherwise, struct arena *arena,
                    struct build_user *user, struct error *error)
{
    int64_t number;
    if (!parse_id(name, &number)) {
        if (!*name || !find_user(users, name, 0, arena, user))
            return error_set(error, -ENOENT, "the image has no user \"%s\" in its /etc/passwd", name);
        return 0;
    }
    if (find_user(users, NULL, number, arena, user))
        return 0;
    *user = (struct build_user){.uid = number, .gid = otherwise < 0 ? number : otherwise, .home = "/"};
    return 0;
}

int build_user_find(int root, const char *text, int64_t otherwise, struct arena *arena,
                    struct build_user *user, struct error *error)
{
    char *users, *groups;
    *user = (struct build_user){.home = "/root"};
    if (!text || !*text)
        text = "0";
    const char *colon = strchr(text, ':');
    const char *name = colon ? arena_strndup(arena, text, (size_t)(colon - text)) : text;
    int result = read_file(root, "/etc/passwd", arena, &users, error);
    if (result == 0)
        result = read_file(root, "/etc/group", arena, &groups, error);
    if (result == 0)
        result = set_user(arena_strdup(arena, users), name, otherwise, arena, user, error);
    if (result < 0)
        return result;
    if (colon && !parse_id(colon + 1, &user->gid) &&
        !find_group(arena_strdup(arena, groups), colon + 1, &user->gid))
        return error_set(error, -ENOENT, "the image has no group \"%s\" in its /etc/group", colon + 1);
    if (!colon)
        add_groups(arena_strdup(arena, groups), name_of(arena_strdup(arena, users), user->uid, arena), arena,
                   user);
    return 0;
}
