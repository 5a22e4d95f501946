/* What a config includes: a line above an include can be said after it only where the include says nothing of its key. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/view_found.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "specs/forms.h"

#define FILE_LIMIT ((size_t)1024 * 1024) /* bytes, of each file */
#define DEPTH      8                     /* of includes in includes */
#define MAX_FILES  1000                  /* that one line includes */
#define KEY        "lxc.include"

struct gathering {
    struct arena *arena;
    struct buffer text;
    bool whole; /* all was there to be read */
    int files;
};

static void gather(struct gathering *gathering, const char *path, int depth);

static bool ends_in_conf(const char *name)
{
    size_t length = strlen(name);
    return length > strlen(".conf") && strcmp(name + length - strlen(".conf"), ".conf") == 0;
}

/* Without an order, as liblxc reads them. A folder that is not there includes nothing. */
static void gather_folder(struct gathering *gathering, const char *path, DIR *folder, int depth)
{
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (ends_in_conf(entry->d_name))
            gather(gathering, arena_printf(gathering->arena, "%s/%s", path, entry->d_name), depth);
}

static void gather_file(struct gathering *gathering, const char *path, int depth)
{
    _cleanup_buffer_ struct buffer file = {0};
    char *key, *value;
    struct stat status;
    if (++gathering->files > MAX_FILES || (stat(path, &status) == 0 && !S_ISREG(status.st_mode))) {
        gathering->whole = false; /* a FIFO would keep us waiting */
        return;
    }
    if (buffer_read_file(&file, AT_FDCWD, path, FILE_LIMIT, NULL) < 0) {
        gathering->whole = gathering->whole && path[strlen(path) - 1] == '/';
        return;
    }
    char *rest = arena_strdup(gathering->arena, file.length ? file.bytes : "");
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!found_split(line, &key, &value))
            continue;
        if (strcmp(key, KEY) == 0)
            gather(gathering, value, depth + 1);
        else
            buffer_printf(&gathering->text, "%s = %s\n", key, value);
    }
}

static void gather(struct gathering *gathering, const char *path, int depth)
{
    DIR *folder = *path == '/' && depth < DEPTH ? opendir(path) : NULL;
    if (*path != '/' || depth == DEPTH)
        gathering->whole = false;
    else if (folder)
        gather_folder(gathering, path, folder, depth);
    else
        gather_file(gathering, path, depth);
    if (folder)
        closedir(folder);
}

static const char *name_of(const char *path, struct arena *arena)
{
    const size_t prefix = strlen(CONTAINER_INCLUDES);
    if (strncmp(path, CONTAINER_INCLUDES, prefix) != 0 || strchr(path + prefix, '/') || path[prefix] == '.' ||
        !ends_in_conf(path + prefix))
        return NULL;
    const struct form_context context = {.arena = arena, .project = "default", .folder = "/"};
    return form_canonical(&context, FORM_LXC_NAME,
                          arena_strndup(arena, path + prefix, strlen(path + prefix) - strlen(".conf")));
}

void found_includes_read(const char *text, struct arena *arena, struct found_includes *out)
{
    char *start = arena_strdup(arena, text), *rest = start, *key, *value;
    *out = (struct found_includes){0};
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!found_split(line, &key, &value) || strcmp(key, KEY) != 0)
            continue;
        struct gathering gathering = {.arena = arena, .whole = true};
        gather(&gathering, value, 0);
        *arena_append(arena, out->items, out->count) = (struct found_include){
            .at = (size_t)(line - start),
            .name = name_of(value, arena),
            .text = gathering.whole ? arena_strdup(arena, gathering.text.length ? gathering.text.bytes : "")
                                    : NULL};
        buffer_clear(&gathering.text);
    }
}

/* Keys of which every line adds something: only an empty one takes back what was said. */
static bool adds(const char *key)
{
    static const char *const keys[] = {"lxc.mount.entry", "lxc.cap.drop", "lxc.cap.keep", "lxc.environment"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* "lxc.net =" takes back "lxc.net.0.link", too. */
static bool is_above(const char *key, const char *below)
{
    size_t length = strlen(key);
    return strncmp(key, below, length) == 0 && (!below[length] || below[length] == '.');
}

bool found_include_undoes(const struct found_include *include, const char *key, struct arena *arena)
{
    char *rest = include->text ? arena_strdup(arena, include->text) : NULL, *at, *value;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (found_split(line, &at, &value) && is_above(at, key) && (!*value || !adds(key)))
            return true;
    return !include->text;
}

const char *found_include_says(const struct found_include *include, const char *key, struct arena *arena)
{
    const char *last = NULL;
    char *rest = include->text ? arena_strdup(arena, include->text) : NULL, *at, *value;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (found_split(line, &at, &value) && strcmp(at, key) == 0)
            last = value;
    return last;
}
