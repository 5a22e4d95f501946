/* Limits: what they mean in control files, and how they change under a running container. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/error.h"
#include "lib/map.h"
#include "specs/lxc_control.h"

#define TRIES 3

static int write_live(const struct hierarchies *hierarchies, pid_t init,
                      const struct container_limits *request, struct error *error);

/* ---- meaning ---- */

struct meaning {
    const struct hierarchies *hierarchies;
    struct limit_setting *settings;
    int count;
};

static const struct hierarchy *add(struct meaning *to, const char *controller, const char *v1_file,
                                   const char *v2_file, int64_t v1_value, int64_t v2_value)
{
    const struct hierarchy *hierarchy = hierarchy_of(to->hierarchies, controller);
    if (!hierarchy)
        return NULL;
    const char *file = hierarchy->unified ? v2_file : v1_file;
    int64_t value = hierarchy->unified ? v2_value : v1_value;
    if (!file)
        return hierarchy;
    struct limit_setting *setting = &to->settings[to->count++];
    *setting = (struct limit_setting){.controller = controller, .file = file, .unified = hierarchy->unified};
    if (value < 0 && (hierarchy->unified || strcmp(controller, "pids") == 0))
        snprintf(setting->value, sizeof(setting->value), "max");
    else
        snprintf(setting->value, sizeof(setting->value), "%" PRId64, value);
    return hierarchy;
}

/* Swap cannot be limited where the kernel was built or booted without its accounting. */
static bool has_swap_accounting(const struct hierarchy *memory)
{
    char path[CONTAINER_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes", memory->mount);
    return access(memory->unified ? "/proc/swaps" : path, F_OK) == 0;
}

static void add_memory(struct meaning *to, const struct limits *limits)
{
    int64_t memory = limits->memory ? limits->memory : -1;
    int64_t both =
        limits->memory && limits->swap <= INT64_MAX - limits->memory ? limits->memory + limits->swap : -1;
    const struct hierarchy *hierarchy =
        add(to, "memory", "memory.limit_in_bytes", "memory.max", memory, memory);
    if (hierarchy && has_swap_accounting(hierarchy))
        add(to, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", both, limits->swap);
}

/* Rounded down to shares: the view rounds up. */
static void add_weight(struct meaning *to, const struct limits *limits)
{
    int64_t weight = limits->cpu_weight ? limits->cpu_weight : USUAL_WEIGHT;
    if (add(to, "cpu", "cpu.shares", "cpu.weight", weight * USUAL_SHARES / USUAL_WEIGHT, weight))
        to->settings[to->count - 1].only_live = !limits->cpu_weight;
}

/* No limit is the list of the group above: with processes in it a group cannot be without one (-ENOSPC). */
static void add_cpuset(struct meaning *to, const struct limits *limits)
{
    char path[CONTAINER_PATH_SIZE + 64], above[LIMIT_VALUE_SIZE];
    const struct hierarchy *hierarchy = add(to, "cpuset", "cpuset.cpus", "cpuset.cpus", 0, 0);
    if (!hierarchy)
        return;
    snprintf(path, sizeof(path), "%s/%s", hierarchy->folder,
             hierarchy->unified ? CPUSET_ABOVE_V2 : CPUSET_ABOVE_V1);
    if (!limits->cpuset && read_line(AT_FDCWD, path, above, sizeof(above)) < 0) {
        to->count--; /* then it stays as it is, and reading back tells */
        return;
    }
    struct limit_setting *setting = &to->settings[to->count - 1];
    setting->only_live = !limits->cpuset;
    snprintf(setting->value, sizeof(setting->value), "%s", limits->cpuset ? limits->cpuset : above);
}

static void add_cpus(struct meaning *to, const struct limits *limits)
{
    int64_t quota = limits->cpus ? limits->cpus * (CONTAINER_CPU_PERIOD / 1000) : -1;
    const struct hierarchy *hierarchy = add(to, "cpu", "cpu.cfs_period_us", NULL, CONTAINER_CPU_PERIOD, 0);
    if (!hierarchy)
        return;
    add(to, "cpu", "cpu.cfs_quota_us", "cpu.max", quota, quota);
    if (!hierarchy->unified)
        return;
    char *value = to->settings[to->count - 1].value;
    size_t length = strlen(value);
    snprintf(value + length, sizeof(to->settings->value) - length, " %d", CONTAINER_CPU_PERIOD);
}

static void add_io_v1(struct meaning *to, const struct limits *limits)
{
    const struct {
        const char *file;
        int64_t value;
    } files[] = {{"blkio.throttle.read_bps_device", limits->io_read},
                 {"blkio.throttle.write_bps_device", limits->io_write},
                 {"blkio.throttle.read_iops_device", limits->io_read_ops},
                 {"blkio.throttle.write_iops_device", limits->io_write_ops}};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        add(to, IO_CONTROLLER, files[i].file, NULL, files[i].value, 0);
        struct limit_setting *setting = &to->settings[to->count - 1];
        setting->only_live = !files[i].value;
        snprintf(setting->value, sizeof(setting->value), "%s %" PRId64, to->hierarchies->io_device,
                 files[i].value);
    }
}

static size_t add_part(char *value, size_t length, const char *key, int64_t number)
{
    size_t left = LIMIT_VALUE_SIZE - length;
    int more = number ? snprintf(value + length, left, " %s=%" PRId64, key, number)
                      : snprintf(value + length, left, " %s=max", key);
    return length + (size_t)more;
}

static void add_io_v2(struct meaning *to, const struct limits *limits)
{
    add(to, IO_CONTROLLER, NULL, "io.max", 0, 0);
    struct limit_setting *setting = &to->settings[to->count - 1];
    setting->only_live = !limits_ask_for_io(limits);
    size_t length =
        (size_t)snprintf(setting->value, sizeof(setting->value), "%s", to->hierarchies->io_device);
    length = add_part(setting->value, length, "rbps", limits->io_read);
    length = add_part(setting->value, length, "wbps", limits->io_write);
    length = add_part(setting->value, length, "riops", limits->io_read_ops);
    add_part(setting->value, length, "wiops", limits->io_write_ops);
}

static void add_io(struct meaning *to, const struct limits *limits)
{
    const struct hierarchy *hierarchy = hierarchy_of(to->hierarchies, IO_CONTROLLER);
    if (!hierarchy || !to->hierarchies->io_device)
        return;
    if (hierarchy->unified)
        add_io_v2(to, limits);
    else
        add_io_v1(to, limits);
}

static void add_io_weight(struct meaning *to, const struct limits *limits)
{
    const int64_t weight = limits->io_weight ? limits->io_weight : USUAL_WEIGHT;
    if (to->hierarchies->io_cost && add(to, IO_CONTROLLER, NULL, "io.weight", 0, weight))
        to->settings[to->count - 1].only_live = !limits->io_weight;
    if (to->hierarchies->io_bfq && add(to, IO_CONTROLLER, "blkio.bfq.weight", "io.bfq.weight",
                                       weight_of_bfq(weight), weight_of_bfq(weight)))
        to->settings[to->count - 1].only_live = !limits->io_weight;
}

int limits_settings(const struct hierarchies *hierarchies, const struct limits *limits,
                    struct limit_setting settings[static LIMIT_SETTINGS], struct error *error)
{
    const struct {
        const char *controller;
        bool asked;
    } needs[] = {{"memory", limits->memory > 0},
                 {"cpu", limits->cpus > 0 || limits->cpu_weight > 0},
                 {"cpuset", limits->cpuset != NULL},
                 {IO_CONTROLLER, limits_ask_for_io(limits) || limits->io_weight > 0}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
        if (needs[i].asked && !hierarchy_of(hierarchies, needs[i].controller))
            return error_set(error, -EOPNOTSUPP, "this host has no control groups for %s",
                             needs[i].controller);
    if (limits_ask_for_io(limits) && !hierarchies->io_device)
        return error_set(error, -EOPNOTSUPP,
                         "the store's file system lies on no device whose io could be limited");
    if (limits->io_weight && !hierarchies->io_bfq && !hierarchies->io_cost)
        return error_set(error, -EOPNOTSUPP, NO_IO_WEIGHTS);
    struct meaning meaning = {.hierarchies = hierarchies, .settings = settings};
    add_memory(&meaning, limits);
    add_cpus(&meaning, limits);
    add(&meaning, "pids", "pids.max", "pids.max", limits->pids ? limits->pids : -1,
        limits->pids ? limits->pids : -1);
    add_weight(&meaning, limits);
    add_cpuset(&meaning, limits);
    add_io(&meaning, limits);
    add_io_weight(&meaning, limits);
    return meaning.count;
}

/* ---- the effect ---- */

static int read_back(const struct hierarchies *hierarchies, const struct observed_container *container,
                     const struct container_limits *request, struct arena *arena, struct error *error);
static void put_back_lines(struct config *config, const struct container_limits *request, const char *key);
static const char *file_of_line(const char *line);

int container_set_limits(const struct paths *paths, const struct container_limits *limits,
                         const struct call *call, struct container_defined *result, struct error *error)
{
    struct observed_container present;
    struct hierarchies hierarchies;
    int failed = container_look(paths, limits->lxc_name, call->arena, &present, error);
    if (failed < 0)
        return failed;
    if (!present.ours)
        return error_set(error, present.defined ? -EPERM : -ENOENT, "container %s is %s", limits->lxc_name,
                         present.defined ? "not fpsync's" : "not defined");
    failed = hierarchies_read(call->arena, &hierarchies, error);
    if (failed < 0)
        return failed;
    hierarchies_find_device(&hierarchies, paths, call->arena);
    hierarchies_find_weights(&hierarchies);
    /* The kernel's word first: what it refuses must not stand in the config either. */
    if (present.init_pid)
        failed = write_live(&hierarchies, (pid_t)present.init_pid, limits, error);
    if (failed == 0 && present.init_pid)
        failed = read_back(&hierarchies, &present, limits, call->arena, error);
    if (failed < 0)
        return error_wrap(error, failed, "container %s", limits->lxc_name);
    static const char *const files[] = {"memory.limit_in_bytes",
                                        "memory.memsw.limit_in_bytes",
                                        "memory.max",
                                        "memory.swap.max",
                                        "cpu.cfs_period_us",
                                        "cpu.cfs_quota_us",
                                        "cpu.max",
                                        "cpu.shares",
                                        "cpu.weight",
                                        "cpuset.cpus",
                                        "pids.max",
                                        "blkio.throttle.read_bps_device",
                                        "blkio.throttle.write_bps_device",
                                        "blkio.throttle.read_iops_device",
                                        "blkio.throttle.write_iops_device",
                                        "io.max",
                                        "blkio.bfq.weight",
                                        "io.weight",
                                        "io.bfq.weight"};
    _cleanup_config_ struct config config;
    failed = config_open(&config, paths, limits->lxc_name, true, error);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char key[96];
        snprintf(key, sizeof(key), "lxc.cgroup.%s", files[i]);
        config_clear(&config, key);
        snprintf(key, sizeof(key), "lxc.cgroup2.%s", files[i]);
        config_clear(&config, key);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        put_back_lines(&config, limits, files[i]);
    if (limits->adopted)
        config_set_given_limits(&config, &hierarchies, limits->limits);
    else
        config_set_limits(&config, &hierarchies, limits->limits);
    return config_save(&config, paths, present.uid, present.generation, call->arena, &result->config_digest);
}

/* Version 1 makes room below a limit of memory for a moment only; by this it takes back all that it can. */
static bool give_back(const char *folder)
{
    char path[CONTAINER_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/memory.force_empty", folder);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool asked = fd >= 0 && (write(fd, "0", 1) >= 0 || errno == EBUSY); /* some of it may stay */
    errno = EBUSY;
    return asked;
}

static int write_control(const struct hierarchies *hierarchies, pid_t init,
                         const struct limit_setting *setting, struct error *error)
{
    char folder[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + 64];
    const struct hierarchy *hierarchy = hierarchy_of(hierarchies, setting->controller);
    if (!hierarchy || !payload_path(hierarchy, init, folder))
        return error_set(error, -ESRCH, "its control group for %s cannot be found", setting->controller);
    snprintf(path, sizeof(path), "%s/%s", folder, setting->file);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t length = (ssize_t)strlen(setting->value), written = -1;
    for (int tries = 0; fd >= 0 && written != length && tries < TRIES; tries++) {
        if (tries && (errno != EBUSY || !give_back(folder)))
            break;
        written = write(fd, setting->value, (size_t)length);
    }
    if (written != length)
        return error_errno(error, -errno, "%s cannot become %s", setting->file, setting->value);
    return 0;
}

/* Version 1 keeps memory <= memory and swap at every moment: when the sum grows it has to grow first. */
static bool sum_goes_first(const struct hierarchies *hierarchies, pid_t init, const struct limits *limits)
{
    struct limits now = {0};
    limits_read(hierarchies, init, NULL, NULL, &now);
    return now.memory && (!limits->memory || limits->memory > now.memory);
}

/* ---- lines of an adopted container ---- */

/* "memory.max" of "lxc.cgroup2.memory.max = 1M"; another line's is NULL. */
static const char *file_of_line(const char *line)
{
    static const char *const versions[] = {"lxc.cgroup.", "lxc.cgroup2."};
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++)
        if (strncmp(line, versions[i], strlen(versions[i])) == 0)
            return line + strlen(versions[i]);
    return NULL;
}

static bool is_of_file(const char *line, const char *file)
{
    const char *said = file_of_line(line);
    size_t length = strlen(file);
    return said && strncmp(said, file, length) == 0 && said[length] == ' ';
}

static void put_back_lines(struct config *config, const struct container_limits *request, const char *file)
{
    for (size_t i = 0; i < request->lxc.count; i++) {
        const char *line = request->lxc.items[i], *equals = strstr(line, " = ");
        char key[96];
        if (!equals || !is_of_file(line, file))
            continue;
        snprintf(key, sizeof(key), "%.*s", (int)(equals - line), line);
        config_set(config, key, equals + strlen(" = "));
    }
}

/* That of a file of which a line speaks and no limit. */
static bool is_left_to_line(const struct container_limits *request, const struct limit_setting *setting)
{
    bool none = setting->only_live || strncmp(setting->value, "-1", 2) == 0 ||
                strncmp(setting->value, "max", 3) == 0 ||
                (strcmp(setting->file, "cpu.cfs_period_us") == 0 && !request->limits->cpus);
    for (size_t i = 0; none && i < request->lxc.count; i++)
        if (is_of_file(request->lxc.items[i], setting->file))
            return true;
    return false;
}

static int write_live(const struct hierarchies *hierarchies, pid_t init,
                      const struct container_limits *request, struct error *error)
{
    struct limit_setting settings[LIMIT_SETTINGS];
    const struct limits *limits = request->limits;
    int count = limits_settings(hierarchies, limits, settings, error);
    if (count > 1 && !settings[0].unified && strcmp(settings[1].file, "memory.memsw.limit_in_bytes") == 0 &&
        sum_goes_first(hierarchies, init, limits)) {
        struct limit_setting first = settings[0];
        settings[0] = settings[1];
        settings[1] = first;
    }
    int result = count < 0 ? count : 0;
    for (int i = 0; i < count && result == 0; i++)
        if (!is_left_to_line(request, &settings[i]))
            result = write_control(hierarchies, init, &settings[i], error);
    return result;
}

/* The kernel rounds bytes down to pages and may keep less than was asked; a success that changed nothing is the
 * thing to find here. */
static bool is_near(int64_t wanted, int64_t found)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    return wanted - found < page && found - wanted < page;
}

static bool is_in_force(const struct field *row, const struct limits *wanted, const struct limits *found)
{
    const void *asked = field_at(wanted, row), *got = field_at(found, row);
    if (row->type == FIELD_TEXT)
        return text_is_same(*(const char *const *)asked, *(const char *const *)got);
    return is_near(*(const int64_t *)asked, *(const int64_t *)got);
}

static const char *limit_text(struct arena *arena, const struct field *row, const struct limits *limits)
{
    _cleanup_buffer_ struct buffer text = {0};
    field_print(row, limits, &text);
    return text.length ? arena_strdup(arena, text.bytes) : "none";
}

static int read_back(const struct hierarchies *hierarchies, const struct observed_container *container,
                     const struct container_limits *request, struct arena *arena, struct error *error)
{
    const struct limits *wanted = request->limits;
    struct limits *found = described_new(arena, &limits_table);
    /* All of them are looked at, for those that were taken away have to be gone. */
    const struct limits *said = described_whole(&limits_table, described_copy(arena, &limits_table, wanted));
    limits_read(hierarchies, (pid_t)container->init_pid, said, arena, found);
    if (!process_start((pid_t)container->init_pid))
        return error_set(error, -ESRCH, "it ended while its limits were set");
    for (size_t i = 0; i < limits_table.count; i++) {
        const struct field *row = &limits_table.rows[i];
        if (field_is_present(&limits_table, found, row) && !is_in_force(row, wanted, found) &&
            !lxc_lines_limit(&request->lxc, wanted, row))
            return error_set(error, -EIO, "limit of %s: %s was written, %s is in force", row->key,
                             limit_text(arena, row, wanted), limit_text(arena, row, found));
    }
    return 0;
}
