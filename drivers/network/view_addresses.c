/* Which addresses this host has itself: asked for those that somebody wrote down, once they are wondered about. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>

#include "drivers/network/view_internal.h"

static bool is_it(const struct ifaddrs *item, const char *address)
{
    char text[INET6_ADDRSTRLEN];
    const int family = item->ifa_addr ? item->ifa_addr->sa_family : AF_UNSPEC;
    const void *number = family == AF_INET    ? (void *)&((struct sockaddr_in *)item->ifa_addr)->sin_addr
                         : family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)item->ifa_addr)->sin6_addr
                                              : NULL;
    return number && inet_ntop(family, number, text, sizeof(text)) && strcmp(text, address) == 0;
}

bool view_has_address(const char *address)
{
    struct ifaddrs *all;
    bool found = strncmp(address, "127.", 4) == 0; /* all of them are the loopback's */
    if (getifaddrs(&all) < 0)
        return true; /* nobody knows */
    for (const struct ifaddrs *item = all; item && !found; item = item->ifa_next)
        found = is_it(item, address);
    freeifaddrs(all);
    return found;
}
