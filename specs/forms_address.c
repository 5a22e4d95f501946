/* Addresses, subnets and ranges of them: forms of scalars in specs and in what the host says. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/units.h"
#include "specs/forms_internal.h"

bool ipv4_parse(const char *text, uint32_t *address)
{
    uint32_t value = 0;
    for (int part = 0; part < 4; part++) {
        size_t digits = strspn(text, "0123456789");
        if (digits < 1 || digits > 3 || (*text == '0' && digits > 1))
            return false;
        uint32_t number = 0;
        for (size_t i = 0; i < digits; i++)
            number = number * 10 + (uint32_t)(text[i] - '0');
        text += digits;
        if (number > 255 || *text != (part < 3 ? '.' : '\0'))
            return false;
        text += part < 3;
        value = value << 8 | number;
    }
    *address = value;
    return true;
}

const char *ipv4_print(struct arena *arena, uint32_t address)
{
    return arena_printf(arena, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                        address & 255);
}

bool subnet_parse(const char *text, struct subnet *subnet)
{
    const char *slash = strchr(text, '/');
    char address[16];
    int64_t prefix;
    if (!slash || (size_t)(slash - text) >= sizeof(address) || number_parse(slash + 1, &prefix) < 0 ||
        prefix < 1 || prefix > 32)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    uint32_t first, hosts = prefix == 32 ? 0 : UINT32_MAX >> prefix;
    if (!ipv4_parse(address, &first) || (first & hosts))
        return false;
    *subnet = (struct subnet){.first = first, .last = first | hosts, .prefix = (unsigned)prefix};
    return true;
}

bool range_parse(const char *text, uint32_t *first, uint32_t *last)
{
    char low[16];
    const char *dash = strchr(text, '-');
    if (!dash || (size_t)(dash - text) >= sizeof(low))
        return false;
    memcpy(low, text, (size_t)(dash - text));
    low[dash - text] = '\0';
    return ipv4_parse(low, first) && ipv4_parse(dash + 1, last) && *first <= *last;
}

static uint64_t half_of(const unsigned char bytes[static 8])
{
    uint64_t half = 0;
    for (size_t i = 0; i < 8; i++)
        half = half << 8 | bytes[i];
    return half;
}

bool range6_parse(const char *text, struct range6 *range)
{
    char low[INET6_ADDRSTRLEN];
    struct in6_addr first, last;
    const char *dash = strchr(text, '-');
    if (!dash || (size_t)(dash - text) >= sizeof(low))
        return false;
    memcpy(low, text, (size_t)(dash - text));
    low[dash - text] = '\0';
    if (inet_pton(AF_INET6, low, &first) != 1 || inet_pton(AF_INET6, dash + 1, &last) != 1)
        return false;
    *range = (struct range6){half_of(first.s6_addr), half_of(first.s6_addr + 8), half_of(last.s6_addr + 8)};
    return half_of(last.s6_addr) == range->subnet && range->first <= range->last;
}

/* A host's address: neither mapped IPv4 nor of one link alone, which needs an interface beside it. */
const char *ipv6_canonical(struct arena *arena, const char *text)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, text, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address) ||
        IN6_IS_ADDR_LINKLOCAL(&address))
        return NULL;
    return arena_strdup(arena, inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)));
}

/* Routers are mostly known by their link's own address, and a route knows the interface beside it. */
const char *gateway6_canonical(struct arena *arena, const char *text)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, text, &address) != 1 || !IN6_IS_ADDR_LINKLOCAL(&address))
        return ipv6_canonical(arena, text);
    return arena_strdup(arena, inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)));
}

const char *range6_canonical(struct arena *arena, const char *text)
{
    struct range6 range;
    const char *dash = strchr(text, '-');
    if (!range6_parse(text, &range))
        return NULL;
    const char *first = ipv6_canonical(arena, arena_strndup(arena, text, (size_t)(dash - text)));
    const char *last = ipv6_canonical(arena, dash + 1);
    return first && last ? arena_printf(arena, "%s-%s", first, last) : NULL;
}

const char *subnet6_canonical(struct arena *arena, const char *text)
{
    static const unsigned char none[8];
    const char *slash = strchr(text, '/');
    struct in6_addr address;
    if (strcmp(text, "auto") == 0)
        return text;
    const char *base =
        slash ? ipv6_canonical(arena, arena_strndup(arena, text, (size_t)(slash - text))) : NULL;
    if (!base || strcmp(slash, "/64") != 0 || inet_pton(AF_INET6, base, &address) != 1 ||
        memcmp(address.s6_addr + 8, none, sizeof(none)) != 0 || IN6_IS_ADDR_MULTICAST(&address) ||
        memcmp(address.s6_addr, none, sizeof(none)) == 0)
        return NULL;
    return arena_printf(arena, "%s/64", base);
}

const char *address_canonical(struct arena *arena, const char *text)
{
    uint32_t address;
    const size_t length = strlen(text);
    if (ipv4_parse(text, &address))
        return text;
    if (length > 2 && text[0] == '[' && text[length - 1] == ']')
        text = arena_strndup(arena, text + 1, length - 2);
    return ipv6_canonical(arena, text);
}

/* ---- a page of a container's ---- */

#define PAGE_LENGTH 1024 /* bytes of a path and its query, */

/* as RFC 9112 has a request target in origin form: what would end it, or the line, is written as %20. */
static bool page_is_valid(const char *path)
{
    if (*path && *path != '/')
        return false;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at >= 127 || *at == '#')
            return false;
    return strlen(path) <= PAGE_LENGTH;
}

const char *http_split(const char *text, int64_t *port)
{
    char digits[6] = "";
    const size_t length = *text == ':' ? strspn(text + 1, "0123456789") : 0;
    if (!length || length >= sizeof(digits) || text[1] == '0')
        return NULL;
    memcpy(digits, text + 1, length);
    if (number_parse(digits, port) < 0 || *port < 1 || *port > UINT16_MAX ||
        !page_is_valid(text + 1 + length))
        return NULL;
    return text + 1 + length;
}

const char *http_canonical(struct arena *arena, const char *text)
{
    int64_t port;
    const char *path = http_split(text, &port);
    return !path ? NULL : *path ? text : arena_printf(arena, "%s/", text);
}
