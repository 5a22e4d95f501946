/* Who holds a socket: the one question that takes a walk over all processes, asked only when a port is refused. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"

static bool holds(const char *pid, const char *wanted)
{
    char path[64], link[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *folder = opendir(path);
    bool found = false;
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry && !found; entry = readdir(folder)) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (folder)
        closedir(folder);
    return found;
}

static const char *name_of(const char *pid, struct arena *arena)
{
    _cleanup_buffer_ struct buffer name = {0};
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
    if (buffer_read_file(&name, AT_FDCWD, path, 256, NULL) < 0 || !name.length)
        return NULL;
    name.bytes[strcspn(name.bytes, "\n")] = '\0';
    for (char *at = name.bytes; *at;
         at++) /* a process calls itself what it likes, and this reaches a terminal */
        if (!isprint((unsigned char)*at))
            *at = '?';
    return arena_printf(arena, "%s (%s)", name.bytes, pid);
}

const char *view_name_listener(const struct observed_listener *listener, struct arena *arena)
{
    char wanted[64];
    const char *name = NULL;
    if (listener->process || !listener->inode)
        return listener->process;
    snprintf(wanted, sizeof(wanted), "socket:[%" PRIu32 "]", listener->inode);
    DIR *processes = opendir("/proc");
    for (struct dirent *entry = processes ? readdir(processes) : NULL; entry && !name;
         entry = readdir(processes))
        if (isdigit((unsigned char)*entry->d_name) && holds(entry->d_name, wanted))
            name = name_of(entry->d_name, arena);
    if (processes)
        closedir(processes);
    return name;
}
