/* Raw lines of the LXC config that would say a second time what a field says. */
#include <string.h>

#include "specs/check.h"

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
