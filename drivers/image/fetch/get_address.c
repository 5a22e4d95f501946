/* Which addresses a server may send us to. What is refused are those of the special-purpose registries (RFC 6890) that
 * lead to this host, to the networks around it, or nowhere. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "drivers/image/fetch/get.h"

static bool is_public4(uint32_t address)
{
    static const struct {
        uint32_t network;
        int length;
    } others[] = {
        {0x00000000, 8},  /* this host */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* shared by a carrier's customers */
        {0x7f000000, 8},  /* loopback */
        {0xa9fe0000, 16}, /* link-local, and who hands out credentials of cloud machines */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if ((address ^ others[i].network) >> (32 - others[i].length) == 0)
            return false;
    return true;
}

static uint32_t word_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* 2000::/3 is all that is handed out to the public; addresses of IPv4 hide in some of it. */
static bool is_public6(const struct in6_addr *address)
{
    static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};
    const unsigned char *bytes = address->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address) || memcmp(bytes, translated, sizeof(translated)) == 0)
        return is_public4(word_at(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) /* 6to4 */
        return is_public4(word_at(bytes + 2));
    if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0) /* Teredo */
        return false;
    return bytes[0] >> 5 == 1;
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_public4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    return address->sa_family == AF_INET6 && is_public6(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static bool is_below(const char *host, const char *name)
{
    size_t length = strcspn(host, "\0"), rest = strlen(name);
    while (length && host[length - 1] == '.')
        length--;
    return length >= rest && strncasecmp(host + length - rest, name, rest) == 0 &&
           (length == rest || host[length - rest - 1] == '.');
}

bool host_is_public(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    char bare[64];
    size_t length = strlen(host);
    if (is_below(host, "localhost"))
        return false;
    if (inet_aton(host, &four)) /* also what only looks odd: 0x7f.1, 2130706433 */
        return is_public4(ntohl(four.s_addr));
    if (*host == '[' && length > 2 && length - 2 < sizeof(bare)) {
        memcpy(bare, host + 1, length - 2);
        bare[length - 2] = '\0';
        bare[strcspn(bare, "%")] = '\0';
        return inet_pton(AF_INET6, bare, &six) == 1 && is_public6(&six);
    }
    return true;
}
