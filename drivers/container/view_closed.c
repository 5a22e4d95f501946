/* Which folder keeps the ids of a container out: its root is mounted, and its init begun, by the container's own root, who
 * passes no folder that its owner keeps to himself. Linked into the main program, too. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/container/internal.h"

#define MOST_PARTS 127 /* of a path: what a process can say of itself when it ends */

/* Ends with the number of the first part of the path that is closed to `id`, access lists and all; 0: none. */
static noreturn void try_path(const char *path, uid_t id)
{
    char part[CONTAINER_PATH_SIZE];
    int number = 0;
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        _exit(0);
    for (const char *slash = strchr(path + 1, '/'); number < MOST_PARTS; slash = strchr(slash + 1, '/')) {
        const size_t length = slash ? (size_t)(slash - path) : strlen(path);
        number++;
        snprintf(part, sizeof(part), "%.*s", (int)length, path);
        if (access(part, X_OK) < 0)
            _exit(errno == EACCES ? number : 0);
        if (!slash)
            break;
    }
    _exit(0);
}

static const char *closed_part(const char *path, int64_t id, struct arena *arena)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        try_path(path, (uid_t)id);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0 || !WIFEXITED(status) || !WEXITSTATUS(status))
        return NULL;
    const char *end = path;
    for (int i = 0; i < WEXITSTATUS(status) && end; i++)
        end = strchr(end + 1, '/');
    return end ? arena_strndup(arena, path, (size_t)(end - path)) : path;
}

const char *container_closed_folder(const struct paths *paths, int64_t id_base, struct arena *arena)
{
    const char *folder = id_base ? closed_part(paths->lxc, id_base, arena) : NULL;
    return folder || !id_base ? folder : closed_part(paths->mounts, id_base, arena);
}
