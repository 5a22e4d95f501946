/* Control groups as liblxc lays them out: one folder a container for the payload and one for the monitor, in every
 * hierarchy, below the group of the host's init. Version 2 alone, version 1, and both side by side. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"

#define CGROUPS      "/sys/fs/cgroup"
#define PROC_LIMIT   (16 * 1024 * 1024)          /* bytes of a mountinfo */
#define V1_UNLIMITED INT64_C(0x7fffffffffff0000) /* PAGE_COUNTER_MAX in bytes, whatever the page size */
#define MOST_SHARES  262144                      /* that version 1 takes; more are not asked for */

int read_line(int directory, const char *path, char *line, size_t size)
{
    _cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, line, size - 1);
    if (length < 0)
        return -errno;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

/* Whether two comma lists share a word. */
static bool lists_meet(const char *left, const char *right)
{
    while (*left) {
        size_t length = strcspn(left, ",");
        for (const char *at = right; *at;) {
            size_t other = strcspn(at, ",");
            if (length && other == length && memcmp(at, left, length) == 0)
                return true;
            at += other + (at[other] == ',');
        }
        left += length + (left[length] == ',');
    }
    return false;
}

/* Finds a hierarchy's line "ID:CONTROLLERS:PATH" in a /proc/PID/cgroup; `text` is cut up. Returns the path. */
static char *group_line(char *text, bool unified, const char *options, const char **controllers)
{
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
        char *words = strchr(line, ':'), *path = words ? strchr(words + 1, ':') : NULL;
        if (!path)
            continue;
        *words++ = '\0';
        *path++ = '\0';
        if (unified ? strcmp(line, "0") == 0 && !*words : lists_meet(words, options)) {
            *controllers = words;
            return path;
        }
    }
    return NULL;
}

static const char *below_mount(const char *path, const char *root)
{
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]))
        path += length;
    return strcmp(path, "/") == 0 ? "" : path;
}

static const char *unified_controllers(struct arena *arena, const char *mount)
{
    char path[CONTAINER_PATH_SIZE], line[512];
    snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
    if (read_line(AT_FDCWD, path, line, sizeof(line)) < 0)
        return "";
    for (char *at = line; *at; at++)
        if (*at == ' ')
            *at = ',';
    return arena_strdup(arena, line);
}

/* `path` is the group of process 1: liblxc goes by that and leaves systemd's scope for it aside. */
static void add_hierarchy(const char *mount, const char *root, const char *controllers, char *path,
                          bool unified, struct arena *arena, struct hierarchies *out)
{
    static const char scope[] = "/init.scope";
    size_t length = strlen(path);
    if (length >= sizeof(scope) - 1 && strcmp(path + length - (sizeof(scope) - 1), scope) == 0)
        path[length - (sizeof(scope) - 1)] = '\0';
    struct hierarchy *found = arena_append(arena, out->items, out->count);
    *found = (struct hierarchy){
        .mount = arena_strdup(arena, mount),
        .root = arena_strdup(arena, root),
        .controllers = unified ? unified_controllers(arena, mount) : arena_strdup(arena, controllers),
        .folder = arena_printf(arena, "%s%s", mount, below_mount(path, root)),
        .unified = unified,
    };
}

/* One line of mountinfo: "ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS [TAGS] - TYPE SOURCE SUPEROPTIONS". */
static void read_mount(char *line, const char *groups, struct arena *arena, struct hierarchies *out)
{
    char root[256], mount[256], type[32], options[256];
    const char *tail = strstr(line, " - cgroup");
    if (!tail || sscanf(line, "%*s %*s %*s %255s %255s", root, mount) != 2 ||
        sscanf(tail, " - %31s %*s %255s", type, options) != 2)
        return;
    bool unified = strcmp(type, "cgroup2") == 0;
    const char *controllers = "";
    char *path = group_line(arena_strdup(arena, groups), unified, options, &controllers);
    if (path)
        add_hierarchy(mount, root, controllers, path, unified, arena, out);
}

/* The root of a whole hierarchy, not of a part that was mounted by itself: such a root has the first inode. */
static bool is_hierarchy(const char *path, long magic)
{
    struct statfs system;
    struct stat status;
    return statfs(path, &system) == 0 && system.f_type == magic && stat(path, &status) == 0 &&
           status.st_ino == 1;
}

/* "ID:CONTROLLERS:PATH" of /proc/1/cgroup, found where every distribution mounts it. */
static bool read_usual(char *line, struct arena *arena, struct hierarchies *out)
{
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return false;
    *path++ = '\0';
    controllers++;
    const char *name = strncmp(controllers, "name=", 5) == 0 ? controllers + 5 : controllers;
    bool unified = !*controllers;
    const char *mount = arena_printf(arena, CGROUPS "%s%s", *name ? "/" : "", name);
    if (unified && !is_hierarchy(mount, CGROUP2_SUPER_MAGIC))
        mount = CGROUPS "/unified"; /* version 1 and 2 side by side */
    if (!is_hierarchy(mount, unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
        return false;
    add_hierarchy(mount, "/", controllers, path, unified, arena, out);
    return true;
}

/* The mount table is asked only where something is not where it usually is: the kernel takes some 10 us for each of its
 * lines, and every container has one. */
int hierarchies_read(struct arena *arena, struct hierarchies *out, struct error *error)
{
    _cleanup_buffer_ struct buffer groups = {0}, mounts = {0};
    *out = (struct hierarchies){0};
    int result = buffer_read_piece(&groups, AT_FDCWD, "/proc/1/cgroup", PROC_LIMIT, error);
    if (result < 0)
        return result;
    const char *text = groups.length ? groups.bytes : "";
    char *rest = arena_strdup(arena, text);
    bool usual = true;
    for (char *line = strsep(&rest, "\n"); line && usual; line = strsep(&rest, "\n"))
        usual = !*line || read_usual(line, arena, out);
    if (usual && out->count)
        return 0;
    *out = (struct hierarchies){0};
    result = buffer_read_file(&mounts, AT_FDCWD, "/proc/self/mountinfo", PROC_LIMIT, error);
    if (result < 0)
        return result;
    rest = mounts.bytes;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        read_mount(line, text, arena, out);
    return 0;
}

const struct hierarchy *hierarchy_of(const struct hierarchies *hierarchies, const char *controller)
{
    for (size_t i = 0; i < hierarchies->count; i++)
        if (lists_meet(hierarchies->items[i].controllers, controller))
            return &hierarchies->items[i];
    return NULL;
}

/* `groups` is the text of a /proc/PID/cgroup. */
static bool payload_in(const struct hierarchy *hierarchy, const char *groups,
                       char path[static CONTAINER_PATH_SIZE])
{
    _cleanup_free_ char *text = strdup(groups);
    const char *controllers;
    char *group = text ? group_line(text, hierarchy->unified, hierarchy->controllers, &controllers) : NULL;
    char *payload = group ? strstr(group, "/lxc.payload.") : NULL;
    if (!payload)
        return false;
    /* A systemd guest moved its init further down. */
    payload[1 + strcspn(payload + 1, "/")] = '\0';
    int length =
        snprintf(path, CONTAINER_PATH_SIZE, "%s%s", hierarchy->mount, below_mount(group, hierarchy->root));
    return length < CONTAINER_PATH_SIZE;
}

static bool groups_read(pid_t pid, struct buffer *groups)
{
    char file[64];
    snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
    return buffer_read_piece(groups, AT_FDCWD, file, PROC_LIMIT, NULL) == 0 && groups->length;
}

bool payload_path(const struct hierarchy *hierarchy, pid_t pid, char path[static CONTAINER_PATH_SIZE])
{
    _cleanup_buffer_ struct buffer groups = {0};
    return groups_read(pid, &groups) && payload_in(hierarchy, groups.bytes, path);
}

/* ---- limits ---- */

/* The payload's group of one controller. */
struct control_group {
    int directory;      /* that `folder` is relative to; AT_FDCWD */
    const char *folder; /* its path */
    bool unified;
    const struct limits *said; /* what is asked for; NULL: nothing rare */
    struct arena *arena;       /* for texts */
};

/* First line of a control file. */
static bool read_control(const struct control_group *group, const char *file, char *line, size_t size)
{
    char path[CONTAINER_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", group->folder, file);
    return read_line(group->directory, path, line, size) == 0;
}

/* "max", -1 and the greatest number that version 1 can hold mean no limit: 0. */
static bool amount(const char *text, int64_t *value)
{
    if (strcmp(text, "max") == 0)
        *value = 0;
    else if (number_parse(text, value) < 0)
        return false;
    if (*value < 0 || *value >= V1_UNLIMITED)
        *value = 0;
    return true;
}

static void note(struct limits *limits, size_t offset, int64_t value)
{
    *(int64_t *)((char *)limits + offset) = value;
    field_mark(&limits_table, limits, offset);
}

static bool read_memory(const struct control_group *group, struct limits *out)
{
    char line[128];
    int64_t memory, both;
    if (!read_control(group, group->unified ? "memory.max" : "memory.limit_in_bytes", line, sizeof(line)) ||
        !amount(line, &memory))
        return false;
    note(out, offsetof(struct limits, memory), memory);
    /* Version 1 limits memory and swap together, and so cannot tell of swap without a limit of memory. */
    if ((!group->unified && !memory) ||
        !read_control(group, group->unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes", line,
                      sizeof(line)) ||
        !amount(line, &both))
        return true;
    bool endless = both == 0 && strcmp(line, "0") != 0;
    note(out, offsetof(struct limits, swap), endless ? INT64_MAX : group->unified ? both : both - memory);
    return true;
}

static bool read_cpus(const struct control_group *group, struct limits *out)
{
    char line[128], period_line[128];
    long long quota, period = CONTAINER_CPU_PERIOD;
    if (!read_control(group, group->unified ? "cpu.max" : "cpu.cfs_quota_us", line, sizeof(line)))
        return false;
    if (group->unified && strncmp(line, "max", 3) == 0)
        quota = 0;
    else if (sscanf(line, group->unified ? "%lld %lld" : "%lld", &quota, &period) < 1)
        return false;
    if (!group->unified && quota > 0 &&
        read_control(group, "cpu.cfs_period_us", period_line, sizeof(period_line)))
        period = strtoll(period_line, NULL, 10);
    if (period > 0)
        note(out, offsetof(struct limits, cpus),
             quota <= 0 || quota > INT64_MAX / 1000 ? 0 : quota * 1000 / period);
    return true;
}

static bool read_pids(const struct control_group *group, struct limits *out)
{
    char line[128];
    int64_t value;
    if (!read_control(group, "pids.max", line, sizeof(line)) || !amount(line, &value))
        return false;
    note(out, offsetof(struct limits, pids), value);
    return true;
}

/* The usual weight is that of a cgroup of which nobody said one, or that somebody did say. */
static int64_t weight_as_said(int64_t weight, int64_t said)
{
    return weight == USUAL_WEIGHT && said != USUAL_WEIGHT ? 0 : weight;
}

/* Rounded up, as add_weight() in limits.c rounds down. */
static bool read_weight(const struct control_group *group, struct limits *out)
{
    char line[128];
    int64_t value;
    if (!read_control(group, group->unified ? "cpu.weight" : "cpu.shares", line, sizeof(line)) ||
        !amount(line, &value) || value > MOST_SHARES)
        return false;
    int64_t weight = group->unified ? value : (value * USUAL_WEIGHT + USUAL_SHARES - 1) / USUAL_SHARES;
    note(out, offsetof(struct limits, cpu_weight),
         weight_as_said(weight, group->said ? group->said->cpu_weight : 0));
    return true;
}

/* Without a limit the list is that of the group above, on version 2 also none; and that may be what was asked. */
static bool read_cpuset(const struct control_group *group, struct limits *out)
{
    char line[LIMIT_VALUE_SIZE], above[LIMIT_VALUE_SIZE];
    if (!read_control(group, "cpuset.cpus", line, sizeof(line)))
        return false;
    bool all = !*line || (read_control(group, group->unified ? "../" CPUSET_ABOVE_V2 : "../" CPUSET_ABOVE_V1,
                                       above, sizeof(above)) &&
                          strcmp(line, above) == 0);
    bool as_said = group->said && text_is_same(group->said->cpuset, line);
    out->cpuset = all && !as_said ? NULL : arena_strdup(group->arena, line);
    field_mark(&limits_table, out, offsetof(struct limits, cpuset));
    return true;
}

/* "MAJOR:MINOR NUMBER" of version 1, "MAJOR:MINOR rbps=NUMBER wbps=max ..." of version 2; no line at all where nothing
 * is limited. fpsync limits one device, and so there is one line. */
static bool read_io(const struct control_group *group, const char *v1_file, const char *v2_key, size_t offset,
                    struct limits *out)
{
    char line[256];
    int64_t value = 0;
    if (!read_control(group, group->unified ? "io.max" : v1_file, line, sizeof(line)))
        return false;
    char *at = group->unified ? strstr(line, v2_key) : strchr(line, ' ');
    if (at) {
        at += group->unified ? strlen(v2_key) : 1;
        at[strcspn(at, " ")] = '\0';
        if (!amount(at, &value))
            return false;
    }
    note(out, offset, value);
    return true;
}

static bool read_io_read(const struct control_group *group, struct limits *out)
{
    return read_io(group, "blkio.throttle.read_bps_device", " rbps=", offsetof(struct limits, io_read), out);
}

static bool read_io_write(const struct control_group *group, struct limits *out)
{
    return read_io(group, "blkio.throttle.write_bps_device", " wbps=", offsetof(struct limits, io_write),
                   out);
}

static bool read_io_read_ops(const struct control_group *group, struct limits *out)
{
    return read_io(group, "blkio.throttle.read_iops_device", " riops=", offsetof(struct limits, io_read_ops),
                   out);
}

static bool read_io_write_ops(const struct control_group *group, struct limits *out)
{
    return read_io(group, "blkio.throttle.write_iops_device",
                   " wiops=", offsetof(struct limits, io_write_ops), out);
}

/* "NUMBER" of version 1, "default NUMBER" of version 2. Several weights are one to bfq: what was asked is what is told. */
static bool read_io_weight(const struct control_group *group, struct limits *out)
{
    static const char usual[] = "default ";
    char line[128];
    int64_t value;
    bool cost = group->unified && read_control(group, "io.weight", line, sizeof(line));
    if (!cost &&
        !read_control(group, group->unified ? "io.bfq.weight" : "blkio.bfq.weight", line, sizeof(line)))
        return false;
    if (!amount(line + (strncmp(line, usual, strlen(usual)) == 0 ? strlen(usual) : 0), &value))
        return false;
    if (!cost)
        value = group->said && weight_of_bfq(group->said->io_weight) == value ? group->said->io_weight
                                                                              : weight_from_bfq(value);
    note(out, offsetof(struct limits, io_weight),
         weight_as_said(value, group->said ? group->said->io_weight : 0));
    return true;
}

/* One file or two of one controller; of rare limits with the member that says them. */
static const struct {
    const char *controller;
    bool (*read)(const struct control_group *, struct limits *);
    size_t rare; /* 0: not rare */
} limit_sources[LIMIT_SOURCES] = {
    {"memory", read_memory, 0},
    {"cpu", read_cpus, 0},
    {"pids", read_pids, 0},
    {"cpu", read_weight, offsetof(struct limits, cpu_weight)},
    {"cpuset", read_cpuset, offsetof(struct limits, cpuset)},
    {IO_CONTROLLER, read_io_read, offsetof(struct limits, io_read)},
    {IO_CONTROLLER, read_io_write, offsetof(struct limits, io_write)},
    {IO_CONTROLLER, read_io_read_ops, offsetof(struct limits, io_read_ops)},
    {IO_CONTROLLER, read_io_write_ops, offsetof(struct limits, io_write_ops)},
    {IO_CONTROLLER, read_io_weight, offsetof(struct limits, io_weight)},
};

static bool is_asked(size_t source, const struct limits *said)
{
    size_t rare = limit_sources[source].rare;
    for (size_t i = 0; rare && said && i < limits_table.count; i++)
        if (limits_table.rows[i].offset == rare)
            return field_is_present(&limits_table, said, &limits_table.rows[i]);
    return !rare;
}

void limits_read(const struct hierarchies *hierarchies, pid_t init, const struct limits *said,
                 struct arena *arena, struct limits *out)
{
    _cleanup_buffer_ struct buffer groups = {0};
    if (!groups_read(init, &groups))
        return;
    for (size_t i = 0; i < LIMIT_SOURCES; i++) {
        char folder[CONTAINER_PATH_SIZE];
        const struct hierarchy *hierarchy = hierarchy_of(hierarchies, limit_sources[i].controller);
        if (hierarchy && is_asked(i, said) && payload_in(hierarchy, groups.bytes, folder))
            limit_sources[i].read(&(struct control_group){AT_FDCWD, folder, hierarchy->unified, said, arena},
                                  out);
    }
}

void limit_folders_open(const struct hierarchies *hierarchies, struct limit_folders *folders)
{
    for (size_t i = 0; i < LIMIT_SOURCES; i++) {
        const struct hierarchy *hierarchy = hierarchy_of(hierarchies, limit_sources[i].controller);
        folders->of[i] = (struct limit_folder){
            .fd = hierarchy ? open(hierarchy->folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1,
            .unified = hierarchy && hierarchy->unified,
        };
    }
}

void limit_folders_close(struct limit_folders *folders)
{
    for (size_t i = 0; i < LIMIT_SOURCES; i++)
        if (folders->of[i].fd >= 0)
            close(folders->of[i].fd);
}

bool limits_by_name(const struct limit_folders *folders, const char *name, const struct limits *said,
                    struct arena *arena, struct limits *out)
{
    char folder[CONTAINER_PATH_SIZE];
    bool any = false;
    snprintf(folder, sizeof(folder), "lxc.payload.%s", name);
    for (size_t i = 0; i < LIMIT_SOURCES; i++) {
        const struct limit_folder *of = &folders->of[i];
        any |= of->fd >= 0 && is_asked(i, said) &&
               limit_sources[i].read(&(struct control_group){of->fd, folder, of->unified, said, arena}, out);
    }
    return any;
}

/* ---- leftovers ---- */

bool cgroup_belongs(const struct paths *paths, const char *folder, const char *name)
{
    static const char *const prefixes[] = {"lxc.payload.", "lxc.monitor."};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(folder, prefixes[i], length) != 0 || strncmp(folder + length, name, strlen(name)) != 0)
            continue;
        const char *rest = folder + length + strlen(name);
        if (!*rest)
            return true;
        if (*rest != '-' || !rest[1] || strspn(rest + 1, "0123456789") != strlen(rest + 1))
            return false;
        char other[CONTAINER_PATH_SIZE];
        container_path(paths, folder + length, "", other);
        return access(other, F_OK) < 0;
    }
    return false;
}

/* By name and not by listing: the root of a hierarchy holds dozens of control files, and there are ten. */
bool cgroup_exists(const struct hierarchies *hierarchies, const struct paths *paths, const char *name)
{
    static const char *const shapes[] = {"lxc.payload.%s", "lxc.monitor.%s", "lxc.payload.%s-1",
                                         "lxc.monitor.%s-1"};
    char folder[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + 128];
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        snprintf(folder, sizeof(folder), shapes[i], name);
        if (!cgroup_belongs(paths, folder, name))
            continue;
        for (size_t j = 0; j < hierarchies->count; j++) {
            snprintf(path, sizeof(path), "%s/%s", hierarchies->items[j].folder, folder);
            if (access(path, F_OK) == 0)
                return true;
        }
    }
    return false;
}
