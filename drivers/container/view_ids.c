/* Which ids of the host are somebody's: given to a user in /etc/subuid and /etc/subgid, or those of a user namespace that
 * something runs in. Asked only before a range is given to a container. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"

#define FILE_LIMIT ((size_t)16 << 20) /* bytes */
#define ALL_IDS    UINT32_MAX         /* in the map of the first namespace: 0 to one below the invalid id */

static void add(struct arena *arena, struct id_ranges *out, uint64_t first, uint64_t count)
{
    if (!count || count > ALL_IDS || first > ALL_IDS)
        return;
    *(struct id_range *)arena_append(arena, out->items, out->count) =
        (struct id_range){.first = (int64_t)first, .last = (int64_t)(first + count - 1)};
}

/* subuid(5): "NAME:FIRST:COUNT". What root was given is for what root runs, as fpsync's containers are. */
static void read_given(const char *path, struct arena *arena, struct id_ranges *out)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, NULL) < 0)
        return;
    char *rest = text.bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        uint64_t first, count;
        const char *numbers = strchr(line, ':');
        if (numbers && strncmp(line, "root:", 5) != 0 && strncmp(line, "0:", 2) != 0 &&
            sscanf(numbers, ":%" SCNu64 ":%" SCNu64, &first, &count) == 2)
            add(arena, out, first, count);
    }
}

/* user_namespaces(7): "INSIDE OUTSIDE COUNT". False: it is that of the first namespace, or there is none. */
static bool read_map(int proc, const char *pid, const char *file, struct arena *arena, struct id_ranges *out)
{
    _cleanup_buffer_ struct buffer text = {0};
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", pid, file);
    if (buffer_read_piece(&text, proc, path, FILE_LIMIT, NULL) < 0 || !text.length)
        return false;
    char *rest = text.bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        uint64_t inside, first, count;
        if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &first, &count) != 3)
            continue;
        if (count == ALL_IDS)
            return false;
        add(arena, out, first, count);
    }
    return true;
}

static void read_running(struct arena *arena, struct id_ranges *out)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry = proc ? readdir(proc) : NULL; entry; entry = readdir(proc))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_map(dirfd(proc), entry->d_name, "uid_map", arena, out))
            read_map(dirfd(proc), entry->d_name, "gid_map", arena, out);
    if (proc)
        closedir(proc);
}

void container_find_ids(const struct paths *paths, struct arena *arena, struct id_ranges *out)
{
    static const char *const files[] = {"/etc/subuid", "/etc/subgid"};
    *out = (struct id_ranges){0};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        read_given(files[i], arena, out);
        if (strcmp(paths->root, "/") != 0)
            read_given(arena_printf(arena, "%s%s", paths->root, files[i]), arena, out);
    }
    read_running(arena, out);
}
