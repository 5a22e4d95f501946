/* What is written down at the end: what each source holds now, and its history. */
#include <string.h>

#include "reconciler/keyed.h"
#include "reconciler/outcome_internal.h"
#include "reconciler/plan_internal.h"

static size_t count_declared(const struct plan *plan, const char *source)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->all.count; i++) {
        const struct object *object = plan->all.items[i];
        count += !object->implicit && object->kind != KIND_IMAGE && object->source &&
                 strcmp(object->source, source) == 0;
    }
    return count;
}

/* What waits for an image is not on record yet, and its network is to stay for it whatever other sources do. */
static void note_networks(const struct recorder *recorder, const struct spec_source *given,
                          struct source *source)
{
    const struct object_set *all = &recorder->execution->plan->all, *desired = recorder->execution->desired;
    if (given->prunes)
        source->networks = (struct texts){0};
    for (size_t i = 0; i < all->count; i++) {
        const struct object *network = all->items[i];
        for (size_t j = 0; j < desired->count && network->kind == KIND_NETWORK && network->implicit; j++)
            if (text_is_same(desired->items[j]->source, given->name) &&
                plan_uses(desired->items[j], KIND_NETWORK, network->name) &&
                !texts_have(&source->networks, network->name))
                *arena_append(recorder->arena, source->networks.items, source->networks.count) =
                    network->name;
    }
}

static struct source *recorded_source(const struct recorder *recorder, const char *name)
{
    const struct snapshot *snapshot = recorder->execution->actual->snapshot;
    for (size_t i = 0; i < snapshot->source_count; i++)
        if (strcmp(snapshot->sources[i]->name, name) == 0)
            return snapshot->sources[i];
    return NULL;
}

static int print_set(struct recorder *recorder, const struct object_set *set, struct buffer *text,
                     struct error *error)
{
    struct object_set sealed = {.items = arena_array_of(recorder->arena, struct object *, set->count)};
    for (; sealed.count < set->count; sealed.count++) {
        struct object *copy = arena_copy(recorder->arena, set->items[sealed.count], sizeof(*copy));
        int result = record_seal(recorder->execution->state, recorder->arena, copy, &copy->body, error);
        if (result < 0)
            return result;
        sealed.items[sealed.count] = copy;
    }
    specs_print(&sealed, text);
    return 0;
}

static int put_generation(struct recorder *recorder, const struct source *source,
                          const struct execution_result *done, struct error *error)
{
    const struct plan *plan = recorder->execution->plan;
    struct generation *generation = described_new(recorder->arena, &generation_table);
    generation->source = source->name;
    generation->number = source->generation;
    generation->applied = source->applied;
    generation->digest = source->digest;
    for (size_t i = 0; i < plan->count; i++)
        *arena_append(recorder->arena, generation->actions.items, generation->actions.count) =
            arena_printf(recorder->arena, "%s: %s", action_text(recorder->arena, plan->actions[i]),
                         outcome_name(done->items[i].outcome));
    _cleanup_buffer_ struct buffer text = {0};
    int result = print_set(recorder, &plan->all, &text, error);
    if (result < 0)
        return result;
    generation->set =
        (struct bytes){.data = arena_copy(recorder->arena, text.bytes, text.length), .size = text.length};
    return state_put_generation(recorder->execution->state, described_whole(&generation_table, generation),
                                error);
}

int recorder_end(struct recorder *recorder, const struct execution_result *done, struct error *error)
{
    const struct execution *execution = recorder->execution;
    int result = 0;
    for (size_t i = 0; i < execution->source_count && execution->plan->count && result >= 0; i++) {
        const struct spec_source *given = &execution->sources[i];
        struct source *source = recorded_source(recorder, given->name);
        result = recorder_key(recorder, error);
        if (result < 0)
            break;
        if (!source)
            source = described_new(recorder->arena, &source_table);
        source->name = given->name;
        source->path = given->argument;
        source->down = execution->down;
        source->generation++;
        source->digest = execution->digest && *execution->digest
                             ? keyed_digest(recorder->arena, &recorder->key, execution->digest)
                             : execution->digest;
        source->applied = record_now();
        source->objects = (int64_t)count_declared(execution->plan, given->name);
        note_networks(recorder, given, source);
        result = recorder_writing(recorder, error);
        if (result >= 0)
            result = state_put_source(execution->state, described_whole(&source_table, source), error);
        if (result >= 0)
            result = put_generation(recorder, source, done, error);
    }
    if (result >= 0)
        result = recorder_flush(recorder, error);
    return result < 0 || !execution->plan->count ? result : state_trim_secrets(execution->state, error);
}
