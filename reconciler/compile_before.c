#include "reconciler/compile_before.h"

#include "lib/map.h"

/* Whether the layer may be put on the other image is asked of a stopped one, too. */
static void add_layer_check(const struct compiling *compiling, const struct action *action,
                            struct steps *steps)
{
    const struct follow *follow = &action->follow;
    if (!follow_moves(follow) || !follow->checked || follow->to ||
        text_is_same(follow->from, compiling->digest))
        return;
    struct arena *arena = compiling->target->arena;
    struct layer_check *check = described_new(arena, &layer_check_table);
    check->file = target_layer_file(compiling->target, action->object);
    check->from = follow->from;
    check->to = compiling->digest;
    steps_add(arena, steps, STEP_LAYER_CHECK, described_whole(&layer_check_table, check));
}

bool compile_before_stop(const struct compiling *compiling, const struct action *action, bool runs,
                         struct steps *steps)
{
    const struct target *target = compiling->target;
    add_layer_check(compiling, action, steps);
    if (!runs)
        return false;
    if (!container_is_adopted(action->object->body))
        steps_add(target->arena, steps, STEP_ROOT_CHECK,
                  target_root(target, action->object, compiling->digest));
    if (!action->config_changed)
        return false;
    steps_add(target->arena, steps, STEP_CONTAINER_DEFINE,
              target_definition(target, action->object, action->uid, action->generation));
    return true;
}
