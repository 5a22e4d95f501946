/* Sockets of the host that a port forward would take connections from: /proc/net, as it is the one listing that
 * needs neither a module nor a walk over all processes. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define STATE_LISTEN 0x0a
#define STATE_CLOSE  0x07 /* an unconnected UDP socket */

static const struct source {
    const char *path, *protocol;
    unsigned state;
    bool wide; /* IPv6 */
} sources[] = {
    {"/proc/net/tcp", "tcp", STATE_LISTEN, false},
    {"/proc/net/tcp6", "tcp", STATE_LISTEN, true},
    {"/proc/net/udp", "udp", STATE_CLOSE, false},
    {"/proc/net/udp6", "udp", STATE_CLOSE, true},
};

static int read_source(const struct source *source, struct arena *arena, struct observed_network *out,
                       struct error *error);
static bool take_line(const struct source *source, const char *line, struct arena *arena,
                      struct observed_network *out);

int view_listeners(struct arena *arena, struct observed_network *out, struct error *error)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        int result = read_source(&sources[i], arena, out, error);
        if (result < 0)
            return result;
    }
    return 0;
}

static int read_source(const struct source *source, struct arena *arena, struct observed_network *out,
                       struct error *error)
{
    char line[512];
    _cleanup_fclose_ FILE *file = fopen(source->path, "re");
    if (!file)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", source->path); /* a kernel without IPv6 */
    if (!fgets(line, sizeof(line), file)) /* the heading */
        return 0;
    while (fgets(line, sizeof(line), file))
        if (!take_line(source, line, arena, out))
            break;
    return ferror(file) ? error_errno(error, -EIO, "%s", source->path) : 0;
}

/* False when nothing further can matter: the kernel lists all listening TCP sockets before any other, and a busy
 * server has thousands of those. */
static bool take_line(const struct source *source, const char *line, struct arena *arena,
                      struct observed_network *out)
{
    unsigned words[4] = {0}, port, state;
    int fields = source->wide ? sscanf(line, "%*u: %8x%8x%8x%8x:%4x %*32[0-9A-F]:%*4x %2x", &words[0], &words[1],
                                       &words[2], &words[3], &port, &state)
                              : sscanf(line, "%*u: %8x:%4x %*8x:%*4x %2x", &words[0], &port, &state);
    if (fields != (source->wide ? 6 : 3))
        return true;
    if (state != source->state)
        return source->state != STATE_LISTEN;
    /* Of IPv6, the wildcard (which takes IPv4 as well unless told otherwise) and mapped IPv4 addresses. */
    if (source->wide && (words[0] || words[1] || (words[2] && words[2] != htonl(0xffff)) || (!words[2] && words[3])))
        return true;
    uint32_t address = source->wide ? words[3] : words[0];
    struct observed_listener *listener = arena_append(arena, out->listeners, out->listener_count);
    *listener = (struct observed_listener){.protocol = source->protocol, .port = port};
    if (address) {
        char *text = arena_alloc(arena, INET_ADDRSTRLEN);
        inet_ntop(AF_INET, &address, text, INET_ADDRSTRLEN);
        listener->address = text;
    }
    return true;
}
