/* Forms of where images come from, and of what vouches for them. */
#include <ctype.h>
#include <string.h>

#include "specs/forms_internal.h"
#include "specs/model.h"
#include "specs/oci_name.h"

#define ADDRESS_LENGTH 2048
#define ALIAS_LENGTH   255
#define HOST_LENGTH    255

static const char host_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";

/* What follows "SCHEME://": a host or an address in brackets, perhaps a port, and then '/' or the end. No user: a
 * password has no place in a spec, nor in the messages that show it. NULL where it is none. */
static const char *after_host(const char *at)
{
    size_t length;
    if (*at == '[') {
        length = strspn(at + 1, "0123456789abcdefABCDEF:.") + 1;
        if (length < 3 || at[length++] != ']')
            return NULL;
    } else {
        length = strspn(at, host_letters);
        if (!length || *at == '.' || *at == '-')
            return NULL;
    }
    if (length > HOST_LENGTH)
        return NULL;
    at += length;
    if (*at == ':') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits < 1 || digits > 5)
            return NULL;
        at += digits + 1;
    }
    return *at && *at != '/' && *at != '?' ? NULL : at;
}

/* Printable ASCII without what RFC 3986 does not let stand for itself. */
static bool is_address(const char *text, const char *scheme)
{
    size_t length = strlen(scheme);
    if (strncmp(text, scheme, length) != 0 || strlen(text) > ADDRESS_LENGTH || !after_host(text + length))
        return false;
    for (const char *at = text; *at; at++)
        if (*at <= 0x20 || *at >= 0x7f || strchr("\"<>\\^`{|}#", *at))
            return false;
    return true;
}

static const char *suite_canonical(const char *text, const char *suite)
{
    if (!islower((unsigned char)*suite))
        return NULL;
    return suite[strspn(suite, "abcdefghijklmnopqrstuvwxyz0123456789-.")] || strlen(suite) > 64 ? NULL : text;
}

/* Parts of letters, digits and "._+-" with '/' between, none of them "." or ".."; registries have a tag behind it. */
static bool alias_is_valid(const char *alias)
{
    if (strlen(alias) > ALIAS_LENGTH)
        return false;
    for (;; alias++) {
        size_t length = strspn(alias, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-");
        if (!length || strspn(alias, ".") >= length)
            return false;
        alias += length;
        if (*alias == ':' && alias[1])
            return !alias[1 + strspn(alias + 1,
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")];
        if (*alias != '/')
            return !*alias;
    }
}

static const char *remote_canonical(struct arena *arena, const char *text)
{
    static const char *const others[] = {"bootstrap", "file",       "http",   "https",
                                         "oci",       "oci-layout", "docker", "build"};
    const char *colon = strchr(text, ':');
    const char *name = colon ? arena_strndup(arena, text, (size_t)(colon - text)) : NULL;
    for (size_t i = 0; name && i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(name, others[i]) == 0)
            return NULL;
    return name && name_is_valid(name) && alias_is_valid(colon + 1) ? text : NULL;
}

const char *source_canonical(const struct form_context *context, const char *text)
{
    static const char bootstrap[] = "bootstrap:", file[] = "file:", https[] = "https://",
                      oci[] = "oci:", layout[] = "oci-layout:";
    if (strncmp(text, file, strlen(file)) == 0 && text[strlen(file)])
        return arena_printf(context->arena, "file:%s",
                            path_clean(context->arena, context->folder, text + strlen(file)));
    if (strncmp(text, bootstrap, strlen(bootstrap)) == 0)
        return suite_canonical(text, text + strlen(bootstrap));
    if (strncmp(text, https, strlen(https)) == 0)
        return is_address(text, https) && after_host(text + strlen(https))[0] == '/' ? text : NULL;
    if (strncmp(text, oci, strlen(oci)) == 0)
        return oci_name_parse(context->arena, text + strlen(oci)) ? text : NULL;
    if (strncmp(text, layout, strlen(layout)) == 0 && text[strlen(layout)])
        return arena_printf(context->arena, "%s%s", layout,
                            path_clean(context->arena, context->folder, text + strlen(layout)));
    return remote_canonical(context->arena, text);
}

/* A colon in the first part of a path is hardly ever meant; "./a:b" says it. */
bool context_is_elsewhere(const char *text)
{
    const size_t length = strcspn(text, ":/");
    return length && text[length] == ':' && text[length + 1] && *text != '.';
}

const char *context_canonical(struct arena *arena, const char *text)
{
    static const char https[] = "https://";
    if (strncmp(text, https, strlen(https)) == 0)
        return is_address(text, https) && after_host(text + strlen(https))[0] == '/' ? text : NULL;
    return remote_canonical(arena, text);
}

const char *server_canonical(struct arena *arena, const char *text)
{
    size_t length = strlen(text);
    if ((!is_address(text, "https://") && !is_address(text, "http://")) || strchr(text, '?'))
        return NULL;
    while (length && text[length - 1] == '/')
        length--;
    return arena_strndup(arena, text, length);
}

const char *digest_canonical(struct arena *arena, const char *text)
{
    static const char prefix[] = "sha256:";
    const size_t skipped = strlen(prefix);
    if (strncmp(text, prefix, skipped) != 0 || strlen(text) != skipped + 64 ||
        strspn(text + skipped, "0123456789abcdefABCDEF") != 64)
        return NULL;
    char *canonical = arena_strdup(arena, text);
    for (char *at = canonical + skipped; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return canonical;
}

/* 42 bytes are 56 characters, and "Ed" and a first byte of the number are "RW" and another one. */
bool key_is_valid(const char *text)
{
    return strlen(text) == 56 && strncmp(text, "RW", 2) == 0 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 56;
}
