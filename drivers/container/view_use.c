/* How much a container uses of what a limit bounds, and what the host can do about it: asked only before a limit changes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/units.h"

#define STAT_LIMIT (64 * 1024)

static int64_t read_number(const char *folder, const char *file)
{
    char path[CONTAINER_PATH_SIZE + 64], line[64];
    int64_t value = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return read_line(AT_FDCWD, path, line, sizeof(line)) == 0 && number_parse(line, &value) == 0 ? value : 0;
}

/* The value behind "KEY " in a file of such lines. */
static int64_t value_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        long long value;
        if (strncmp(line, key, length) == 0 && sscanf(line + length, " %lld", &value) == 1)
            return value;
    }
    return 0;
}

/* What files lie in memory for speed is given back when it gets narrow. */
static int64_t memory_use(const struct hierarchy *hierarchy, const char *folder)
{
    char path[CONTAINER_PATH_SIZE + 64];
    _cleanup_buffer_ struct buffer text = {0};
    int64_t use = read_number(folder, hierarchy->unified ? "memory.current" : "memory.usage_in_bytes");
    snprintf(path, sizeof(path), "%s/memory.stat", folder);
    if (buffer_read_piece(&text, AT_FDCWD, path, STAT_LIMIT, NULL) < 0 || !text.length)
        return use;
    use -= value_of(text.bytes, hierarchy->unified ? "inactive_file" : "total_inactive_file");
    use -= value_of(text.bytes, hierarchy->unified ? "active_file" : "total_active_file");
    return use > 0 ? use : 0;
}

void container_look_at_use(const struct paths *paths, int64_t init_pid, struct observed_use *out)
{
    (void)paths;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct hierarchies hierarchies;
    char folder[CONTAINER_PATH_SIZE];
    *out = (struct observed_use){0};
    if (hierarchies_read(arena, &hierarchies, NULL) < 0)
        return;
    const struct hierarchy *memory = hierarchy_of(&hierarchies, "memory");
    const struct hierarchy *pids = hierarchy_of(&hierarchies, "pids");
    if (memory && payload_path(memory, (pid_t)init_pid, folder))
        out->memory = memory_use(memory, folder);
    if (pids && payload_path(pids, (pid_t)init_pid, folder))
        out->pids = read_number(folder, "pids.current");
}

void container_look_at_host(const struct paths *paths, struct arena *arena, struct observed_host *out)
{
    (void)paths;
    struct hierarchies hierarchies;
    char path[CONTAINER_PATH_SIZE + 64], line[LIMIT_VALUE_SIZE];
    *out = (struct observed_host){0};
    if (hierarchies_read(arena, &hierarchies, NULL) < 0)
        return;
    const struct hierarchy *memory = hierarchy_of(&hierarchies, "memory");
    const struct hierarchy *cpuset = hierarchy_of(&hierarchies, "cpuset");
    out->memory_is_firm = out->swap_needs_memory = memory && !memory->unified;
    if (!cpuset)
        return;
    snprintf(path, sizeof(path), "%s/%s", cpuset->folder,
             cpuset->unified ? CPUSET_ABOVE_V2 : CPUSET_ABOVE_V1);
    if (read_line(AT_FDCWD, path, line, sizeof(line)) == 0 && *line)
        out->cpus = arena_strdup(arena, line);
}
