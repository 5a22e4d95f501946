/* Single objects of the record, for commands that are given names: which one is meant, and what hinders its start. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"
#include "reconciler/members.h"
#include "reconciler/permission.h"
#include "reconciler/session.h"

/* "NAME" is that of project `default`, else the only one called so. */
static int find_named(struct session *session, enum kind kind, const char *name, struct entry **entry,
                      struct error *error)
{
    _cleanup_map_ struct map names = {0};
    struct entry *found = NULL;
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *item = &session->actual.items[i];
        if (item->kind != kind)
            continue;
        map_add(&names, item->name, item);
        map_add(&names, name_bare(item->name), item);
        bool exact = strcmp(item->name, name) == 0;
        bool bare = !strchr(name, '/') && strcmp(name_bare(item->name), name) == 0;
        bool standard = bare && strncmp(item->name, "default/", 8) == 0;
        if (bare && !standard && found && strncmp(found->name, "default/", 8) != 0)
            return error_set(error, -EINVAL, "%s %s: both %s and %s are called so; write PROJECT/NAME",
                             kind_name(kind), name, found->name, item->name);
        if (exact || standard || (bare && !found))
            found = item;
    }
    const struct members members = found || kind != KIND_CONTAINER
                                       ? (struct members){0}
                                       : members_of(&session->actual, name, session->arena);
    if (members.count)
        return error_set(error, -EINVAL, "%s is a set; name one of its members: %s", name,
                         members_print(&members, session->arena));
    if (!found) {
        const char *near = map_nearest(&names, name);
        return error_set(error, -ENOENT, "no %s %s is recorded%s%s%s", kind_name(kind), name,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    *entry = found;
    return 0;
}

int session_find_container(struct session *session, const char *argument, struct entry **entry,
                           struct error *error)
{
    const char *name = strncmp(argument, "container/", 10) == 0 ? argument + 10 : argument;
    return find_named(session, KIND_CONTAINER, name, entry, error);
}

int session_find_object(struct session *session, const char *argument, struct entry **entry,
                        struct error *error)
{
    const char *slash = strchr(argument, '/');
    enum kind kind;
    if (!slash || kind_parse(arena_strndup(session->arena, argument, (size_t)(slash - argument)), &kind) < 0)
        return error_set(error, -EINVAL, "expected KIND/NAME, found \"%s\"", argument);
    return find_named(session, kind, slash + 1, entry, error);
}

int session_check_start(const struct session *session, const struct entry *container, struct error *error)
{
    struct refusal refusal;
    const char *lost = object_lost_value(&container->object, session->arena);
    if (lost)
        return error_set(error, -ENODATA,
                         "container %s: the value of %s is not kept any more; fpsync apply with the file "
                         "that declares it brings it back",
                         container->name, lost);
    if (session->policy &&
        permission_is_refused(session->policy, &session->paths, &container->object, session->arena, &refusal))
        return error_set(error, -EPERM, "container %s: %s; %s", container->name, refusal.reason,
                         refusal.hint);
    return 0;
}

int session_check_layer(const struct session *session, const struct entry *container, struct error *error)
{
    const struct target target = {.paths = &session->paths, .arena = session->arena};
    const bool there = world_has_layer(&session->world, target_layer_file(&target, &container->object));
    const char *layer = layer_lost(&session->actual, &container->object, container, there);
    return layer ? error_set(error, -ENOENT,
                             "container %s: the data of its layer %s is gone from the store; fpsync restore "
                             "--from FILE brings back a backup, fpsync reset %s begins anew",
                             container->name, layer, container->name)
                 : 0;
}

int session_check_volumes(const struct session *session, const struct entry *container, struct error *error)
{
    const struct list *volumes = &((const struct container *)container->object.body)->volumes;
    for (size_t i = 0; i < volumes->count; i++) {
        const char *volume = ((const struct mount *)volumes->items[i])->volume;
        if (!world_has_volume(&session->world, paths_file_name(session->arena, volume)))
            return error_set(
                error, -ENOENT,
                "container %s: volume %s is not in the store, and would begin empty; fpsync plan "
                "with the file that declares it says what becomes of it",
                container->name, volume);
    }
    return 0;
}

const char *session_left(struct session *session, const struct entry *entry)
{
    const char *store = entry->kind == KIND_VOLUME ? session->paths.volumes : session->paths.layers;
    int64_t bytes =
        storage_view.measure(store, paths_file_name(session->arena, entry->was ? entry->was : entry->name));
    int64_t days = ((int64_t)time(NULL) - entry->record->since) / 86400;
    return arena_printf(session->arena, "retained for %" PRId64 " day%s, %s", days, days == 1 ? "" : "s",
                        session_size(session, bytes));
}

const char *session_size(struct session *session, int64_t bytes)
{
    char size[UNITS_TEXT_SIZE];
    const int unit = bytes >> 20 ? 20 : bytes >> 10 ? 10 : 0; /* exact ones have no unit */
    size_print(bytes >> unit << unit, size);
    return arena_printf(session->arena, "%s%s", size, bytes < 1024 ? " bytes" : "");
}
