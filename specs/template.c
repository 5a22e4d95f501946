#include "specs/template.h"

#include <errno.h>
#include <string.h>

#include "lib/asked.h"

#define INSTANCE_LENGTH 64
#define LINK_LENGTH     512 /* bytes of what a link says */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The '@' and the '.' of the ending, or false. */
static bool parts_of(const char *path, const char **at, const char **ending)
{
    const char *name = last_part(path);
    *at = strchr(name, '@');
    *ending = strrchr(name, '.');
    return *at && *ending && *at<*ending && * at> name &&
           (strcmp(*ending, ".yaml") == 0 || strcmp(*ending, ".yml") == 0);
}

bool template_is_one(const char *path)
{
    const char *at, *ending;
    return parts_of(path, &at, &ending) && at + 1 == ending;
}

static bool instance_is_valid(const char *name, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return length >= 1 && length <= INSTANCE_LENGTH && strspn(name, letters) >= length;
}

bool template_name_is_bad(const char *path)
{
    const char *at, *ending;
    struct stat info;
    return parts_of(path, &at, &ending) && !instance_is_valid(at + 1, (size_t)(ending - at - 1)) &&
           ask_lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

bool template_of(struct arena *arena, const char *path, const char **template, const char **instance)
{
    const char *at, *ending;
    if (!parts_of(path, &at, &ending))
        return false;
    size_t length = (size_t)(ending - at - 1);
    if (!instance_is_valid(at + 1, length))
        return false;
    *template = arena_printf(arena, "%.*s%s", (int)(at + 1 - path), path, ending);
    *instance = arena_strndup(arena, at + 1, length);
    return true;
}

enum template_use template_use_of(const char *path, const char *template)
{
    struct stat info;
    if (ask_lstat(path, &info) < 0)
        return errno == ENOENT && ask_access(template) == 0 ? TEMPLATE_READ : TEMPLATE_NONE;
    if (!S_ISLNK(info.st_mode))
        return TEMPLATE_ELSE;
    char target[LINK_LENGTH];
    ssize_t length = ask_readlink(path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *name = strncmp(target, "./", 2) == 0 ? target + 2 : target;
    return strcmp(name, last_part(template)) == 0 || strcmp(name, template) == 0 ? TEMPLATE_READ
                                                                                 : TEMPLATE_NONE;
}
