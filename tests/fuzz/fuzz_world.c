/* Text of the kernel and of files that others write: the first byte says whose. The readers' inner functions are
 * reached by including their files. */
#include <string.h>

#include "drivers/container/view_cgroup.c"
#include "drivers/container/view_monitor.c"
#include "drivers/image/fetch/fetch.h"
#include "drivers/network/view_listeners.c"
#include "drivers/storage/view_mounts.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

static const struct paths paths = {
    .store = "/var/lib/fpsync", .mounts = "/run/fpsync/mounts", .lxc = "/var/lib/lxc"};

static void read_mounts(const void *text, size_t size, struct arena *arena)
{
    char table[64];
    _cleanup_close_ int fd = file_of(text, size);
    struct mount_entries entries = {0};
    struct error error;
    const struct mount_origin origin = {.found = true,
                                        .major = 8,
                                        .minor = 1,
                                        .root = "/var/lib/fpsync/volumes",
                                        .real = "/var/lib/fpsync/volumes"};
    snprintf(table, sizeof(table), "/proc/self/fd/%d", fd);
    MUST(mounts_read(table, arena, &entries, &error) == 0);
    for (size_t i = 0; i < entries.count; i++) {
        mount_layer(&paths, arena, &entries.items[i]);
        struct texts images = {0};
        mount_images(&paths, arena, &entries.items[i], &images);
        mount_volume(&origin, arena, &entries.items[i]);
    }
}

static void read_sockets(char *text, struct arena *arena)
{
    struct monitor_sockets found = {0};
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n"))
        read_socket(line, arena, &found);
    monitor_socket_of(&found, &paths, "web");
}

static void read_listeners(char *text, struct arena *arena)
{
    struct observed_network out = {0};
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n"))
        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
            take_line(&sources[i], line, arena, &out);
}

/* /proc/PID/cgroup, NUL, mountinfo: what liblxc's groups are looked for in. */
static void read_groups(const char *text, size_t size, struct arena *arena)
{
    char path[CONTAINER_PATH_SIZE];
    struct hierarchies found = {0};
    size_t length = strlen(text);
    char *mounts = arena_strdup(arena, length < size ? text + length + 1 : "");
    for (char *line = strsep(&mounts, "\n"); line; line = strsep(&mounts, "\n"))
        read_mount(line, text, arena, &found);
    for (size_t i = 0; i < found.count; i++)
        payload_in(&found.items[i], text, path);
    hierarchy_of(&found, "memory");
    hierarchy_of_freezer(&found);
}

/* One text in every control file there is, of both versions. */
static void read_limits(const char *text, size_t size, struct arena *arena)
{
    static const char *const files[] = {"memory.max",
                                        "memory.limit_in_bytes",
                                        "memory.swap.max",
                                        "memory.memsw.limit_in_bytes",
                                        "cpu.max",
                                        "cpu.cfs_quota_us",
                                        "cpu.cfs_period_us",
                                        "pids.max",
                                        "cpu.weight",
                                        "cpu.shares",
                                        "cpuset.cpus",
                                        "io.max",
                                        "blkio.throttle.read_bps_device"};
    fuzz_folder();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        fuzz_write(files[i], text, size);
    for (size_t i = 0; i < LIMIT_SOURCES; i++)
        for (int unified = 0; unified < 2; unified++) {
            struct limits *limits = described_new(arena, &limits_table);
            const struct control_group group = {AT_FDCWD, fuzz_folder(), unified, NULL, arena};
            limit_sources[i].read(&group, limits);
            _cleanup_buffer_ struct buffer told = {0};
            fields_print_flow(&limits_table, limits, &told);
        }
}

static void read_name(const char *text)
{
    char clean[PATH_MAX];
    struct error error;
    if (name_clean(text, clean, &error) < 0)
        return;
    MUST(*clean != '/' && strcmp(clean, "..") != 0 && strncmp(clean, "../", 3) != 0 &&
         !strstr(clean, "/../"));
    MUST(!strstr(clean, "//") && (!*clean || clean[strlen(clean) - 1] != '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    _cleanup_arena_ struct arena *arena = arena_new();
    char *text = arena_strndup(arena, (const char *)data + 1, size - 1);
    struct observed_container container = {0};
    switch (*data) {
    case 'm':
        read_mounts(data + 1, size - 1, arena);
        break;
    case 'u':
        read_sockets(text, arena);
        break;
    case 't':
        read_listeners(text, arena);
        break;
    case 'c':
        container_read_mark(text, arena, &container);
        MUST(container.ours == (container.uid != NULL));
        break;
    case 'g':
        read_groups(text, size - 1, arena);
        break;
    case 'l':
        read_limits(text, size - 1, arena);
        break;
    default:
        read_name(text);
    }
    return 0;
}
