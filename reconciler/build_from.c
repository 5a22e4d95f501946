#include "reconciler/build_from.h"

#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "specs/alias.h"
#include "specs/forms.h"

bool build_from_forgets(const struct build_from_request *request, const struct entry *entry)
{
    for (size_t i = 0; i < request->source_count; i++)
        if (request->sources[i].prunes && text_is_same(request->sources[i].name, entry->record->source))
            return true;
    return false;
}

static bool find_image(const struct build_from_request *request, struct arena *arena,
                       struct build_from_choice *choice)
{
    const char *reference = request->reference;
    const char *name = name_is_valid(reference)        ? arena_join(arena, request->project, '/', reference)
                       : full_name_is_valid(reference) ? reference
                                                       : NULL;
    const struct object *declared = name ? object_find(request->desired, KIND_IMAGE, name) : NULL;
    const struct entry *recorded =
        name && !declared && request->actual ? actual_find(request->actual, KIND_IMAGE, name) : NULL;
    if (!declared && (!recorded || build_from_forgets(request, recorded)))
        return false;
    choice->kind = declared ? BUILD_FROM_SPEC : BUILD_FROM_STORE;
    choice->image = declared ? declared : &recorded->object;
    choice->why = arena_printf(arena, "image %s of the %s", name, declared ? "spec" : "store");
    return true;
}

static bool find_alias(const struct build_from_request *request, struct arena *arena,
                       struct build_from_choice *choice)
{
    const struct pair *alias =
        request->policy ? alias_find(&request->policy->aliases, request->reference, arena) : NULL;
    if (!alias)
        return false;
    choice->kind = BUILD_FROM_ALIAS;
    choice->source = alias->value;
    choice->why = arena_printf(arena, "alias %s of fpsync.conf", alias->key);
    return true;
}

static const char *as_source(struct arena *arena, const char *text)
{
    const struct form_context context = {.arena = arena, .project = "default"};
    return form_canonical(&context, FORM_IMAGE_SOURCE, text);
}

/* "debian:12" looks like a remote with an alias, and is one where there is such a remote. */
static bool find_source(const struct build_from_request *request, struct arena *arena,
                        struct build_from_choice *choice)
{
    const char *source = as_source(arena, request->reference);
    const char *remote = source ? remote_of_source(source, arena) : NULL;
    if (!source || (remote && !remote_find(request->policy, remote, arena)))
        return false;
    choice->kind = BUILD_FROM_SOURCE;
    choice->source = source;
    choice->why = remote ? arena_printf(arena, "remote %s", remote) : "the source that it names";
    return true;
}

/* Where sources may name one. */
static bool find_registry(const struct build_from_request *request, struct arena *arena,
                          struct build_from_choice *choice)
{
    choice->kind = BUILD_FROM_REGISTRY;
    choice->source = as_source(arena, arena_printf(arena, "oci:%s", request->reference));
    choice->why = "a registry, as nothing on this host has the name";
    return choice->source != NULL;
}

int build_from(const struct build_from_request *request, struct arena *arena,
               struct build_from_choice *choice, struct error *error)
{
    const char *reference = request->reference;
    struct build_from_choice found = {0};
    if (strncmp(reference, "file:", 5) == 0)
        return error_set(
            error, -EPERM,
            "a recipe names no file of the host: declare an image with the source %s, and name that",
            reference);
    if (!*reference || text_printable(reference, strlen(reference)) != strlen(reference) ||
        (!find_image(request, arena, &found) && !find_alias(request, arena, &found) &&
         !find_source(request, arena, &found) && !find_registry(request, arena, &found)))
        return error_set(error, -ENOENT,
                         "there is no image %s: declare it below images:, or say what it is by aliases: in "
                         "fpsync.conf",
                         reference);
    *choice = found;
    return 0;
}
