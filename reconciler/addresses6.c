#include "reconciler/addresses6.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/digest.h"

static char *to_text(struct arena *arena, const struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    return arena_strdup(arena, inet_ntop(AF_INET6, address, text, sizeof(text)));
}

static struct in6_addr base_of(const char *subnet)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr base = {0};
    const size_t length = strcspn(subnet, "/");
    memcpy(text, subnet, length < sizeof(text) ? length : sizeof(text) - 1);
    inet_pton(AF_INET6, text, &base);
    return base;
}

char *subnet6_gateway(struct arena *arena, const char *subnet)
{
    struct in6_addr address = base_of(subnet);
    address.s6_addr[15] = 1;
    return arena_printf(arena, "%s/64", to_text(arena, &address));
}

char *subnet6_derived(struct arena *arena, const char *host, const char *network, unsigned attempt)
{
    struct in6_addr base = {.s6_addr = {0xfd}};
    const uint64_t site = digest_short(host);
    const uint64_t link = digest_short(arena_printf(arena, "%s %s %u", host, network, attempt));
    for (size_t i = 0; i < 5; i++)
        base.s6_addr[1 + i] = (uint8_t)(site >> 8 * i);
    base.s6_addr[6] = (uint8_t)(link >> 8);
    base.s6_addr[7] = (uint8_t)link;
    return arena_printf(arena, "%s/64", to_text(arena, &base));
}

char *address6_of_mac(struct arena *arena, const char *subnet, const char *mac)
{
    struct in6_addr address = base_of(subnet);
    unsigned char *host = address.s6_addr + 8;
    sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &host[0], &host[1], &host[2], &host[5], &host[6],
           &host[7]);
    host[0] ^= 2;
    host[3] = 0xff;
    host[4] = 0xfe;
    return to_text(arena, &address);
}

uint64_t address6_host(const char *address)
{
    const struct in6_addr parsed = base_of(address);
    uint64_t host = 0;
    for (size_t i = 8; i < sizeof(parsed.s6_addr); i++)
        host = host << 8 | parsed.s6_addr[i];
    return host;
}

char *address6_at(struct arena *arena, const char *subnet, uint64_t host)
{
    struct in6_addr address = base_of(subnet);
    for (size_t i = sizeof(address.s6_addr); i > 8; i--, host >>= 8)
        address.s6_addr[i - 1] = (uint8_t)host;
    return to_text(arena, &address);
}

char *address6_moved(struct arena *arena, const char *address, const char *subnet)
{
    struct in6_addr moved = base_of(subnet);
    const struct in6_addr old = base_of(address);
    memcpy(moved.s6_addr + 8, old.s6_addr + 8, 8);
    return to_text(arena, &moved);
}
