/* The config file of a container: what it is called, whether it is ours, what it hashes to. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/units.h"

#define NAME_LENGTH  80 /* "PROJECT_NAME.TAG" is 66 at most; adopted names may be a little longer */
#define CONFIG_LIMIT (1024 * 1024) /* bytes */

int container_check_name(const char *name, struct error *error)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!name || !*name || *name == '.' || *name == '-' || strlen(name) > NAME_LENGTH ||
        strspn(name, legal) != strlen(name))
        return error_set(error, -EINVAL, "\"%s\" is no name of an LXC container", name ? name : "");
    return 0;
}

void container_path(const struct paths *paths, const char *name, const char *file,
                    char path[static CONTAINER_PATH_SIZE])
{
    snprintf(path, CONTAINER_PATH_SIZE, "%s/%s%s%s", paths->lxc, name, *file ? "/" : "", file);
}

static bool is_group_line(const char *line, size_t length)
{
    char copy[64], value[64];
    if (length >= sizeof(copy))
        return false;
    memcpy(copy, line, length);
    copy[length] = '\0';
    return sscanf(copy, " lxc.group = %63s", value) == 1 && strcmp(value, CONTAINER_GROUP) == 0;
}

static bool read_mark_line(const char *line, size_t length, struct arena *arena,
                           struct observed_container *out)
{
    size_t skip = strlen(CONTAINER_MARK);
    if (length <= skip || memcmp(line, CONTAINER_MARK, skip) != 0)
        return false;
    char *uid = arena_strndup(arena, line + skip, length - skip);
    char *space = strchr(uid, ' ');
    if (!space || space == uid)
        return false;
    *space = '\0';
    if (number_parse(space + 1, &out->generation) < 0)
        return false;
    out->uid = uid;
    return true;
}

/* Both halves of the mark are asked for: the group alone is something that people set by hand. */
void container_read_mark(const char *text, struct arena *arena, struct observed_container *out)
{
    bool group = false, mark = false;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        group = group || is_group_line(line, length);
        mark = mark || read_mark_line(line, length, arena, out);
        line += length + (line[length] == '\n');
    }
    out->ours = group && mark;
    if (out->ours)
        return;
    out->uid = NULL;
    out->generation = 0;
}

int container_read_config(const struct paths *paths, const char *name, struct arena *arena,
                          struct observed_container *out, struct error *error)
{
    char path[CONTAINER_PATH_SIZE], digest[DIGEST_TEXT_SIZE];
    container_path(paths, name, "config", path);
    _cleanup_buffer_ struct buffer text = {0};
    struct error reason = {0};
    int result = buffer_read_piece(&text, AT_FDCWD, path, CONFIG_LIMIT, &reason);
    if (result == -ENOENT || result == -ENOTDIR)
        return 0;
    if (result < 0)
        return error_set(error, result, "container %s: %s", name, reason.text);
    out->defined = true;
    digest_of(text.bytes, text.length, digest);
    out->config_digest = arena_strdup(arena, digest);
    if (text.length)
        container_read_mark(text.bytes, arena, out);
    return 0;
}
