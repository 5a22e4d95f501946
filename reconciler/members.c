#include "reconciler/members.h"

#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"

static const char *set_of(const struct entry *entry)
{
    return entry->kind == KIND_CONTAINER && !entry_is_retained(entry)
               ? ((const struct container *)entry->object.body)->set
               : NULL;
}

/* The full name of the set; NULL when there is none, or when it is in doubt which is meant. */
static const char *find_set(const struct actual *actual, const char *name)
{
    const char *found = NULL;
    bool in_doubt = false;
    for (size_t i = 0; i < actual->count; i++) {
        const char *set = set_of(&actual->items[i]);
        if (!set || text_is_same(set, found))
            continue;
        if (strcmp(set, name) == 0)
            return set;
        if (strchr(name, '/') || strcmp(name_bare(set), name) != 0)
            continue;
        if (strncmp(set, "default/", strlen("default/")) == 0)
            return set;
        in_doubt = found;
        found = set;
    }
    return in_doubt ? NULL : found;
}

/* web-2 before web-10 */
static int by_number(const void *left, const void *right)
{
    const char *a = (*(struct entry *const *)left)->name, *b = (*(struct entry *const *)right)->name;
    const size_t length = strlen(a), other = strlen(b);
    return length != other ? (length > other) - (length < other) : strcmp(a, b);
}

struct members members_of(const struct actual *actual, const char *name, struct arena *arena)
{
    struct members members = {0};
    const char *set = find_set(actual, name);
    for (size_t i = 0; set && i < actual->count; i++)
        if (text_is_same(set_of(&actual->items[i]), set))
            *arena_append(arena, members.items, members.count) = &actual->items[i];
    if (members.count)
        qsort(members.items, members.count, sizeof(*members.items), by_number);
    return members;
}

const char *members_print(const struct members *members, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < members->count; i++)
        buffer_printf(&text, "%s%s", i ? ", " : "", members->items[i]->name);
    return arena_strdup(arena, text.length ? text.bytes : "");
}

/* A container of that very name comes first; a set's name is no container's where both are declared together. */
int members_find(struct session *session, const char *argument, struct members *members, struct error *error)
{
    struct entry *entry;
    struct error trouble = {0};
    const char *name = strncmp(argument, "container/", 10) == 0 ? argument + 10 : argument;
    if (session_find_container(session, argument, &entry, &trouble) == 0) {
        *members = (struct members){0};
        *arena_append(session->arena, members->items, members->count) = entry;
        return 0;
    }
    *members = members_of(&session->actual, name, session->arena);
    return members->count ? 0 : error_set(error, trouble.code, "%s", trouble.text);
}

int members_find_running(struct session *session, const char *argument, struct entry **entry,
                         struct error *error)
{
    struct members members;
    int result = members_find(session, argument, &members, error);
    if (result < 0)
        return result;
    *entry = members.items[0];
    if (!((const struct container *)members.items[0]->object.body)->set || members.count == 1)
        return 0;
    result = session_look(session, error);
    for (size_t i = 0; i < members.count && result >= 0; i++) {
        *entry = members.items[i];
        if (container_is_up(world_container(
                &session->world, object_lxc_name(&session->paths, session->arena, &(*entry)->object))))
            return 0;
    }
    return result < 0 ? result
                      : error_set(error, -ESRCH, "no member of the set %s runs: %s", argument,
                                  members_print(&members, session->arena));
}
