#include "reconciler/archive_parts.h"

#include <string.h>

#include "lib/map.h"

static struct archive_part *new_part(const struct session *session, struct archive *archive, const char *name)
{
    struct archive_part *part = described_new(session->arena, &archive_part_table);
    part->name = name;
    *arena_append(session->arena, archive->parts.items, archive->parts.count) =
        described_whole(&archive_part_table, part);
    return part;
}

static void add_name(struct arena *arena, struct texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return;
    *arena_append(arena, names->items, names->count) = name;
}

static void add_guest(const struct session *session, const struct observed_container *seen,
                      struct list *guests)
{
    if (seen->frozen)
        return; /* it stands, and is not ours to thaw */
    struct data_guest *guest = described_new(session->arena, &data_guest_table);
    guest->lxc_name = seen->lxc_name;
    guest->init_pid = seen->init_pid;
    guest->init_start = seen->init_start;
    *arena_append(session->arena, guests->items, guests->count) = described_whole(&data_guest_table, guest);
}

static void take_over(struct arena *arena, struct archive *archive, struct archive_part *into,
                      const struct archive_part *from)
{
    size_t kept = 0;
    for (size_t i = 0; i < from->layers.count; i++)
        add_name(arena, &into->layers, from->layers.items[i]);
    for (size_t i = 0; i < from->volumes.count; i++)
        add_name(arena, &into->volumes, from->volumes.items[i]);
    for (size_t i = 0; i < from->guests.count; i++)
        *arena_append(arena, into->guests.items, into->guests.count) = from->guests.items[i];
    for (size_t i = 0; i < archive->parts.count; i++)
        if (archive->parts.items[i] != from)
            archive->parts.items[kept++] = archive->parts.items[i];
    archive->parts.count = kept;
}

/* The part that somebody else made of the volume; NULL. */
static struct archive_part *part_with(const struct archive *archive, const char *volume,
                                      const struct archive_part *except)
{
    for (size_t i = 0; i < archive->parts.count; i++) {
        struct archive_part *part = archive->parts.items[i];
        for (size_t j = 0; part != except && j < part->volumes.count; j++)
            if (strcmp(part->volumes.items[j], volume) == 0)
                return part;
    }
    return NULL;
}

static void add_container(const struct session *session, const struct entry *entry,
                          const struct observed_container *seen, struct archive *archive)
{
    const struct container *body = entry->object.body;
    struct arena *arena = session->arena;
    struct archive_part *part = new_part(session, archive, seen->lxc_name);
    if (!container_is_adopted(body))
        add_name(arena, &part->layers, paths_file_name(arena, body->layer ? body->layer : entry->name));
    for (size_t i = 0; i < body->volumes.count; i++) {
        const char *volume = ((const struct mount *)body->volumes.items[i])->volume;
        add_name(arena, &part->volumes, paths_file_name(arena, volume));
    }
    for (size_t i = 0; i < part->volumes.count; i++) {
        const struct archive_part *other = part_with(archive, part->volumes.items[i], part);
        if (other)
            take_over(arena, archive, part, other);
    }
    add_guest(session, seen, &part->guests);
}

/* Whose data nobody knows stands still while all is read that is nobody's. */
void archive_parts(const struct session *session, struct archive *archive)
{
    _cleanup_map_ struct map entries = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_CONTAINER)
            map_add(&entries, object_lxc_name(&session->paths, session->arena, &entry->object), entry);
    }
    for (size_t i = 0; i < session->world.containers.count; i++) {
        const struct observed_container *seen = &session->world.containers.items[i];
        const struct entry *entry = map_get(&entries, seen->lxc_name);
        if (!seen->ours || !container_is_up(seen))
            continue;
        if (entry)
            add_container(session, entry, seen, archive);
        else
            add_guest(session, seen, &archive->guests);
    }
}
