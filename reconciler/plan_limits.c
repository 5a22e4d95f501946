/* SEMANTICS 31: a limit is not lowered below what is used, which version 1 of the control groups refuses half way and
 * version 2 answers by killing. */
#include <string.h>

#include "lib/buffer.h"
#include "reconciler/plan_internal.h"

static bool fits(struct planning *planning, const struct object *object, const struct limits *before,
                 size_t offset, int64_t use)
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
              "--force lowers it all the same", field_place(&limits_table, limits, row));
    return false;
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

bool plan_gate_limits(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct world *world = planning->request->world;
    bool fine = disk_holds(planning, object, entry);
    fine = io_is_weighed(planning, object, entry) && fine;
    const struct observed_container *seen =
        entry && !planning->request->force
            ? world_container(world, object_lxc_name(planning->request->paths, planning->arena, object))
            : NULL;
    if (!container_is_up(seen))
        return fine;
    const struct limits *before = ((const struct container *)entry->object.body)->limits;
    const struct observed_use *use = &world_guest(world, seen)->use;
    fine = fits(planning, object, before, offsetof(struct limits, memory), use->memory) && fine;
    return fits(planning, object, before, offsetof(struct limits, pids), use->pids) && fine;
}

void plan_grow_live(struct planning *planning, const struct object *object, struct changes *causes)
{
    const struct observed_disk *disk = world_disk(planning->request->world, object->name);
    const int64_t asked = ((const struct container *)object->body)->limits->disk;
    for (size_t i = 0; disk && disk->grows && disk->size && asked >= disk->size && i < causes->count; i++)
        if (strcmp(causes->items[i].field, "limits.disk") == 0)
            causes->items[i].class = CLASS_LIVE;
}
