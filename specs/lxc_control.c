/* Raw lines of the LXC config that would say a second time what a field says. */
#include <string.h>

#include "specs/lxc_control.h"

const char *lxc_control_field(const char *line)
{
    static const struct {
        const char *start, *field; /* of the control file's name */
    } ruled[] = {{"memory.limit_in_bytes", "limits.memory"},
                 {"memory.memsw.", "limits.swap"},
                 {"memory.max", "limits.memory"},
                 {"memory.swap.max", "limits.swap"},
                 {"cpu.cfs_", "limits.cpus"},
                 {"cpu.max", "limits.cpus"},
                 {"cpu.shares", "limits.cpu_weight"},
                 {"cpu.weight", "limits.cpu_weight"},
                 {"cpuset.cpus", "limits.cpuset"},
                 {"pids.max", "limits.pids"},
                 {"blkio.throttle.", "limits.io_read or limits.io_write"},
                 {"io.max", "limits.io_read or limits.io_write"},
                 {"blkio.bfq.weight", "limits.io_weight"},
                 {"io.weight", "limits.io_weight"},
                 {"io.bfq.weight", "limits.io_weight"},
                 {"freezer.", "frozen"},
                 {"cgroup.freeze", "frozen"}};
    static const char *const versions[] = {"lxc.cgroup.", "lxc.cgroup2."};
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        size_t skip = strlen(versions[i]);
        if (strncmp(line, versions[i], skip) != 0)
            continue;
        for (size_t j = 0; j < sizeof(ruled) / sizeof(*ruled); j++)
            if (strncmp(line + skip, ruled[j].start, strlen(ruled[j].start)) == 0)
                return ruled[j].field;
    }
    return NULL;
}

static bool is_none(const struct field *row, const struct limits *limits)
{
    if (row->type == FIELD_TEXT)
        return !*(const char *const *)field_at(limits, row);
    int64_t value = *(const int64_t *)field_at(limits, row);
    return !value || (strcmp(row->key, "swap") == 0 && value == INT64_MAX);
}

/* "limits.io_read or limits.io_write" names all of that beginning. */
static bool names(const char *field, const struct field *row)
{
    if (strstr(field, " or "))
        return strncmp(row->key, "io_", 3) == 0 && strcmp(row->key, "io_weight") != 0;
    const char *key = strrchr(field, '.');
    return key && (strcmp(key + 1, row->key) == 0 ||
                   (strcmp(row->key, "swap") == 0 && strcmp(key + 1, "memory") == 0));
}

bool lxc_lines_limit(const struct texts *lines, const struct limits *limits, const struct field *row)
{
    for (size_t i = 0; i < lines->count; i++) {
        const char *field = lxc_control_field(lines->items[i]);
        if (field && names(field, row))
            return is_none(row, limits);
    }
    return false;
}
