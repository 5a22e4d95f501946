#include "reconciler/addresses.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

uint32_t address_number(const char *address)
{
    struct in_addr raw = {0};
    inet_pton(AF_INET, address, &raw);
    return ntohl(raw.s_addr);
}

char *address_text(struct arena *arena, uint32_t address)
{
    struct in_addr raw = {.s_addr = htonl(address)};
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &raw, text, sizeof(text));
    return arena_strdup(arena, text);
}

uint32_t subnet_split(const char *subnet, int *bits)
{
    char base[INET_ADDRSTRLEN] = "";
    const char *slash = strchr(subnet, '/');
    size_t length = slash ? (size_t)(slash - subnet) : strlen(subnet);
    memcpy(base, subnet, length < sizeof(base) ? length : sizeof(base) - 1);
    *bits = slash ? atoi(slash + 1) : 32;
    if (*bits < 0 || *bits > 32)
        *bits = 32; /* what others wrote need be none */
    return address_number(base);
}

char *subnet_gateway(struct arena *arena, const char *subnet)
{
    int bits;
    uint32_t base = subnet_split(subnet, &bits);
    return arena_printf(arena, "%s/%d", address_text(arena, base + 1), bits);
}

char *subnet_of(struct arena *arena, const char *address)
{
    int bits;
    uint32_t number = subnet_split(address, &bits), mask = bits > 0 ? ~(uint32_t)0 << (32 - bits) : 0;
    return arena_printf(arena, "%s/%d", address_text(arena, number & mask), bits);
}

char *address_with_prefix(struct arena *arena, const char *address, const char *subnet)
{
    int bits;
    subnet_split(subnet, &bits);
    return arena_printf(arena, "%s/%d", address, bits);
}

bool address_fits(const char *address, const char *subnet)
{
    int bits;
    uint32_t base = subnet_split(subnet, &bits), number = address_number(address);
    uint32_t mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
    return (number & mask) == base && number != base && number != base + 1 && number != (base | ~mask);
}
