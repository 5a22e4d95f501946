#include "specs/ports.h"

#include <inttypes.h>
#include <string.h>

static char *span(struct arena *arena, int64_t first, int64_t count)
{
    return count > 1 ? arena_printf(arena, "%" PRId64 "-%" PRId64, first, first + count - 1)
                     : arena_printf(arena, "%" PRId64, first);
}

/* An address as it stands before a port. */
static const char *before(struct arena *arena, const char *address)
{
    if (!address)
        return "";
    return arena_printf(arena, strchr(address, ':') ? "[%s]:" : "%s:", address);
}

char *port_key(struct arena *arena, const char *address, int64_t host, int64_t count, const char *protocol)
{
    return arena_printf(arena, "%s%s/%s", before(arena, address), span(arena, host, count), protocol);
}

bool port_speaks(const struct port *port, const char *protocol)
{
    return strcmp(port->protocol, protocol) == 0 || strchr(port->protocol, '+');
}

bool ports_meet(const struct port *left, const struct port *right)
{
    bool protocols = port_speaks(left, right->protocol) || port_speaks(right, left->protocol);
    bool addresses = !left->address || !right->address || strcmp(left->address, right->address) == 0;
    return protocols && addresses && left->host < right->host + right->count &&
           right->host < left->host + left->count;
}

char *port_short(struct arena *arena, const struct port *port)
{
    bool usual = strcmp(port->protocol, "tcp") == 0;
    return arena_printf(arena, "%s%s:%s%s%s", before(arena, port->address),
                        span(arena, port->host, port->count), span(arena, port->guest, port->count),
                        usual ? "" : "/", usual ? "" : port->protocol);
}
