/* The rows of `image`, and the one step that most of its verbs have a worker make. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/cli/image.h"
#include "reconciler/pool.h"

static const struct observed_image *find_seen(const struct session *session, const char *digest)
{
    const struct observed_storage *storage = &session->world.storage;
    for (size_t i = 0; digest && i < storage->image_count; i++)
        if (strcmp(storage->images[i].digest, digest) == 0)
            return &storage->images[i];
    return NULL;
}

static bool has_name(const struct image_rows *rows, const char *digest)
{
    for (size_t i = 0; i < rows->count; i++)
        if (text_is_same(rows->items[i].digest, digest))
            return true;
    return false;
}

struct image_rows image_rows(const struct session *session)
{
    struct image_rows rows = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_IMAGE)
            *arena_append(session->arena, rows.items, rows.count) =
                (struct image_row){.entry = entry,
                                   .digest = entry->facts->digest,
                                   .seen = find_seen(session, entry->facts->digest)};
    }
    for (size_t i = 0; i < session->world.storage.image_count; i++) {
        const struct observed_image *seen = &session->world.storage.images[i];
        if (!has_name(&rows, seen->digest))
            *arena_append(session->arena, rows.items, rows.count) =
                (struct image_row){.seen = seen, .digest = seen->digest};
    }
    return rows;
}

/* A delta by the name that it has. */
static const char *user_by_digest(const struct session *session, const char *digest)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_IMAGE && text_is_same(entry->facts->digest, digest))
            return entry->object.id;
    }
    return arena_printf(session->arena, "image/%.12s", digest);
}

bool image_names_base(const char *made_of, const struct entry *image, bool by_digest, struct arena *arena)
{
    const char *digest =
        by_digest && image->facts->digest ? arena_printf(arena, "%.12s ", image->facts->digest) : NULL;
    for (const char *at = made_of; at && (at = strstr(at, " base "));) {
        at += strlen(" base ");
        const char *text = arena_strndup(arena, at, strcspn(at, "\n"));
        const char *name = strrchr(text, ' ');
        if ((digest && strncmp(text, digest, strlen(digest)) == 0) ||
            (name && (strcmp(name + 1, image->name) == 0 || strcmp(name + 1, name_bare(image->name)) == 0)))
            return true;
    }
    return false;
}

/* `digest`: of a delta, which has no name of its own or several; NULL: `user` is what uses it. */
static bool goes_by(const struct session *session, const struct entry *user, const char *digest,
                    const struct entry *image)
{
    if (!digest)
        return plan_uses(&user->object, KIND_IMAGE, image->name);
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_IMAGE && text_is_same(entry->facts->digest, digest) &&
            image_names_base(entry->facts->made_of, image, false, session->arena))
            return true;
    }
    return false;
}

/* Whether what stands on the bytes of the row is a user of the row: who goes by one of their names uses that one. */
static bool counts(const struct session *session, const struct image_row *row, enum image_use use,
                   const struct entry *user, const char *digest)
{
    if (use == IMAGE_USE_BYTES || !row->entry || goes_by(session, user, digest, row->entry))
        return true;
    for (size_t i = 0; i < session->actual.count && use == IMAGE_USE_ROW; i++) {
        const struct entry *other = &session->actual.items[i];
        if (other != row->entry && other->kind == KIND_IMAGE &&
            text_is_same(other->facts->digest, row->digest) && goes_by(session, user, digest, other))
            return false;
    }
    return use == IMAGE_USE_ROW;
}

struct texts image_users(const struct session *session, const struct image_row *row, enum image_use use)
{
    struct texts users = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        const bool stands = entry->kind != KIND_IMAGE && row->digest &&
                            text_is_same(entry->facts->digest, row->digest) &&
                            counts(session, row, use, entry, NULL);
        const bool names = row->entry && entry != row->entry && !entry_is_retained(entry) &&
                           plan_uses(&entry->object, KIND_IMAGE, row->entry->name);
        /* A container says it for the layer of its own name. */
        const bool said = entry->kind == KIND_LAYER && entry->object.implicit && !entry_is_retained(entry);
        if ((stands || names) && !said)
            *arena_append(session->arena, users.items, users.count) = entry->object.id;
    }
    for (size_t i = 0; row->digest && i < session->world.storage.image_count; i++) {
        const struct observed_image *seen = &session->world.storage.images[i];
        const char *user =
            text_is_same(seen->lower, row->digest) && counts(session, row, use, NULL, seen->digest)
                ? user_by_digest(session, seen->digest)
                : NULL;
        if (user && !texts_have(&users, user))
            *arena_append(session->arena, users.items, users.count) = user;
    }
    return users;
}

int image_find(struct session *session, const char *argument, struct image_row *row, struct error *error)
{
    const struct image_rows rows = image_rows(session);
    const char *name =
        strncmp(argument, "image/", strlen("image/")) == 0 ? argument + strlen("image/") : argument;
    const char *digest = strncmp(name, "sha256:", strlen("sha256:")) == 0 ? name + strlen("sha256:") : name;
    struct entry *entry = NULL;
    if (strlen(digest) >= 12 && strspn(digest, "0123456789abcdef") == strlen(digest))
        for (size_t i = 0; i < rows.count; i++)
            if (rows.items[i].digest && strncmp(rows.items[i].digest, digest, strlen(digest)) == 0) {
                *row = rows.items[i];
                return 0;
            }
    int result = session_find_object(session, arena_printf(session->arena, "image/%s", name), &entry, error);
    for (size_t i = 0; result >= 0 && i < rows.count; i++)
        if (rows.items[i].entry == entry)
            *row = rows.items[i];
    return result;
}

int image_forget(struct session *session, const char *name, struct error *error)
{
    const struct entry *entry = actual_find(&session->actual, KIND_IMAGE, name);
    const struct snapshot *snapshot = &session->snapshot;
    int result = state_begin(session->state, error);
    for (size_t i = 0; i < snapshot->intent_count && entry && result >= 0; i++)
        if (intent_is_of(snapshot->intents[i], entry)) /* of a run that was killed */
            result = state_delete_intent(session->state, snapshot->intents[i]->sequence, error);
    if (result >= 0)
        result = state_delete_record(session->state, kind_name(KIND_IMAGE), name, error);
    return result < 0 ? result : state_commit(session->state, error);
}

int image_step(struct session *session, enum step_kind kind, void *request, void **done, struct error *error)
{
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    const bool tells = session->options->output != OUTPUT_DATA && !session->options->quiet;
    struct steps steps = {0};
    struct pool_reply reply = {0};
    steps_add(session->arena, &steps, kind, described_whole(step_type(kind)->request, request));
    int result = pool_submit(pool, request, &steps, 0, error);
    do {
        result = result < 0 ? result : pool_wait(pool, -1, &reply, error);
        if (result > 0 && !reply.done && tells)
            fprintf(stderr, "        %s\n", reply.progress);
    } while (result > 0 && !reply.done);
    if (result >= 0 && reply.code < 0)
        result = error_set(error, reply.code, "%s", reply.message);
    if (result >= 0 && done)
        *done = reply.result_count ? reply.results[0] : NULL;
    return result;
}
