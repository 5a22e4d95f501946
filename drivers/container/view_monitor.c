/* Who runs, and as which process: without liblxc, which would need a round trip for each container.
 *
 * A monitor lives exactly as long as its command socket, an abstract one whose name holds lxcpath and name. Its pid
 * stands in its own control group, and init is the child of it that leads a pid namespace. The payload's group does not
 * tell which that is: systemd moves itself into a group below. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define SOCKETS_LIMIT (64 * 1024 * 1024) /* bytes of /proc/net/unix; a line is about 80 */
#define LISTENS       0x10000            /* __SO_ACCEPTCON: a client's end carries the same name */
#define NAME_LIMIT    (sizeof(((struct sockaddr_un *)0)->sun_path) - 1) /* behind the leading NUL */

static void read_socket(char *line, struct arena *arena, struct monitor_sockets *out)
{
    unsigned flags;
    unsigned long inode;
    int at = 0;
    if (sscanf(line, "%*s %*x %*x %x %*x %*x %lu @%n", &flags, &inode, &at) != 2 || !at || !(flags & LISTENS))
        return;
    size_t length = strlen(line);
    static const char suffix[] = "/command";
    if (length < sizeof(suffix) || strcmp(line + length - (sizeof(suffix) - 1), suffix) != 0)
        return;
    struct monitor_socket *found = arena_append(arena, out->items, out->count);
    found->name = arena_strdup(arena, line + at);
    found->inode = inode;
}

int monitor_sockets_read(struct arena *arena, struct monitor_sockets *out, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    *out = (struct monitor_sockets){0};
    int result = buffer_read_file(&text, AT_FDCWD, "/proc/net/unix", SOCKETS_LIMIT, error);
    if (result < 0)
        return result;
    char *rest = text.bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        read_socket(line, arena, out);
    return 0;
}

static uint64_t fnv_1a(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

const struct monitor_socket *monitor_socket_of(const struct monitor_sockets *sockets,
                                               const struct paths *paths, const char *name)
{
    char wanted[CONTAINER_PATH_SIZE];
    int length = snprintf(wanted, sizeof(wanted), "%s/%s/command", paths->lxc, name);
    /* liblxc (commands_utils.c) hashes what does not fit into a socket's address. */
    if ((size_t)length >= NAME_LIMIT) {
        char folder[CONTAINER_PATH_SIZE];
        container_path(paths, name, "", folder);
        snprintf(wanted, sizeof(wanted), "lxc/%016" PRIx64 "/command", fnv_1a(folder));
    }
    for (size_t i = 0; i < sockets->count; i++)
        if (strcmp(sockets->items[i].name, wanted) == 0)
            return &sockets->items[i];
    return NULL;
}

static bool holds_socket(pid_t pid, unsigned long inode)
{
    char folder[64], wanted[64], link[64];
    snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    DIR *fds = opendir(folder);
    if (!fds)
        return false;
    bool found = false;
    for (struct dirent *entry = readdir(fds); entry && !found; entry = readdir(fds)) {
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
        if (length < 0)
            continue;
        link[length] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    closedir(fds);
    return found;
}

/* The first process of a monitor's group that is this very monitor; 0: none. Asking for the socket costs some
 * 50 us, so it is done only where the group's name alone does not prove it. */
static pid_t monitor_in(const char *folder, unsigned long inode, bool certain)
{
    char path[CONTAINER_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
    _cleanup_fclose_ FILE *processes = fopen(path, "re");
    int pid;
    while (processes && fscanf(processes, "%d", &pid) == 1)
        if (pid > 0 && (certain || holds_socket(pid, inode)))
            return pid;
    return 0;
}

/* liblxc puts -1, -2, ... behind a name that is taken: by a leftover, or by a container of that name below another
 * lxcpath. */
static pid_t find_monitor(const struct hierarchy *hierarchy, const char *name, unsigned long inode)
{
    char folder[CONTAINER_PATH_SIZE];
    snprintf(folder, sizeof(folder), "%s/lxc.monitor.%s-1", hierarchy->folder, name);
    bool certain = access(folder, F_OK) < 0;
    snprintf(folder, sizeof(folder), "%s/lxc.monitor.%s", hierarchy->folder, name);
    if (access(folder, F_OK) < 0 && certain)
        return 0;
    pid_t found = monitor_in(folder, inode, certain);
    for (int suffix = 1; !found && !certain; suffix++) {
        snprintf(folder, sizeof(folder), "%s/lxc.monitor.%s-%d", hierarchy->folder, name, suffix);
        if (access(folder, F_OK) < 0)
            break;
        found = monitor_in(folder, inode, false);
    }
    return found;
}

/* Calls `wanted` for each child; the first for which it is true, or 0. */
static pid_t find_child(pid_t monitor, bool (*wanted)(pid_t child, pid_t monitor))
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)monitor, (int)monitor);
    if (read_line(AT_FDCWD, path, line, sizeof(line)) < 0)
        return 0;
    char *at = line;
    for (pid_t child = (pid_t)strtol(at, &at, 10); child > 0; child = (pid_t)strtol(at, &at, 10))
        if (wanted(child, monitor))
            return child;
    return 0;
}

static ino_t namespace_of(pid_t pid)
{
    char path[64];
    struct stat namespace;
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    return stat(path, &namespace) < 0 ? 0 : namespace.st_ino;
}

/* A child in another pid namespace than its parent is the first there, and its init. One in the same is a helper: a
 * monitor has some for a moment as it starts, and AppArmor's parser may be its only child as it ends. */
static bool is_init(pid_t child, pid_t monitor)
{
    ino_t own = namespace_of(monitor), other = namespace_of(child);
    return own && other && own != other;
}

static bool is_helper(pid_t child, pid_t monitor)
{
    return process_start(child) && namespace_of(child) == namespace_of(monitor);
}

bool monitor_is_at_work(pid_t monitor)
{
    return find_child(monitor, is_helper) > 0;
}

bool monitor_is_of(pid_t pid, const struct paths *paths, const char *name)
{
    char path[64], line[CONTAINER_PATH_SIZE], title[CONTAINER_PATH_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    snprintf(title, sizeof(title), "[lxc monitor] %s %s", paths->lxc, name);
    return read_line(AT_FDCWD, path, line, sizeof(line)) == 0 && strcmp(line, title) == 0;
}

const char *boot_id(struct arena *arena)
{
    char line[64];
    return read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", line, sizeof(line)) < 0
               ? NULL
               : arena_strdup(arena, line);
}

/* From field 3 of /proc/PID/stat on: what is behind the command's closing parenthesis, which the command may hold too.
 * NULL when there is no such process. */
static const char *read_stat(pid_t pid, char line[static 1024])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || read_line(AT_FDCWD, path, line, 1024) < 0)
        return NULL;
    const char *at = strrchr(line, ')');
    return at && at[1] == ' ' ? at + 2 : NULL;
}

/* Field 22, and field 3, the state: a zombie runs nothing. */
int64_t process_start_and_state(pid_t pid, char *state)
{
    char line[1024];
    const char *at = read_stat(pid, line);
    if (!at || *at == 'Z' || *at == 'X')
        return 0;
    *state = *at;
    for (int field = 3; field < 22 && at; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? strtoll(at, NULL, 10) : 0;
}

int64_t process_start(pid_t pid)
{
    char state;
    return process_start_and_state(pid, &state);
}

pid_t process_parent(pid_t pid)
{
    char line[1024];
    const char *at = read_stat(pid, line);
    return at ? (pid_t)strtol(at + 1, NULL, 10) : 0;
}

/* Before its exec, init is a fork of its monitor, or that has failed half way. */
bool has_executed(pid_t init, pid_t monitor)
{
    char path[64];
    struct stat program, own;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)init);
    if (stat(path, &program) < 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)monitor);
    return stat(path, &own) < 0 || program.st_dev != own.st_dev || program.st_ino != own.st_ino;
}

bool has_executing_child(pid_t init)
{
    return find_child(init, has_executed) > 0;
}

void monitor_find(const struct hierarchies *hierarchies, const char *name,
                  const struct monitor_socket *socket, struct observed_container *out)
{
    for (size_t i = 0; i < hierarchies->count && !out->monitor_pid; i++)
        out->monitor_pid = find_monitor(&hierarchies->items[i], name, socket->inode);
    if (!out->monitor_pid)
        return;
    pid_t init = find_child((pid_t)out->monitor_pid, is_init);
    if (!init || !has_executed(init, (pid_t)out->monitor_pid))
        return;
    out->init_start = process_start(init);
    out->init_pid = out->init_start ? init : 0;
}
