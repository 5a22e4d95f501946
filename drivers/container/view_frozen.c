/* Whether the processes of a container stand still: in the freezer of version 1 or the events of version 2. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"

#define EVENTS_LIMIT 4096 /* bytes */

const struct hierarchy *hierarchy_of_freezer(const struct hierarchies *hierarchies)
{
    const struct hierarchy *found = hierarchy_of(hierarchies, "freezer");
    for (size_t i = 0; !found && i < hierarchies->count; i++)
        if (hierarchies->items[i].unified)
            found = &hierarchies->items[i];
    return found;
}

/* Version 2 says "frozen 1" among its events, version 1 FROZEN (or FREEZING, on the way). */
static bool says_frozen(int directory, const char *group, bool unified)
{
    char path[CONTAINER_PATH_SIZE + 64];
    _cleanup_buffer_ struct buffer text = {0};
    snprintf(path, sizeof(path), "%s/%s", group, unified ? "cgroup.events" : "freezer.state");
    return buffer_read_piece(&text, directory, path, EVENTS_LIMIT, NULL) == 0 && text.length &&
           strstr(text.bytes, unified ? "frozen 1" : "FROZEN");
}

bool is_frozen(const struct hierarchies *hierarchies, pid_t init)
{
    char folder[CONTAINER_PATH_SIZE];
    const struct hierarchy *hierarchy = hierarchy_of_freezer(hierarchies);
    return hierarchy && payload_path(hierarchy, init, folder) &&
           says_frozen(AT_FDCWD, folder, hierarchy->unified);
}

void freezer_folder_open(const struct hierarchies *hierarchies, struct freezer_folder *folder)
{
    const struct hierarchy *hierarchy = hierarchy_of_freezer(hierarchies);
    folder->fd = hierarchy ? open(hierarchy->folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    folder->unified = hierarchy && hierarchy->unified;
}

void freezer_folder_close(struct freezer_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
}

/* What version 1 froze shows as being deep in the kernel, and so an init that runs or sleeps needs no look; what
 * version 2 froze sleeps. */
bool is_frozen_by_name(const struct freezer_folder *folder, const char *name, char state)
{
    char group[CONTAINER_PATH_SIZE];
    if (folder->fd < 0 || (!folder->unified && strchr("RSI", state)))
        return false;
    snprintf(group, sizeof(group), "lxc.payload.%s", name);
    return says_frozen(folder->fd, group, folder->unified);
}
