/* Lines of control groups, as limits that a spec can say. What is said of one limit becomes its field together, or stays
 * lines together: of several lines the last counts, and one that no spec can say may be it.
 *
 * Only the lines of the version that this host has the controller in are in force. Those of the other version go where
 * they say the same, and stay where they do not. */
#include <stdio.h>
#include <string.h>

#include "drivers/container/view_found.h"
#include "lib/map.h"
#include "lib/units.h"
#include "specs/forms.h"

enum group { MEMORY, SWAP, PIDS, CPUSET, CPUS, CPU_WEIGHT, IO, IO_WEIGHT, GROUPS };

struct reading {
    struct arena *arena;
    const struct hierarchies *hierarchies;
    struct limits *limits;
    int64_t quota, period; /* of processor time, version 1 */
    int64_t both;          /* memory and swap, version 1; 0: not said, or no limit */
    bool swap_said, cost_said, bfq_said;
    bool said[GROUPS], bad[GROUPS];
};

struct source {
    const char *file, *controller;
    enum group group;
    bool (*take)(struct reading *, const struct source *, const char *value);
    size_t offset; /* in struct limits, where one field is all */
};

/* Whether a spec can say it; 0 is no limit. */
static bool is_sayable(size_t offset, int64_t value)
{
    for (size_t i = 0; i < limits_table.count; i++) {
        const struct field *row = &limits_table.rows[i];
        int64_t most = row->minimum || row->maximum ? row->maximum : INT64_MAX;
        if (row->offset == offset)
            return !value || (value >= row->minimum && value <= most);
    }
    return false;
}

static bool put(struct reading *reading, size_t offset, int64_t value)
{
    if (!is_sayable(offset, value))
        return false;
    *(int64_t *)((char *)reading->limits + offset) = value;
    return true;
}

/* What the kernel calls no limit is 0. */
static bool amount(const char *value, int64_t *bytes)
{
    *bytes = 0;
    if (strcmp(value, "max") == 0 || strcmp(value, "-1") == 0)
        return true;
    return size_parse(value, bytes) == 0 && *bytes >= 0;
}

static bool take_amount(struct reading *reading, const struct source *source, const char *value)
{
    int64_t number;
    return amount(value, &number) && put(reading, source->offset, number);
}

static bool take_swap(struct reading *reading, const struct source *source, const char *value)
{
    reading->swap_said = strcmp(value, "max") != 0;
    return take_amount(reading, source, value);
}

static bool take_both(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    return amount(value, &reading->both);
}

static bool take_cpuset(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    const struct form_context context = {.arena = reading->arena, .project = "default", .folder = "/"};
    reading->limits->cpuset = form_canonical(&context, FORM_CPUSET, value);
    return reading->limits->cpuset != NULL;
}

static bool take_period(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    return number_parse(value, &reading->period) == 0;
}

static bool take_quota(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    return number_parse(value, &reading->quota) == 0;
}

static bool take_cpu_max(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    long long quota = 0, period = CONTAINER_CPU_PERIOD;
    if (strncmp(value, "max", strlen("max")) != 0 && sscanf(value, "%lld %lld", &quota, &period) < 1)
        return false;
    reading->quota = quota;
    reading->period = period;
    return true;
}

/* Only what comes out the same again: shares are rounded down from a weight. */
static bool take_weight(struct reading *reading, const struct source *source, const char *value)
{
    int64_t number, weight;
    bool shares = strcmp(source->file, "cpu.shares") == 0;
    if (number_parse(value, &number) < 0 || number < 1 || number > INT32_MAX)
        return false;
    weight = shares ? (number * USUAL_WEIGHT + USUAL_SHARES - 1) / USUAL_SHARES : number;
    return (!shares || weight * USUAL_SHARES / USUAL_WEIGHT == number) &&
           put(reading, source->offset, weight);
}

/* "MAJOR:MINOR "; what follows it, or NULL where it is another disk than that of the field. */
static const char *after_device(const struct reading *reading, const char *value)
{
    const char *device = reading->hierarchies->io_device;
    size_t length = device ? strlen(device) : 0;
    if (!length || strncmp(value, device, length) != 0 || !strchr(" \t", value[length]) || !value[length])
        return NULL;
    return value + length + strspn(value + length, " \t");
}

static bool take_throttle(struct reading *reading, const struct source *source, const char *value)
{
    int64_t number;
    value = after_device(reading, value);
    return value && number_parse(value, &number) == 0 && put(reading, source->offset, number);
}

static bool take_io_part(struct reading *reading, const char *part)
{
    static const struct {
        const char *key;
        size_t offset;
    } parts[] = {{"rbps=", offsetof(struct limits, io_read)},
                 {"wbps=", offsetof(struct limits, io_write)},
                 {"riops=", offsetof(struct limits, io_read_ops)},
                 {"wiops=", offsetof(struct limits, io_write_ops)}};
    int64_t number = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        size_t length = strlen(parts[i].key);
        if (strncmp(part, parts[i].key, length) == 0)
            return (strcmp(part + length, "max") == 0 || number_parse(part + length, &number) == 0) &&
                   put(reading, parts[i].offset, number);
    }
    return false;
}

static bool take_io_max(struct reading *reading, const struct source *source, const char *value)
{
    (void)source;
    value = after_device(reading, value);
    char *rest = value ? arena_strdup(reading->arena, value) : NULL;
    for (char *part = strsep(&rest, " \t"); part; part = strsep(&rest, " \t"))
        if (*part && !take_io_part(reading, part))
            return false;
    return value != NULL;
}

static bool is_first_weight_or_same(struct reading *reading, int64_t weight)
{
    bool other = reading->limits->io_weight && reading->limits->io_weight != weight;
    return !other && put(reading, offsetof(struct limits, io_weight), weight);
}

static bool take_io_cost(struct reading *reading, const struct source *source, const char *value)
{
    static const char word[] = "default ";
    int64_t weight;
    (void)source;
    reading->cost_said = true;
    value += strncmp(value, word, strlen(word)) == 0 ? strlen(word) : 0;
    return number_parse(value, &weight) == 0 && weight > 0 && is_first_weight_or_same(reading, weight);
}

static bool take_io_bfq(struct reading *reading, const struct source *source, const char *value)
{
    int64_t weight;
    (void)source;
    reading->bfq_said = true;
    return number_parse(value, &weight) == 0 && weight > 0 && weight <= 1000 &&
           is_first_weight_or_same(reading, weight_from_bfq(weight));
}

#define FIELD(name) offsetof(struct limits, name)
static const struct source sources[] = {
    {"memory.max", "memory", MEMORY, take_amount, FIELD(memory)},
    {"memory.limit_in_bytes", "memory", MEMORY, take_amount, FIELD(memory)},
    {"memory.swap.max", "memory", SWAP, take_swap, FIELD(swap)},
    {"memory.memsw.limit_in_bytes", "memory", SWAP, take_both, 0},
    {"pids.max", "pids", PIDS, take_amount, FIELD(pids)},
    {"cpuset.cpus", "cpuset", CPUSET, take_cpuset, 0},
    {"cpu.cfs_period_us", "cpu", CPUS, take_period, 0},
    {"cpu.cfs_quota_us", "cpu", CPUS, take_quota, 0},
    {"cpu.max", "cpu", CPUS, take_cpu_max, 0},
    {"cpu.shares", "cpu", CPU_WEIGHT, take_weight, FIELD(cpu_weight)},
    {"cpu.weight", "cpu", CPU_WEIGHT, take_weight, FIELD(cpu_weight)},
    {"blkio.throttle.read_bps_device", IO_CONTROLLER, IO, take_throttle, FIELD(io_read)},
    {"blkio.throttle.write_bps_device", IO_CONTROLLER, IO, take_throttle, FIELD(io_write)},
    {"blkio.throttle.read_iops_device", IO_CONTROLLER, IO, take_throttle, FIELD(io_read_ops)},
    {"blkio.throttle.write_iops_device", IO_CONTROLLER, IO, take_throttle, FIELD(io_write_ops)},
    {"io.max", IO_CONTROLLER, IO, take_io_max, 0},
    {"io.weight", IO_CONTROLLER, IO_WEIGHT, take_io_cost, 0},
    {"io.bfq.weight", IO_CONTROLLER, IO_WEIGHT, take_io_bfq, 0},
    {"blkio.bfq.weight", IO_CONTROLLER, IO_WEIGHT, take_io_bfq, 0},
};

static const struct source *source_of(const char *key, bool *unified)
{
    static const char v1[] = "lxc.cgroup.", v2[] = "lxc.cgroup2.";
    *unified = strncmp(key, v2, strlen(v2)) == 0;
    if (!*unified && strncmp(key, v1, strlen(v1)) != 0)
        return NULL;
    key += *unified ? strlen(v2) : strlen(v1);
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
        if (strcmp(sources[i].file, key) == 0)
            return &sources[i];
    return NULL;
}

static void drop_said(struct found_limits *said, const char *key)
{
    size_t kept = 0, length = strlen(key);
    for (size_t i = 0; i < said->count; i++) {
        const char *other = said->items[i].key;
        if (strncmp(other, key, length) != 0 || (other[length] && other[length] != '.'))
            said->items[kept++] = said->items[i];
    }
    said->count = kept;
}

bool found_limits_take(struct found_limits *said, const char *key, const char *value, struct arena *arena)
{
    bool unified;
    if (!*value && strncmp(key, "lxc.cgroup", strlen("lxc.cgroup")) == 0)
        drop_said(said, key);
    if (!*value || !source_of(key, &unified))
        return false;
    *arena_append(arena, said->items, said->count) = (struct found_limit){.key = key, .value = value};
    return true;
}

/* ---- what they say together ---- */

static void read_lines(struct reading *reading, const struct found_limits *said, bool in_force)
{
    for (size_t i = 0; i < said->count; i++) {
        bool unified;
        const struct source *source = source_of(said->items[i].key, &unified);
        const struct hierarchy *hierarchy = hierarchy_of(reading->hierarchies, source->controller);
        if ((hierarchy && hierarchy->unified == unified) != in_force)
            continue;
        reading->said[source->group] = true;
        if (!source->take(reading, source, said->items[i].value))
            reading->bad[source->group] = true;
    }
}

static void end_cpus(struct reading *reading)
{
    int64_t period = reading->period ? reading->period : CONTAINER_CPU_PERIOD;
    if (reading->quota <= 0)
        return;
    int64_t cpus = reading->quota <= INT64_MAX / 1000 && period > 0 ? reading->quota * 1000 / period : 0;
    if (cpus <= 0 || !put(reading, FIELD(cpus), cpus))
        reading->bad[CPUS] = true;
}

/* What is not said is no limit here, where the defaults of a container of ours are some. What lines say that no field can
 * is left to these: the field is to say nothing beside them. */
static void end_swap(struct reading *reading)
{
    struct limits *limits = reading->limits;
    const struct hierarchy *memory = hierarchy_of(reading->hierarchies, "memory");
    if (reading->bad[MEMORY])
        limits->memory = 0;
    if (reading->both && (!limits->memory || reading->both < limits->memory))
        reading->bad[SWAP] = true;
    if (reading->bad[SWAP] || (!reading->both && !reading->swap_said))
        limits->swap = memory && (memory->unified || limits->memory) ? INT64_MAX : 0;
    else if (reading->both)
        limits->swap = reading->both - limits->memory;
}

/* The field says it to every scheduler that weighs. */
static void end_io(struct reading *reading)
{
    struct limits *limits = reading->limits;
    if (reading->bad[IO])
        limits->io_read = limits->io_write = limits->io_read_ops = limits->io_write_ops = 0;
    if (reading->said[IO_WEIGHT] && (reading->cost_said != reading->hierarchies->io_cost ||
                                     reading->bfq_said != reading->hierarchies->io_bfq))
        reading->bad[IO_WEIGHT] = true;
    if (reading->bad[IO_WEIGHT])
        limits->io_weight = 0;
}

static void end_reading(struct reading *reading)
{
    struct limits *limits = reading->limits;
    end_cpus(reading);
    end_swap(reading);
    end_io(reading);
    if (reading->bad[PIDS])
        limits->pids = 0;
    if (reading->bad[CPUSET])
        limits->cpuset = NULL;
    if (reading->bad[CPU_WEIGHT])
        limits->cpu_weight = 0;
}

/* What the other version says of a group, in the words of the one that counts. */
static bool is_same(const struct reading *force, const struct reading *other, enum group group)
{
    const struct limits *a = force->limits, *b = other->limits;
    if (force->bad[group] || other->bad[group])
        return false;
    switch (group) {
    case MEMORY:
        return a->memory == b->memory;
    case SWAP:
        return a->swap == b->swap;
    case PIDS:
        return a->pids == b->pids;
    case CPUSET:
        return text_is_same(a->cpuset, b->cpuset);
    case CPUS:
        return a->cpus == b->cpus;
    case CPU_WEIGHT:
        return a->cpu_weight == b->cpu_weight;
    case IO:
        return a->io_read == b->io_read && a->io_write == b->io_write && a->io_read_ops == b->io_read_ops &&
               a->io_write_ops == b->io_write_ops;
    case IO_WEIGHT:
        return a->io_weight == b->io_weight;
    case GROUPS:
        break;
    }
    return false;
}

static struct reading reading_of(const struct hierarchies *hierarchies, struct arena *arena)
{
    struct limits *limits = described_new(arena, &limits_table);
    limits->pids = 0; /* which only fpsync's own have a default of */
    return (struct reading){.arena = arena, .hierarchies = hierarchies, .limits = limits};
}

void found_limits_end(const struct found_limits *said, const struct hierarchies *hierarchies,
                      struct container_definition *definition, struct arena *arena)
{
    struct reading force = reading_of(hierarchies, arena), other = reading_of(hierarchies, arena);
    read_lines(&force, said, true);
    read_lines(&other, said, false);
    other.cost_said = hierarchies->io_cost; /* of which the other version has none */
    other.bfq_said = hierarchies->io_bfq;
    end_reading(&force);
    end_reading(&other);
    definition->limits = force.limits;
    for (size_t i = 0; i < said->count; i++) {
        const struct found_limit *line = &said->items[i];
        bool unified;
        const struct source *source = source_of(line->key, &unified);
        const struct hierarchy *hierarchy = hierarchy_of(hierarchies, source->controller);
        bool in_force = hierarchy && hierarchy->unified == unified;
        if (in_force ? force.bad[source->group] : !is_same(&force, &other, source->group))
            *arena_append(arena, definition->lxc.items, definition->lxc.count) =
                arena_printf(arena, "%s = %s", line->key, line->value);
    }
}
