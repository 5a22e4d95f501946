#include "specs/oci_name.h"

#include <stdbool.h>
#include <string.h>

#define NAME_LENGTH 255
#define TAG_LENGTH  128

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* [a-z0-9]+ parts with '.', '_', "__" or dashes between them. */
static bool part_is_valid(const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    for (;;) {
        size_t run = strspn(at, letters);
        if (!run || run > (size_t)(end - at))
            return false;
        at += run;
        if (at == end)
            return true;
        size_t dashes = strspn(at, "-");
        if (dashes)
            at += dashes;
        else if (*at == '.')
            at++;
        else if (*at == '_')
            at += at[1] == '_' ? 2 : 1;
        else
            return false;
    }
}

static bool path_is_valid(const char *path)
{
    if (!*path || strlen(path) > NAME_LENGTH)
        return false;
    for (;;) {
        size_t length = strcspn(path, "/");
        if (!part_is_valid(path, length))
            return false;
        if (!path[length])
            return true;
        path += length + 1;
    }
}

static bool host_is_valid(const char *host)
{
    const char *colon = strrchr(host, ':');
    size_t length = colon ? (size_t)(colon - host) : strlen(host);
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 1;
    return length && length <= NAME_LENGTH && *host != '.' && *host != '-' &&
           strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == length &&
           digits > 0 && digits <= 5 && (!colon || !colon[1 + digits]);
}

static bool tag_is_valid(const char *tag)
{
    static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return *tag && *tag != '.' && *tag != '-' && strlen(tag) <= TAG_LENGTH && !tag[strspn(tag, more)];
}

static bool digest_is_valid(const char *digest)
{
    return strncmp(digest, "sha256:", 7) == 0 && strspn(digest + 7, "0123456789abcdef") == 64 && !digest[71];
}

static const char *take_host(struct arena *arena, char **rest)
{
    char *slash = strchr(*rest, '/');
    size_t length = slash ? (size_t)(slash - *rest) : 0;
    const char *host = arena_strndup(arena, *rest, length);
    if (!length || (!strpbrk(host, ".:") && strcmp(host, "localhost") != 0))
        return "docker.io";
    *rest = slash + 1;
    return strcmp(host, "index.docker.io") == 0 ? "docker.io" : host;
}

const struct oci_name *oci_name_parse(struct arena *arena, const char *text)
{
    struct oci_name *name = arena_new_of(arena, struct oci_name);
    char *rest = arena_strdup(arena, text);
    char *at = strchr(rest, '@');
    if (at) {
        *at = '\0';
        name->digest = at + 1;
    }
    name->host = take_host(arena, &rest);
    char *colon = strchr(rest, ':');
    if (colon) {
        *colon = '\0';
        name->tag = colon + 1;
    } else if (!name->digest) {
        name->tag = "latest";
    }
    name->path = strcmp(name->host, "docker.io") == 0 && !strchr(rest, '/')
                     ? arena_printf(arena, "library/%s", rest)
                     : rest;
    bool valid = host_is_valid(name->host) && path_is_valid(name->path) &&
                 (!name->tag || tag_is_valid(name->tag)) && (!name->digest || digest_is_valid(name->digest));
    return valid ? name : NULL;
}
