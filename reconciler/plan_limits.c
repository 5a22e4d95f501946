/* SEMANTICS 31: a limit is not lowered below what is used, which version 1 of the control groups refuses half way and
 * version 2 answers by killing. */
#include <stdlib.h>
#include <string.h>

#include "lib/buffer.h"
#include "reconciler/plan_internal.h"

static bool fits(struct planning *planning, const struct object *object, const struct limits *before,
                 size_t offset, int64_t use, const char *hint)
{
    const struct limits *limits = ((const struct container *)object->body)->limits;
    const struct field *row = limits_table.rows;
    while (row->offset != offset)
        row++;
    int64_t was = *(const int64_t *)field_at(before, row), asked = *(const int64_t *)field_at(limits, row);
    if (!world_is_lowered(was, asked) || use <= asked)
        return true;
    _cleanup_buffer_ struct buffer value = {0}, used = {0};
    struct limits *now = described_new(planning->arena, &limits_table);
    *(int64_t *)field_at(now, row) = use;
    field_mark_present(&limits_table, now, row);
    field_print(row, limits, &value);
    field_print(row, now, &used);
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "limits.%s: %s is less than the %s in use", row->key, value.bytes,
                           used.bytes),
              hint, field_place(&limits_table, limits, row));
    return false;
}

static bool memory_fits(struct planning *planning, const struct object *object, const struct limits *before,
                        const struct observed_use *use)
{
    const struct limits *limits = ((const struct container *)object->body)->limits;
    const bool firm = planning->request->world->host.memory_is_firm, swaps = limits->swap > 0;
    if (planning->request->force && (!firm || swaps))
        return true;
    const char *hint =
        firm && !swaps
            ? arena_printf(
                  planning->arena,
                  "the kernel takes away nothing that is in use, also not by force: free some in it, "
                  "or fpsync stop %s, apply this, fpsync start %s",
                  object->name, object->name)
        : firm ? "--force lowers it all the same, where what is too much finds room in swap"
               : "--force lowers it all the same; the kernel ends processes in it until the rest fits";
    return fits(planning, object, before, offsetof(struct limits, memory), use->memory, hint);
}

/* What ext4 keeps for itself: its journal, and the tables of a file for every 16 KiB. Rather too much than too little. */
static int64_t room_in(int64_t size)
{
    const int64_t least = (int64_t)4 << 20, most = (int64_t)64 << 20;
    int64_t journal = size / 8 < least ? least : size / 8 > most ? most : size / 8;
    return size - journal - size / 64;
}

static const char *size_text(struct planning *planning, int64_t size)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct limits *limits = described_new(planning->arena, &limits_table);
    limits->disk = size;
    field_mark(&limits_table, limits, offsetof(struct limits, disk));
    field_print(field_by_key(&limits_table, "disk"), limits, &text);
    return arena_strdup(planning->arena, text.bytes);
}

/* SEMANTICS 41; and what a layer holds is never cut off, whoever asks for it. */
static bool disk_holds(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct limits *limits = ((const struct container *)object->body)->limits;
    const struct observed_disk *disk = world_disk(planning->request->world, object->name);
    const struct limits *before = entry ? ((const struct container *)entry->object.body)->limits : NULL;
    const char *reason = NULL, *hint = NULL;
    if (!limits->disk || !disk || (before && before->disk == limits->disk))
        return true;
    if (disk->trouble) {
        reason =
            arena_printf(planning->arena, "limits.disk: layers cannot be limited here: %s", disk->trouble);
        hint = "put that right, or leave limits.disk out";
    } else if (disk->measured && disk->used > room_in(limits->disk)) {
        reason = arena_printf(planning->arena, "limits.disk: %s has no room for the %s that its layer holds",
                              size_text(planning, limits->disk), size_text(planning, disk->used));
        hint = "allow more, or remove something first; snapshots count";
    }
    if (reason)
        plan_hold(planning, KIND_CONTAINER, object->name, reason, hint,
                  field_place(&limits_table, limits, field_by_key(&limits_table, "disk")));
    return !reason;
}

static bool io_is_weighed(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct limits *limits = ((const struct container *)object->body)->limits;
    const struct limits *before = entry ? ((const struct container *)entry->object.body)->limits : NULL;
    const char *trouble = planning->request->world->io_weight_trouble;
    if (!limits->io_weight || !trouble || (before && before->io_weight == limits->io_weight))
        return true;
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "limits.io_weight: %s", trouble), "modprobe bfq, or leave it out",
              field_place(&limits_table, limits, field_by_key(&limits_table, "io_weight")));
    return false;
}

static const struct limits *recorded_limits(const struct entry *entry)
{
    return entry && !plan_is_new(entry) ? ((const struct container *)entry->object.body)->limits : NULL;
}

/* Whether each of the processors is one of the list, in which neighbours are joined. */
static bool list_has(const char *list, const char *processors)
{
    for (char *at = (char *)processors; *at; at += *at == ',') {
        const long first = strtol(at, &at, 10), last = *at == '-' ? strtol(at + 1, &at, 10) : first;
        bool found = false;
        for (char *one = (char *)list; *one && !found; one += *one == ',') {
            const long from = strtol(one, &one, 10), to = *one == '-' ? strtol(one + 1, &one, 10) : from;
            found = from <= first && last <= to;
            if (*one && *one != ',')
                return true; /* not a list as we know them */
        }
        if (!found)
            return false;
        if (*at && *at != ',')
            return true;
    }
    return true;
}

/* Of one that is on record the host may have lost some since. */
static bool processors_are_there(struct planning *planning, const struct object *object,
                                 const struct entry *entry)
{
    const struct limits *limits = ((const struct container *)object->body)->limits,
                        *before = recorded_limits(entry);
    const char *there = planning->request->world->host.cpus;
    if (!limits->cpuset || !there || (before && text_is_same(before->cpuset, limits->cpuset)) ||
        list_has(there, limits->cpuset))
        return true;
    plan_hold(planning, KIND_CONTAINER, object->name,
              arena_printf(planning->arena, "limits.cpuset: the host has the processors %s, not all of %s",
                           there, limits->cpuset),
              "name some of those",
              field_place(&limits_table, limits, field_by_key(&limits_table, "cpuset")));
    return false;
}

bool plan_gate_limits(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct world *world = planning->request->world;
    bool fine = disk_holds(planning, object, entry);
    fine = io_is_weighed(planning, object, entry) && fine;
    fine = processors_are_there(planning, object, entry) && fine;
    const struct observed_container *seen =
        entry ? world_container(world, object_lxc_name(planning->request->paths, planning->arena, object))
              : NULL;
    if (!container_is_up(seen))
        return fine;
    const struct limits *before = ((const struct container *)entry->object.body)->limits;
    const struct observed_use *use = &world_guest(world, seen)->use;
    fine = memory_fits(planning, object, before, use) && fine;
    return (planning->request->force || fits(planning, object, before, offsetof(struct limits, pids),
                                             use->pids, "--force lowers it all the same")) &&
           fine;
}

void plan_limits_hint(struct planning *planning, struct action *action, const struct entry *entry)
{
    const struct limits *limits = ((const struct container *)action->object->body)->limits,
                        *before = recorded_limits(entry);
    const struct world *world = planning->request->world;
    const bool swap_is_new = !before || before->swap != limits->swap || before->memory;
    if (limits->swap && limits->swap < INT64_MAX && !limits->memory && swap_is_new &&
        world->host.swap_needs_memory)
        action->hint = "limits.swap bounds nothing here without limits.memory beside it";
    else if (limits->io_weight && (!before || before->io_weight != limits->io_weight) &&
             !world->io_weight_trouble && world->weight_is_idle)
        action->hint = "limits.io_weight counts for nothing with the store's disk before echo bfq > "
                       "/sys/block/DISK/queue/scheduler";
}

void plan_grow_live(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct observed_disk *disk = world_disk(planning->request->world, object->name);
    const int64_t asked = ((const struct container *)object->body)->limits->disk;
    for (size_t i = 0; disk && disk->grows && disk->size && asked >= disk->size && i < causes->count; i++)
        if (strcmp(causes->items[i].field, "limits.disk") == 0)
            causes->items[i].class = CLASS_LIVE;
}
