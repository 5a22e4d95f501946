/* Which limits of a running container are not as declared. */
#include <string.h>

#include "lib/map.h"
#include "reconciler/repairs_internal.h"
#include "specs/lxc_control.h"

/* What was not looked at is as wanted: this host's cgroups cannot say. But a rare limit is not looked at either before the
 * record says it, and so is being declared just now. */
static bool limit_stands(const struct field *row, const struct limits *wanted, const struct limits *seen)
{
    if (!field_is_present(&limits_table, seen, row))
        return !(row->flags & FIELD_RARE) || !field_is_present(&limits_table, wanted, row);
    const void *left = field_at(wanted, row), *right = field_at(seen, row);
    return row->type == FIELD_TEXT ? text_is_same(*(const char *const *)left, *(const char *const *)right)
                                   : *(const int64_t *)left == *(const int64_t *)right;
}

/* What an adopted container says of a limit by a line, its field does not say. */
static bool line_says(const struct container *body, const struct field *row)
{
    return container_is_adopted(body) && lxc_lines_limit(&body->lxc, body->limits, row);
}

void repairs_find_limits(const struct repairing *repairing)
{
    struct arena *arena = repairing->target->arena;
    const struct container *body = repairing->object->body;
    const struct observed_container *observed = repairing->observed;
    for (size_t i = 0; i < limits_table.count; i++) {
        const struct field *row = &limits_table.rows[i];
        if (limit_stands(row, body->limits, &observed->limits) || line_says(body, row))
            continue;
        _cleanup_buffer_ struct buffer text = {0};
        if (field_is_present(&limits_table, &observed->limits, row))
            field_print(row, &observed->limits, &text);
        struct container_limits *limits = described_new(arena, &container_limits_table);
        limits->lxc_name = observed->lxc_name;
        limits->limits = body->limits;
        limits->adopted = container_is_adopted(body);
        if (limits->adopted)
            limits->lxc = body->lxc;
        repairs_add(repairing, STEP_CONTAINER_SET_LIMITS, described_whole(&container_limits_table, limits),
                    "limits",
                    arena_printf(arena, "limit %s is %s in the cgroup", row->key,
                                 text.length && strcmp(text.bytes, "0") != 0 ? text.bytes : "none"));
        return; /* one call sets them all */
    }
}
