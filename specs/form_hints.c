/* What was probably meant by a text that is not of its form. A hint may be wrong: it names, and changes nothing. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/units.h"
#include "specs/forms_internal.h"

#define DECIMALS 6 /* of "1.5GiB": more say nothing exactly */

static const char *size_hint(struct arena *arena, const char *text);
static const char *subnet_hint(struct arena *arena, const char *text);
static const char *subnet6_hint(struct arena *arena, const char *text);
static const char *range_hint(struct arena *arena, enum field_form form, const char *text);
static const char *cpuset_hint(struct arena *arena, const char *text);
static const char *source_hint(struct arena *arena, const char *text);

const char *form_hint(struct arena *arena, enum field_form form, const char *text)
{
    switch (form) {
    case FORM_SIZE:
    case FORM_LIMIT:
        return size_hint(arena, text);
    case FORM_SUBNET:
        return subnet_hint(arena, text);
    case FORM_SUBNET6:
        return subnet6_hint(arena, text);
    case FORM_RANGE:
    case FORM_RANGE6:
        return range_hint(arena, form, text);
    case FORM_CPUSET:
        return cpuset_hint(arena, text);
    case FORM_IMAGE_SOURCE:
        return source_hint(arena, text);
    default:
        return NULL;
    }
}

/* "1.5 gib" as bytes; false when it is no size at all, or no whole number of them. */
static bool loose_size(const char *text, int64_t *bytes)
{
    static const char letters[] = "kmgtp";
    int64_t value = 0, scale = 1;
    size_t decimals = 0;
    bool point = false;
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        decimals += point;
        if (decimals > DECIMALS || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *text - '0', &value))
            return false;
        scale *= point ? 10 : 1;
    }
    text += strspn(text, " ");
    const char *letter = *text ? strchr(letters, tolower((unsigned char)*text)) : NULL;
    for (const char *at = letters; letter && at <= letter; at++)
        if (__builtin_mul_overflow(value, 1024, &value))
            return false;
    text += letter != NULL;
    text += letter && tolower((unsigned char)*text) == 'i';
    text += tolower((unsigned char)*text) == 'b';
    if (*text || value % scale)
        return false;
    *bytes = value / scale;
    return true;
}

static const char *size_hint(struct arena *arena, const char *text)
{
    int64_t bytes;
    char meant[UNITS_TEXT_SIZE];
    if (!loose_size(text, &bytes))
        return "a size is a whole number, with K, M, G or T right behind it";
    numbers_print(FORM_SIZE, bytes, meant);
    return arena_printf(arena, "did you mean %s?", meant);
}

static const char *subnet_hint(struct arena *arena, const char *text)
{
    uint32_t address;
    int64_t prefix = 24;
    const char *slash = strchrnul(text, '/');
    if (!ipv4_parse(arena_strndup(arena, text, (size_t)(slash - text)), &address) ||
        (*slash && number_parse(slash + 1, &prefix) < 0) || prefix < 8 || prefix > 30)
        return NULL;
    const uint32_t hosts = UINT32_MAX >> prefix;
    return arena_printf(arena, "did you mean %s/%d?", ipv4_print(arena, address & ~hosts), (int)prefix);
}

static const char *subnet6_hint(struct arena *arena, const char *text)
{
    struct in6_addr address;
    char base[INET6_ADDRSTRLEN];
    const char *slash = strchrnul(text, '/');
    if (inet_pton(AF_INET6, arena_strndup(arena, text, (size_t)(slash - text)), &address) != 1)
        return NULL;
    memset(address.s6_addr + 8, 0, 8);
    const char *meant =
        arena_printf(arena, "%s/64", inet_ntop(AF_INET6, &address, base, sizeof(base)) ? base : "");
    return subnet6_canonical(arena, meant) ? arena_printf(arena, "did you mean %s?", meant) : NULL;
}

static const char *range_hint(struct arena *arena, enum field_form form, const char *text)
{
    const struct form_context context = {.arena = arena};
    const char *dash = strchr(text, '-');
    if (!dash)
        return NULL;
    const char *turned =
        arena_printf(arena, "%s-%s", dash + 1, arena_strndup(arena, text, (size_t)(dash - text)));
    return form_canonical(&context, form, turned)
               ? arena_printf(arena, "the first is above the last: did you mean %s?", turned)
               : NULL;
}

static const char *cpuset_hint(struct arena *arena, const char *text)
{
    int64_t first, last;
    for (const char *at = text; *at; at = *at ? at + 1 : at) {
        const size_t length = strcspn(at, ",");
        char *piece = arena_strndup(arena, at, length);
        char *dash = strchr(piece, '-');
        at += length;
        if (!dash)
            continue;
        *dash++ = '\0';
        if (number_parse(piece, &first) == 0 && number_parse(dash, &last) == 0 && first > last)
            return arena_printf(arena, "the first is above the last: did you mean %s-%s?", dash, piece);
    }
    return NULL;
}

/* As docker and its kin write where an image comes from. */
static const char *source_hint(struct arena *arena, const char *text)
{
    static const char *const schemes[] = {"docker://", "docker:", "oci://"};
    const struct form_context context = {.arena = arena, .project = "default", .folder = "/"};
    const char *meant = NULL;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes) && !meant; i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            meant = arena_printf(arena, "oci:%s", text + strlen(schemes[i]));
    if (strncmp(text, "http://", 7) == 0)
        meant = arena_printf(arena, "https://%s", text + 7);
    if (!meant && !strchr(text, ':')) /* of an image of docker's, without a tag */
        meant = arena_printf(arena, "oci:%s", text);
    return meant && form_canonical(&context, FORM_IMAGE_SOURCE, meant)
               ? arena_printf(arena, "did you mean '%s'?", meant)
               : NULL;
}
