/* image rm: a name and, where it was the last one, its bytes; never those of an image in use. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/cli/image.h"

static int free_bytes(struct session *session, const char *digest, struct error *error)
{
    struct image_reference *image = described_new(session->arena, &image_reference_table);
    image->digest = digest;
    return image_step(session, STEP_IMAGE_REMOVE, image, NULL, error);
}

/* The name first: bytes without one are what gc frees, should the run end in between. `told`: what became of them. */
static int remove_row(struct session *session, const struct image_row *row, const char **told,
                      struct error *error)
{
    int result = 0;
    *told = "";
    if (row->entry)
        result = image_forget(session, row->entry->name, error);
    for (size_t i = 0; i < session->actual.count && result >= 0; i++) { /* another name of the same bytes */
        const struct entry *entry = &session->actual.items[i];
        if (entry != row->entry && entry->kind == KIND_IMAGE &&
            text_is_same(entry->facts->digest, row->digest)) {
            *told = arena_printf(session->arena, " (what it holds stays, as %s)", entry->object.id);
            return 0;
        }
    }
    if (result >= 0 && row->seen && row->seen->stored)
        *told = arena_printf(session->arena, " (%s freed)", session_size(session, row->seen->stored));
    return result >= 0 && row->seen ? free_bytes(session, row->digest, error) : result;
}

/* And what stands on it without being an object: snapshots, and retained layers that do not know on what they stand. */
static int add_data(const struct session *session, const char *digest, struct texts *users,
                    struct error *error)
{
    struct observed_snapshots seen = {0};
    const struct call call = {.arena = session->arena, .cancel = -1};
    int result = storage_view.dump_snapshots(&session->paths, &call, &seen, error);
    for (size_t i = 0; i < seen.count; i++)
        if (digest && text_is_same(seen.items[i].image, digest))
            *arena_append(session->arena, users->items, users->count) =
                arena_printf(session->arena, "%s/%s@%s", seen.items[i].kind,
                             snapshot_owner(session->arena, seen.items[i].file), seen.items[i].name);
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        if (entry->kind == KIND_LAYER && entry_is_retained(entry) && !entry->facts->digest)
            *arena_append(session->arena, users->items, users->count) = entry->object.id;
    }
    return result;
}

/* Of the record; those that `gone` names go before it. */
static bool is_last_name(const struct session *session, const struct image_row *row,
                         const struct image_row *gone, size_t gone_count)
{
    for (size_t i = 0; i < session->actual.count; i++) {
        const struct entry *entry = &session->actual.items[i];
        bool stays = entry != row->entry && entry->kind == KIND_IMAGE && row->digest &&
                     text_is_same(entry->facts->digest, row->digest);
        for (size_t j = 0; j < gone_count && stays; j++)
            stays = gone[j].entry != entry;
        if (stays)
            return false;
    }
    return true;
}

/* Bytes that keep a name stay, and so whatever stands on them. `gone`: the rows that are removed before. */
static int check_unused(const struct session *session, const struct image_row *row,
                        const struct image_row *gone, size_t gone_count, const char *argument,
                        struct error *error)
{
    const bool last = is_last_name(session, row, gone, gone_count);
    struct texts users = image_users(session, row, last ? IMAGE_USE_BYTES : IMAGE_USE_NAME);
    _cleanup_buffer_ struct buffer text = {0};
    int result = last ? add_data(session, row->digest, &users, error) : 0;
    if (result < 0)
        return result;
    for (size_t i = 0; i < users.count; i++)
        buffer_printf(&text, "%s%s", i ? ", " : "", users.items[i]);
    return users.count ? error_set(error, -EBUSY, "image %s is used by %s", argument, text.bytes) : 0;
}

int image_remove(struct session *session)
{
    const struct options *options = session->options;
    struct error error = {0};
    struct image_row *rows = arena_array_of(session->arena, struct image_row, options->argument_count);
    int result = 0;
    for (size_t i = 1; i < options->argument_count && result >= 0; i++) {
        result = image_find(session, options->arguments[i], &rows[i], &error);
        if (result >= 0)
            result = check_unused(session, &rows[i], rows + 1, i - 1, options->arguments[i], &error);
    }
    if (result < 0)
        return fail(options, &error, result == -EBUSY ? EXIT_REFUSED : EXIT_ERROR);
    result = session_write(session, &error);
    for (size_t i = 1; i < options->argument_count && result >= 0; i++) {
        const char *told, *name = rows[i].entry ? rows[i].entry->name : rows[i].digest;
        result = remove_row(session, &rows[i], &told, &error);
        if (result >= 0 && options->output == OUTPUT_TABLE && !options->quiet)
            printf("image %s: removed%s\n", name, told);
    }
    return result < 0 ? fail(options, &error, EXIT_ERROR) : image_drop_networks(session);
}
