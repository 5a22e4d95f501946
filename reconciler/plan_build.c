/* Plans images that are made by recipes: whether they are to be made again, and why. */
#include <string.h>

#include "lib/map.h"
#include "reconciler/builders.h"
#include "reconciler/plan_internal.h"
#include "reconciler/unlisted.h"

static const struct build_wish *wish_of(const struct planning *planning, const struct object *image)
{
    return builds_find(planning->request->builds, image->name);
}

/* Who made it with flags is told that they did, and whoever would undo that by another run. */
static void add_flags(struct planning *planning, const struct object *image, const struct build_wish *wish,
                      const struct entry *entry, struct changes *causes)
{
    const char *old = entry ? entry->facts->flagged : NULL;
    const char *without = strcmp(image->source, UNLISTED_BUILD) == 0 ? "none" : "as the spec says";
    if (!text_is_same(old, wish->flagged))
        plan_add_cause(planning, causes, "args", old, wish->flagged ? wish->flagged : without, image->place);
}

/* What is said of it elsewhere than in its recipe. Which network RUN has changes nothing of the image. */
static void find_changes(struct planning *planning, const struct object *image, const struct entry *entry,
                         struct changes *causes)
{
    const struct build_wish *wish = wish_of(planning, image);
    struct changes said = {0};
    if (builds_compare_words(entry))
        fields_diff(&image_table, entry->object.body, image->body, planning->arena, &said);
    for (size_t i = 0; i < said.count; i++)
        if (said.items[i].class >= CLASS_RECREATE)
            *arena_append(planning->arena, causes->items, causes->count) = said.items[i];
    if (planning->request->builds && planning->request->builds->forced)
        plan_add_cause(planning, causes, "asked for", NULL, "--no-cache", image->place);
    if (wish && wish->changes.count)
        add_flags(planning, image, wish, entry, causes);
    for (size_t i = 0; wish && i < wish->changes.count; i++)
        *arena_append(planning->arena, causes->items, causes->count) = wish->changes.items[i];
    if (!world_has_image(planning->request->world, entry->facts->digest))
        plan_add_drift(planning, causes, "its files are gone from the store", image->place);
}

static bool will_make(struct planning *planning, const char *name)
{
    const struct object *image = object_find(planning->request->desired, KIND_IMAGE, name);
    const struct entry *entry = actual_find(planning->request->actual, KIND_IMAGE, name);
    struct changes causes = {0};
    if (!image || image_is_built(image->body))
        return image && plan_will_build(planning, image);
    if (plan_is_new(entry) || world_image_changed(planning->request->world, name))
        return true;
    fields_diff(&image_table, entry->object.body, image->body, planning->arena, &causes);
    return causes.count || !world_has_image(planning->request->world, entry->facts->digest);
}

/* The first of its bases that this run makes; NULL. There are no circles: who reads recipes sees to that. */
static const char *made_base(struct planning *planning, const struct build_wish *wish)
{
    for (size_t i = 0; i < wish->build->base_count; i++)
        if (wish->build->bases[i].image && will_make(planning, wish->build->bases[i].image))
            return wish->build->bases[i].image;
    return NULL;
}

bool plan_will_build(struct planning *planning, const struct object *image)
{
    const struct build_wish *wish = image_is_built(image->body) ? wish_of(planning, image) : NULL;
    const struct entry *entry = actual_find(planning->request->actual, KIND_IMAGE, image->name);
    struct changes causes = {0};
    if (!wish)
        return builds_fetch(planning->request->builds, image->name);
    if (plan_is_new(entry) || made_base(planning, wish))
        return true;
    find_changes(planning, image, entry, &causes);
    return causes.count > 0;
}

static void plan_bases(struct planning *planning, const struct build_wish *wish)
{
    for (size_t i = 0; i < wish->build->base_count; i++) {
        const char *name = wish->build->bases[i].image;
        const struct object *base = name ? object_find(planning->request->desired, KIND_IMAGE, name) : NULL;
        if (base)
            plan_image(planning, base, actual_find(planning->request->actual, KIND_IMAGE, name));
    }
}

static void add_needs(struct planning *planning, const struct build_wish *wish, struct action *action)
{
    const char *network = image_build_network(action->object->body);
    for (size_t i = 0; i < wish->build->base_count; i++)
        plan_need(planning, action, plan_action_of(planning, KIND_IMAGE, wish->build->bases[i].image));
    plan_need(planning, action, plan_action_of(planning, KIND_NETWORK, network));
    action->builder = builder_of(planning->arena, action->object);
    action->shares_rules = network;
}

/* Without its recipe, as in a run that only repairs what is recorded, it stays as it is. */
static void hold_lost(struct planning *planning, const struct object *image, const struct entry *entry)
{
    if (!plan_is_new(entry) && !world_has_image(planning->request->world, entry->facts->digest))
        plan_hold(planning, KIND_IMAGE, image->name, "its files are gone from the store",
                  "fpsync apply with the file that declares it builds it again", image->place);
}

/* What is hardly meant as it is written. */
static void add_warnings(struct planning *planning, const struct problems *warnings, struct action *action)
{
    for (size_t i = 0; i < warnings->count; i++)
        *arena_append(planning->arena, action->warnings, action->warning_count) =
            (struct warning){.text = warnings->items[i].message, .at = warnings->items[i].place};
}

/* Who may build without giving a secret is not yet somebody who has a broken set. */
static void hold_secret(struct planning *planning, const struct object *image, const struct problem *missing)
{
    const bool is_unlisted = text_is_same(image->source, UNLISTED_BUILD); /* its command is the one at work */
    plan_hold(planning, KIND_IMAGE, image->name, missing->message,
              is_unlisted
                  ? missing->hint
                  : arena_printf(planning->arena,
                                 "fpsync build %s %s, or secrets: in its build:", image->name, missing->hint),
              missing->place);
}

/* On a base that is neither in the store nor comes there nothing can be built; on the one that it stood on before, it can. */
static bool hold_baseless(struct planning *planning, const struct object *image,
                          const struct build_wish *wish)
{
    for (size_t i = 0; i < wish->build->base_count; i++) {
        const char *base = wish->build->bases[i].image, *hint;
        const char *lacks = base ? plan_image_lacks(planning, base, &hint) : NULL;
        if (lacks) {
            plan_hold(planning, KIND_IMAGE, image->name,
                      arena_printf(planning->arena, "image %s, which it is made from: %s", base, lacks), hint,
                      wish->build->bases[i].at);
            return true;
        }
        const struct entry *entry = base ? actual_find(planning->request->actual, KIND_IMAGE, base) : NULL;
        if (!base || !plan_is_held(planning, KIND_IMAGE, base) ||
            (entry && world_has_image(planning->request->world, entry->facts->digest)))
            continue;
        plan_hold(planning, KIND_IMAGE, image->name,
                  arena_printf(planning->arena, "image %s, which it is made from, is held", base), NULL,
                  image->place);
        return true;
    }
    return false;
}

/* RUN would have no address, nor a bridge to be attached to. */
static bool hold_unconnected(struct planning *planning, const struct object *image,
                             const struct build_wish *wish)
{
    const char *network = image_build_network(image->body);
    bool connects = false;
    for (size_t i = 0; i < wish->build->count; i++)
        connects |= wish->build->steps[i].has_network;
    if (!network || !connects || !plan_is_held(planning, KIND_NETWORK, network) ||
        plan_action_of(planning, KIND_NETWORK, network))
        return false;
    plan_hold(planning, KIND_IMAGE, image->name,
              arena_printf(planning->arena, "its RUN needs network %s, which is held", network), NULL,
              image->place);
    return true;
}

static void add_new(struct planning *planning, const struct object *image, const struct build_wish *wish,
                    const struct entry *entry, struct changes *causes)
{
    plan_add_cause(planning, causes, plan_why_new(image, entry), NULL, wish->file, image->place);
    if (wish->flagged)
        add_flags(planning, image, wish, NULL, causes);
}

/* What the names of images in its recipe mean: another run, with other images and aliases, may tell otherwise. */
static void add_meanings(struct planning *planning, const struct build_wish *wish, struct changes *causes)
{
    for (size_t i = 0; i < wish->build->base_count; i++) {
        const struct build_base *base = &wish->build->bases[i];
        const struct object *image =
            base->image ? object_find(planning->request->desired, KIND_IMAGE, base->image) : NULL;
        if (base->why)
            plan_add_cause(planning, causes, base->asked, NULL,
                           image && image->implicit
                               ? arena_printf(planning->arena, "image %s (%s)", base->image, base->why)
                               : base->why,
                           base->at);
    }
}

void plan_build(struct planning *planning, const struct object *image, struct entry *entry)
{
    const struct build_wish *wish = wish_of(planning, image);
    const struct build_fetch *fetch = builds_fetch(planning->request->builds, image->name);
    struct changes causes = {0};
    if (fetch) {
        plan_fetch(planning, image, entry, fetch);
        return;
    }
    if (!wish) {
        hold_lost(planning, image, entry);
        return;
    }
    plan_bases(planning, wish);
    if (plan_awaits_base(planning, image, entry, wish->build) || hold_baseless(planning, image, wish))
        return;
    const char *base = made_base(planning, wish);
    if (plan_is_new(entry))
        add_new(planning, image, wish, entry, &causes);
    else
        find_changes(planning, image, entry, &causes);
    if (base && !plan_is_new(entry))
        plan_add_cause(planning, &causes,
                       arena_printf(planning->arena, "dependency: image %s made anew", base), NULL, NULL,
                       image->place);
    const char *denied =
        grants_denied(&planning->plan->grants, KIND_CONTAINER, builder_of(planning->arena, image)->name);
    if (causes.count && denied) {
        plan_hold(planning, KIND_IMAGE, image->name, denied, NULL, image->place);
        return;
    }
    if (causes.count && wish->build->missing.count) {
        hold_secret(planning, image, &wish->build->missing.items[0]);
        return;
    }
    if (!causes.count || hold_unconnected(planning, image, wish))
        return;
    struct action *action = plan_append_action(
        planning, plan_make_action(planning, VERB_BUILD, KIND_IMAGE, image->name, image, entry));
    add_meanings(planning, wish, &causes);
    action->causes = causes;
    action->flagged = wish->flagged;
    add_warnings(planning, &wish->recipe->warnings, action);
    add_warnings(planning, &wish->build->warnings, action);
    add_needs(planning, wish, action);
}
