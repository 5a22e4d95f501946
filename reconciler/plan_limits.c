/* SEMANTICS 31: a limit is not lowered below what is used, which version 1 of the control groups refuses half way and
 * version 2 answers by killing. */
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

bool plan_gate_limits(struct planning *planning, const struct object *object, const struct entry *entry)
{
    const struct world *world = planning->request->world;
    const struct observed_container *seen =
        entry && !planning->request->force
            ? world_container(world, paths_lxc_name(planning->request->paths, planning->arena, object->name))
            : NULL;
    if (!container_is_up(seen))
        return true;
    const struct limits *before = ((const struct container *)entry->object.body)->limits;
    const struct observed_use *use = &world_guest(world, seen)->use;
    return fits(planning, object, before, offsetof(struct limits, memory), use->memory) &&
           fits(planning, object, before, offsetof(struct limits, pids), use->pids);
}
