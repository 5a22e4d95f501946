/* Encoded objects, as they lie in the database and come from workers: the first byte chooses the table. What can be
 * decoded must encode to something that decodes to the same, and its copy must not differ from it. */
#include <string.h>

#include "drivers/container/container.h"
#include "drivers/image/image.h"
#include "drivers/network/network.h"
#include "drivers/storage/storage.h"
#include "drivers/task.h"
#include "lib/error.h"
#include "specs/model.h"
#include "state/state.h"
#include "tests/fuzz/fuzz.h"

static const struct table *const tables[] = {
    &image_table,          &network_table,          &volume_table,        &layer_table,
    &container_table,      &record_table,           &lease_table,         &source_table,
    &intent_table,         &generation_table,       &task_table,          &task_reply_table,
    &rules_table,          &bridge_table,           &port_attach_table,   &resolver_table,
    &image_make_table,     &root_mount_table,       &image_made_table,    &container_definition_table,
    &container_stop_table, &container_limits_table, &volume_attach_table, &container_started_table,
};

static void *decoded(const struct table *table, struct arena *arena, const void *bytes, size_t size)
{
    void *object = NULL;
    struct error error = {0};
    int result = fields_decode(table, bytes, size, arena, &object, &error);
    MUST((result == 0) == (object != NULL));
    return object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const struct table *table = tables[*data % (sizeof(tables) / sizeof(*tables))];
    _cleanup_arena_ struct arena *arena = arena_new();
    void *object = decoded(table, arena, data + 1, size - 1);
    if (!object)
        return 0;
    _cleanup_buffer_ struct buffer once = {0}, twice = {0}, text = {0};
    fields_encode(table, object, &once);
    void *again = decoded(table, arena, once.bytes, once.length);
    MUST(again);
    fields_encode(table, again, &twice);
    MUST(once.length == twice.length);
    MUST(!once.length || memcmp(once.bytes, twice.bytes, once.length) == 0);
    struct changes changes = {0};
    fields_diff(table, object, described_copy(arena, table, object), arena, &changes);
    MUST(!changes.count);
    fields_diff(table, described_new(arena, table), object, arena, &changes);
    fields_print_flow(table, object, &text);
    return 0;
}
