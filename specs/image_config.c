/* The config of an image: its rows, and how it becomes one of several equal spellings. */
#include "specs/image_config.h"

#include <stdlib.h>
#include <string.h>

#include "specs/rows.h"

static const char *const engines[] = {"mariadb", "postgres", NULL};

static const struct field volume_rows[] = {
    {.id = 1, .key = "path", .type = FIELD_TEXT, AT(image_volume, path)},
    {.id = 2, .key = "name", .type = FIELD_TEXT, AT(image_volume, name)},
};
const struct table image_volume_table = {
    .name = "config.volumes", .size = sizeof(struct image_volume), TABLE_ROWS(volume_rows)};

static const struct field database_rows[] = {
    {.id = 1, .key = "key", .type = FIELD_TEXT, AT(image_database, key), .flags = FIELD_DERIVED},
    {.id = 2, .key = "engine", .type = FIELD_TEXT, AT(image_database, engine), .words = engines},
    {.id = 3, .key = "name", .type = FIELD_TEXT, AT(image_database, name)},
};
const struct table image_database_table = {
    .name = "config.databases", .size = sizeof(struct image_database), TABLE_ROWS(database_rows)};

static const struct field health_rows[] = {
    {.id = 1, .key = "test", .type = FIELD_TEXTS, AT(image_health, test)},
    {.id = 2, .key = "interval", .type = FIELD_NUMBER, .form = FORM_DURATION, AT(image_health, interval)},
    {.id = 3, .key = "timeout", .type = FIELD_NUMBER, .form = FORM_DURATION, AT(image_health, timeout)},
    {.id = 4,
     .key = "start_period",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(image_health, start_period)},
    {.id = 5,
     .key = "start_interval",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(image_health, start_interval)},
    {.id = 6, .key = "retries", .type = FIELD_NUMBER, AT(image_health, retries)},
    {.id = 7, .key = "none", .type = FIELD_BOOL, AT(image_health, none)},
};
const struct table image_health_table = {
    .name = "config.health", .size = sizeof(struct image_health), TABLE_ROWS(health_rows)};

static const struct field config_rows[] = {
    {.id = 1, .key = "env", .type = FIELD_PAIRS, AT(image_config, env)},
    {.id = 2, .key = "entrypoint", .type = FIELD_TEXTS, AT(image_config, entrypoint)},
    {.id = 3, .key = "command", .type = FIELD_TEXTS, AT(image_config, command)},
    {.id = 4, .key = "user", .type = FIELD_TEXT, AT(image_config, user)},
    {.id = 5, .key = "directory", .type = FIELD_TEXT, AT(image_config, directory)},
    {.id = 6, .key = "ports", .type = FIELD_LIST, AT(image_config, ports), .nested = &port_table},
    {.id = 7, .key = "exposed", .type = FIELD_TEXTS, AT(image_config, exposed)},
    {.id = 8, .key = "volumes", .type = FIELD_LIST, AT(image_config, volumes), .nested = &image_volume_table},
    {.id = 9,
     .key = "databases",
     .type = FIELD_LIST,
     AT(image_config, databases),
     .nested = &image_database_table},
    {.id = 10,
     .key = "health",
     .type = FIELD_STRUCT,
     AT(image_config, health),
     .nested = &image_health_table},
    {.id = 11, .key = "stop_signal", .type = FIELD_TEXT, AT(image_config, stop_signal)},
    {.id = 12, .key = "labels", .type = FIELD_PAIRS, AT(image_config, labels)},
    {.id = 13, .key = "shell", .type = FIELD_TEXTS, AT(image_config, shell)},
    {.id = 14, .key = "triggers", .type = FIELD_TEXTS, AT(image_config, triggers)},
};
const struct table image_config_table = {
    .name = "config", .size = sizeof(struct image_config), TABLE_ROWS(config_rows)};

struct image_config *image_config_new(struct arena *arena)
{
    return described_new(arena, &image_config_table);
}

/* ---- one spelling ---- */

/* What is to be sorted: items of any kind by their keys, equal ones in the order in which they came. */
struct sorted {
    const char *key;
    size_t place;
    const void *item;
};

static int by_key(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order ? order : a->place < b->place ? -1 : 1;
}

/* How many are left: of equal keys the last one. */
static size_t sort(struct sorted *all, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(all, count, sizeof(*all), by_key);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || strcmp(all[i].key, all[i + 1].key) != 0)
            all[kept++] = all[i];
    return kept;
}

static void settle_pairs(struct arena *arena, struct pairs *pairs)
{
    struct sorted *all = arena_array_of(arena, struct sorted, pairs->count + 1);
    for (size_t i = 0; i < pairs->count; i++)
        all[i] = (struct sorted){pairs->items[i].key, i, pairs->items[i].value};
    pairs->count = sort(all, pairs->count);
    for (size_t i = 0; i < pairs->count; i++)
        pairs->items[i] = (struct pair){.key = all[i].key, .value = all[i].item};
}

static void settle_list(struct arena *arena, const struct table *nested, struct list *list)
{
    struct sorted *all = arena_array_of(arena, struct sorted, list->count + 1);
    for (size_t i = 0; i < list->count; i++)
        all[i] = (struct sorted){item_key(nested, list->items[i]), i, list->items[i]};
    list->count = sort(all, list->count);
    for (size_t i = 0; i < list->count; i++)
        list->items[i] = (void *)all[i].item;
}

static void settle_texts(struct arena *arena, struct texts *texts)
{
    struct sorted *all = arena_array_of(arena, struct sorted, texts->count + 1);
    for (size_t i = 0; i < texts->count; i++)
        all[i] = (struct sorted){texts->items[i], i, NULL};
    texts->count = sort(all, texts->count);
    for (size_t i = 0; i < texts->count; i++)
        texts->items[i] = all[i].key;
}

static bool has_value(const struct field *row, const void *at);

static void mark(const struct table *table, void *object)
{
    ((struct described *)object)->present = 0;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++)
        if (has_value(row, field_at(object, row)))
            field_mark_present(table, object, row);
}

static bool has_value(const struct field *row, const void *at)
{
    switch (row->type) {
    case FIELD_TEXT:
        return *(const char *const *)at;
    case FIELD_BOOL:
        return *(const bool *)at;
    case FIELD_NUMBER:
        return *(const int64_t *)at;
    case FIELD_TEXTS:
        return ((const struct texts *)at)->count;
    case FIELD_PAIRS:
        return ((const struct pairs *)at)->count;
    case FIELD_LIST:
        return ((const struct list *)at)->count;
    case FIELD_STRUCT:
        mark(row->nested, *(void *const *)at);
        return ((const struct described *)*(void *const *)at)->present;
    case FIELD_BYTES:
        break;
    }
    return false;
}

void image_config_settle(struct arena *arena, struct image_config *config)
{
    settle_pairs(arena, &config->env);
    settle_pairs(arena, &config->labels);
    settle_list(arena, &port_table, &config->ports);
    settle_list(arena, &image_volume_table, &config->volumes);
    settle_list(arena, &image_database_table, &config->databases);
    settle_texts(arena, &config->exposed);
    mark(&image_config_table, config);
}

int image_config_replace_hidden(struct arena *arena, const char **text,
                                int (*replace)(void *context, const char **value, struct error *error),
                                void *context, struct error *error)
{
    struct image_config *config;
    bool hides = false;
    int result = *text ? image_config_parse(arena, *text, &config, error) : 0;
    for (size_t i = 0; result == 0 && *text && i < config->env.count; i++) {
        struct pair *variable = &config->env.items[i];
        if (!variable_is_hidden(variable->key))
            continue;
        hides = true;
        result = replace(context, &variable->value, error);
    }
    if (result == 0 && hides)
        *text = image_config_to_text(arena, config);
    return result;
}
