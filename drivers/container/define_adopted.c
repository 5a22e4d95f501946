/* What the config of a container that LXC had before says beside fpsync's own words: what comes first in it, and what LXC
 * mounts into it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define FILE_LIMIT (1024 * 1024) /* bytes */
#define AUTOSTART  "lxc.start."

void config_set_arch(struct config *config, const struct container_definition *definition)
{
    if (definition->arch)
        config_set(config, "lxc.arch", definition->arch);
}

static void add_line(struct arena *arena, struct texts *lines, const char *line)
{
    *arena_append(arena, lines->items, lines->count) = line;
}

static bool is_name(const char *text)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return *text && *text != '.' && strspn(text, legal) == strlen(text);
}

/* What LXC starts when the host does is its own affair again once the container is given back. */
static void add_autostart(const struct paths *paths, const char *name, struct arena *arena,
                          struct texts *lines)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    container_path(paths, name, "config", path);
    char *rest = buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, NULL) == 0 ? text.bytes : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        line += strspn(line, " \t");
        if (strncmp(line, AUTOSTART, strlen(AUTOSTART)) == 0 && strchr(line, '='))
            add_line(arena, lines, arena_strdup(arena, line));
    }
}

void config_load_first(struct config *config, const struct paths *paths,
                       const struct container_definition *definition, struct arena *arena)
{
    struct texts lines = {0};
    for (size_t i = 0; i < definition->includes.count && config->result == 0; i++) {
        const char *name = definition->includes.items[i];
        if (!is_name(name))
            config->result = error_set(config->error, -EINVAL, "container %s: \"%s\" is no config of LXC's",
                                       config->name, name);
        add_line(arena, &lines, arena_printf(arena, "lxc.include = " CONTAINER_INCLUDES "%s.conf", name));
    }
    add_autostart(paths, definition->lxc_name, arena, &lines);
    for (size_t i = 0; i < definition->lxc.count; i++)
        add_line(arena, &lines, definition->lxc.items[i]);
    config_load_lines(config, paths, &lines);
}

void config_set_apparmor(struct config *config, const struct container_definition *definition)
{
    if (!definition->apparmor)
        return;
    config_set(config, "lxc.apparmor.profile", "generated");
    if (strcmp(definition->apparmor, "nesting") == 0)
        config_set(config, "lxc.apparmor.allow_nesting", "1");
}

/* As getmntent(3) reads it. */
static void add_word(struct buffer *text, const char *word)
{
    for (; *word; word++)
        if (strchr(" \t\n\\", *word))
            buffer_printf(text, "\\%03o", (unsigned char)*word);
        else
            buffer_add(text, word, 1);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* "/srv/www srv/www none bind,ro,create=dir 0 0" */
void config_set_binds(struct config *config, const struct container_definition *definition)
{
    for (size_t i = 0; i < definition->binds.count; i++) {
        const struct container_bind *bind = definition->binds.items[i];
        _cleanup_buffer_ struct buffer text = {0};
        add_word(&text, bind->source);
        buffer_text(&text, " ");
        add_word(&text, bind->path + strspn(bind->path, "/"));
        buffer_printf(&text, " none bind%s%s,create=%s 0 0", bind->read_only ? ",ro" : "",
                      bind->optional ? ",optional" : "", is_folder(bind->source) ? "dir" : "file");
        config_set(config, "lxc.mount.entry", text.bytes);
    }
}
