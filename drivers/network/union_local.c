/* See resolver.h.
 *
 * A file names its networks in lines that dnsmasq passes over: who renews it is the resolver of one of them, which knows
 * of no union but its own. Two of them may do so side by side. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "drivers/network/resolver.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define OF_NETWORK   "# " /* and its bridge */
#define LOCAL_SUFFIX ".local"
#define LOCAL_LIMIT  (16 * 1024 * 1024) /* bytes */

char *union_local_file(struct arena *arena, const char *folder, const char *address)
{
    return arena_printf(arena, "%s/%s" LOCAL_SUFFIX, folder, address);
}

static char *new_file(struct arena *arena, const char *folder, const char *address)
{
    return arena_printf(arena, "%s.new", union_local_file(arena, folder, address));
}

/* Whoever comes later reads what the one before has written. */
static int lock(const char *folder, struct error *error)
{
    _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, -errno, "%s", folder);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "%s", folder);
    return TAKE_FD(fd);
}

static int read_optional(const char *path, struct buffer *text, struct error *error)
{
    struct error failure;
    int result = buffer_read_file(text, AT_FDCWD, path, LOCAL_LIMIT, &failure);
    return result < 0 && result != -ENOENT ? error_set(error, result, "%s", failure.text) : 0;
}

/* Called with the lock held. */
static int write_of(const struct paths *paths, const char *folder, const char *address,
                    const struct texts *bridges, struct arena *arena, struct error *error)
{
    _cleanup_buffer_ struct buffer all = {0};
    for (size_t i = 0; i < bridges->count; i++) {
        _cleanup_buffer_ struct buffer local = {0};
        int result = read_optional(
            arena_printf(arena, "%s/" RESOLVER_LOCAL, resolver_folder(paths, arena, bridges->items[i])),
            &local, error);
        if (result < 0)
            return result;
        buffer_printf(&all, OF_NETWORK "%s\n", bridges->items[i]);
        if (local.length)
            buffer_add(&all, local.bytes, local.length);
    }
    return file_replace(folder, arena_printf(arena, "%s" LOCAL_SUFFIX, address),
                        new_file(arena, folder, address), all.bytes, all.length, error);
}

int union_local_write(const struct paths *paths, const char *folder, const struct resolver_union *all,
                      struct arena *arena, struct error *error)
{
    _cleanup_close_ int fd = lock(folder, error);
    return fd < 0 ? fd : write_of(paths, folder, all->address, &all->bridges, arena, error);
}

int union_local_renew(const struct paths *paths, const char *folder, const char *address, struct arena *arena,
                      struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct texts bridges = {0};
    struct error failure;
    _cleanup_close_ int fd = lock(folder, &failure);
    if (fd < 0) /* its network may be going meanwhile */
        return fd == -ENOENT ? 0 : error_set(error, fd, "%s", failure.text);
    int result = read_optional(union_local_file(arena, folder, address), &text, error);
    if (result < 0 || !text.length)
        return result;
    for (const char *at = text.bytes; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, OF_NETWORK, strlen(OF_NETWORK)) == 0)
            *arena_append(arena, bridges.items, bridges.count) =
                arena_strndup(arena, at + strlen(OF_NETWORK), strcspn(at + strlen(OF_NETWORK), "\n"));
    return write_of(paths, folder, address, &bridges, arena, error);
}

int union_local_remove(const char *folder, const char *address, struct arena *arena, struct error *error)
{
    _cleanup_close_ int fd = lock(folder, error);
    if (fd < 0)
        return fd;
    unlink(new_file(arena, folder, address));
    const char *file = union_local_file(arena, folder, address);
    return unlink(file) < 0 && errno != ENOENT ? error_errno(error, -errno, "%s", file) : 0;
}
