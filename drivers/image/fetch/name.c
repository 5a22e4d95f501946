/* Names in archives. They are checked as text only to refuse with a clear message; what keeps an entry inside the
 * target is openat2(2) and the sandbox. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/error.h"

/* For messages: an archive must not write escape sequences to anybody's terminal. */
static const char *printable(const char *name, char text[static 128])
{
    size_t length = 0;
    for (; *name && length < 120; name++)
        text[length++] = (unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name;
    text[length] = '\0';
    return text;
}

int name_clean(const char *name, char *clean, struct error *error)
{
    char text[128];
    size_t length = 0;
    if (strlen(name) >= PATH_MAX)
        return error_set(error, -ENAMETOOLONG, "a name of %zu bytes: \"%s...\"", strlen(name),
                         printable(name, text));
    if (*name == '\0' || *name == '/')
        return error_set(error, -EINVAL, "the name \"%s\" is not relative", printable(name, text));
    for (const char *at = name; *at; at += strcspn(at, "/")) {
        at += strspn(at, "/");
        size_t part = strcspn(at, "/");
        for (size_t i = 0; i < part; i++)
            if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
                return error_set(error, -EINVAL, "the name \"%s\" holds a control character",
                                 printable(name, text));
        if (part == 2 && at[0] == '.' && at[1] == '.')
            return error_set(error, -EINVAL, "the name \"%s\" leads upwards", printable(name, text));
        if (part == 0 || (part == 1 && *at == '.'))
            continue;
        if (length)
            clean[length++] = '/';
        memcpy(clean + length, at, part);
        length += part;
    }
    clean[length] = '\0';
    return 0;
}
