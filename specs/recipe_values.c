/* Values that stand in recipes, as recipe_check.h names them: each is judged while the recipe is read, or once its variables
 * are expanded. */
#include <ctype.h>
#include <string.h>

#include "lib/numbers.h"
#include "specs/forms_internal.h"
#include "specs/recipe_check.h"

/* "80", "8000-8010": the ends; false: none, or not in order. */
static bool read_range(const char *text, size_t length, int64_t *first, int64_t *last)
{
    char copy[16];
    if (!length || length >= sizeof(copy))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *dash = strchr(copy, '-');
    if (dash)
        *dash++ = '\0';
    return number_parse(copy, first) == 0 && number_parse(dash ? dash : copy, last) == 0 && *first > 0 &&
           *first <= *last && *last <= 65535;
}

bool recipe_port(const char *text, const char **expected)
{
    static const char *const shape = "[[address:]host:]container[/tcp|udp]";
    int64_t host[2], inside[2];
    char left[80];
    const char *slash = strrchr(text, '/'), *end = slash ? slash : text + strlen(text);
    *expected = shape;
    if (slash && strcmp(slash, "/tcp") != 0 && strcmp(slash, "/udp") != 0)
        return false;
    if ((size_t)(end - text) >= sizeof(left))
        return false;
    memcpy(left, text, (size_t)(end - text));
    left[end - text] = '\0';
    char *colon = strrchr(left, ':');
    const char *container = colon ? colon + 1 : left;
    if (!read_range(container, strlen(container), &inside[0], &inside[1]))
        return false;
    if (!colon)
        return true;
    *colon = '\0';
    char *before = strrchr(left, ':');
    const char *port = before ? before + 1 : left;
    if (!read_range(port, strlen(port), &host[0], &host[1]))
        return false;
    *expected = "ranges of the same length on both sides of ':'";
    if (host[1] - host[0] != inside[1] - inside[0])
        return false;
    if (!before)
        return true;
    *before = '\0';
    *expected = "an address before the host's port";
    _cleanup_arena_ struct arena *arena = arena_new();
    return address_canonical(arena, left) != NULL;
}

bool recipe_exposed(struct arena *arena, const char *text, struct texts *ports)
{
    int64_t first, last;
    const char *slash = strchr(text, '/');
    const char *protocol = slash ? slash + 1 : "tcp";
    if (strcasecmp(protocol, "tcp") != 0 && strcasecmp(protocol, "udp") != 0 &&
        strcasecmp(protocol, "sctp") != 0)
        return false;
    /* "host:container" is taken by the old builder; the host's port says nothing. */
    const char *colon = strrchr(text, ':');
    const char *start = colon && (!slash || colon < slash) ? colon + 1 : text;
    if (!read_range(start, slash ? (size_t)(slash - start) : strlen(start), &first, &last))
        return false;
    for (int64_t port = first; port <= last; port++) {
        char *item = arena_printf(arena, "%lld/%s", (long long)port, protocol);
        for (char *at = item; *at; at++)
            *at = (char)tolower((unsigned char)*at);
        *arena_append(arena, ports->items, ports->count) = item;
    }
    return true;
}

bool recipe_volume(struct arena *arena, const char *text, const char **name, const char **path)
{
    const char *colon = *text != '/' ? strchr(text, ':') : NULL;
    *name = colon ? arena_strndup(arena, text, (size_t)(colon - text)) : NULL;
    const char *at = colon ? colon + 1 : text;
    if ((colon && !name_is_valid(*name)) || *at != '/' || text_printable(at, strlen(at)) != strlen(at))
        return false;
    *path = path_clean(arena, NULL, at);
    return strcmp(*path, "/") != 0;
}

bool recipe_mode(const char *text, int64_t *mode)
{
    const size_t length = strlen(text);
    if (!length || length > 5 || strspn(text, "01234567") != length)
        return false;
    *mode = 0;
    for (; *text; text++)
        *mode = *mode * 8 + (*text - '0');
    return *mode <= 07777;
}

/* As useradd(8) would have it, and what else passwd(5) cannot hold is refused; a number up to what an id range holds. */
static bool is_account(const char *text, size_t length)
{
    if (!length || length > 64)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.$@", text[i]))
            return false;
    if (text[0] == '-')
        return false;
    if (strspn(text, "0123456789") < length)
        return true;
    int64_t number = 0;
    for (size_t i = 0; i < length && number <= 65535; i++)
        number = number * 10 + (text[i] - '0');
    return number <= 65535;
}

bool recipe_user(const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return is_account(text, strlen(text));
    return is_account(text, (size_t)(colon - text)) && is_account(colon + 1, strlen(colon + 1));
}

const char *recipe_signal(struct arena *arena, const char *text)
{
    int64_t number;
    char *upper = arena_strdup(arena, text);
    for (char *at = upper; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    if (isdigit((unsigned char)*text)) {
        const char *name =
            number_parse(text, &number) == 0 && number > 0 && number < 32 ? sigabbrev_np((int)number) : NULL;
        return name ? arena_printf(arena, "SIG%s", name) : NULL;
    }
    return signal_canonical(arena, upper);
}

/* "1.5": in thousandths. Returns how long it is; 0: it is no number. */
static size_t read_decimal(const char *text, int64_t *thousandths)
{
    size_t length = strspn(text, "0123456789");
    int64_t whole = 0, part = 0, scale = 100;
    if (length > 9)
        return 0;
    for (size_t i = 0; i < length; i++)
        whole = whole * 10 + (text[i] - '0');
    size_t digits = 0;
    if (text[length] == '.') {
        digits = strspn(text + length + 1, "0123456789");
        for (size_t i = 0; i < digits && scale; i++, scale /= 10)
            part += scale * (text[length + 1 + i] - '0');
        if (!length && !digits)
            return 0;
        digits++;
    }
    *thousandths = whole * 1000 + part;
    return length + digits;
}

bool recipe_duration(const char *text, int64_t *milliseconds)
{
    static const struct {
        const char *unit;
        int64_t nanoseconds;
    } units[] = {{"ns", 1},          {"us", 1000},     {"µs", 1000}, {"ms", 1000000}, {"h", 3600000000000},
                 {"m", 60000000000}, {"s", 1000000000}};
    __int128 total = 0;
    *milliseconds = 0;
    if (strcmp(text, "0") == 0)
        return true;
    text += *text == '+';
    if (!*text)
        return false;
    while (*text) {
        int64_t amount;
        size_t length = read_decimal(text, &amount), i = 0;
        if (!length)
            return false;
        text += length;
        while (i < sizeof(units) / sizeof(*units) && strncmp(text, units[i].unit, strlen(units[i].unit)) != 0)
            i++;
        if (i == sizeof(units) / sizeof(*units))
            return false;
        text += strlen(units[i].unit);
        total += (__int128)amount * units[i].nanoseconds / 1000;
    }
    if (total && (total < 1000000 || total / 1000000 > INT64_C(1) << 40))
        return false;
    *milliseconds = (int64_t)(total / 1000000);
    return true;
}
