#include "reconciler/image_inherit.h"

#include <string.h>

#include "lib/digest.h"
#include "lib/map.h"
#include "specs/ports.h"

#define NAME_ROOM 22 /* of a name of at most 31, beside '-' and eight digits */

struct inheriting {
    struct arena *arena;
    const struct object *object;
    const struct container *said; /* as the spec has it */
    const char *image;
    const struct image_config *config;
    struct inheritance *out;
    struct place *places; /* of the copy's rows */
};

static void note(struct inheriting *to, const char *field, const char *value, const char *keyword,
                 const char *words)
{
    struct inherited *item = arena_append(to->arena, to->out->items, to->out->count);
    *item = (struct inherited){
        .field = field,
        .value = value,
        .from = arena_printf(to->arena, "image %s: %s%s%s", to->image, keyword, *words ? " " : "", words)};
}

/* Marks the field as said, by the image. */
static void say(struct inheriting *to, const char *key, const char *keyword, const char *words)
{
    const struct field *row = field_by_key(&container_table, key);
    _cleanup_buffer_ struct buffer value = {0};
    field_mark_present(&container_table, to->out->body, row);
    field_print(row, to->out->body, &value);
    note(to, key, arena_strdup(to->arena, value.bytes ? value.bytes : ""), keyword, words);
    to->places[row - container_table.rows] = (struct place){.file = to->out->items[to->out->count - 1].from};
}

static bool is_said(const struct inheriting *to, const char *key)
{
    return field_is_present(&container_table, to->said, field_by_key(&container_table, key));
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct pair *)left)->key, ((const struct pair *)right)->key);
}

static bool has_variable(const struct pairs *env, const char *key)
{
    for (size_t i = 0; i < env->count; i++)
        if (strcmp(env->items[i].key, key) == 0)
            return true;
    return false;
}

static void inherit_env(struct inheriting *to)
{
    const struct pairs *own = &to->said->env, *its = &to->config->env;
    struct pairs all = {.items = arena_array_of(to->arena, struct pair, own->count + its->count + 1)};
    for (size_t i = 0; i < own->count; i++)
        all.items[all.count++] = own->items[i];
    for (size_t i = 0; i < its->count; i++) {
        struct pair pair = its->items[i];
        if (has_variable(own, pair.key))
            continue;
        note(to, arena_printf(to->arena, "env.%s", pair.key),
             variable_is_hidden(pair.key) ? "(sensitive)" : pair.value, "ENV", pair.key);
        pair.place = (struct place){.file = to->out->items[to->out->count - 1].from};
        all.items[all.count++] = pair;
    }
    if (all.count == own->count)
        return;
    qsort(all.items, all.count, sizeof(*all.items), by_key);
    to->out->body->env = all;
    field_mark(&container_table, to->out->body, offsetof(struct container, env));
}

static void inherit_command(struct inheriting *to)
{
    struct container *body = to->out->body;
    const struct texts *first = &to->config->entrypoint, *rest = &to->config->command;
    if (!body->init && !is_said(to, "command") && first->count + rest->count) {
        body->command =
            (struct texts){.items = arena_list_of(to->arena, const char *, first->count + rest->count)};
        for (size_t i = 0; i < first->count; i++)
            body->command.items[body->command.count++] = first->items[i];
        for (size_t i = 0; i < rest->count; i++)
            body->command.items[body->command.count++] = rest->items[i];
        say(to, "command", !first->count ? "CMD" : !rest->count ? "ENTRYPOINT" : "ENTRYPOINT and CMD", "");
    }
    if (!body->command.count)
        return;
    if (!is_said(to, "user") && to->config->user) {
        body->user = to->config->user;
        say(to, "user", "USER", body->user);
    }
    if (!is_said(to, "directory") && to->config->directory) {
        body->directory = to->config->directory;
        say(to, "directory", "WORKDIR", body->directory);
    }
}

static void inherit_stop_signal(struct inheriting *to)
{
    if (is_said(to, "stop_signal") || !to->config->stop_signal)
        return;
    to->out->body->stop_signal = to->config->stop_signal;
    say(to, "stop_signal", "STOPSIGNAL", to->config->stop_signal);
}

/* Of what it says itself they stay; all else is the image's. */
static struct place *health_places(struct inheriting *to, const struct health *own)
{
    struct place *places = arena_array_of(to->arena, struct place, health_table.count);
    for (size_t i = 0; i < health_table.count; i++)
        places[i] = own->described.places && field_is_present(&health_table, own, &health_table.rows[i])
                        ? own->described.places[i]
                        : (struct place){.file = to->out->items[to->out->count - 1].from};
    return places;
}

static void take_period(struct health *health, const char *key, int64_t said)
{
    const struct field *row = field_by_key(&health_table, key);
    if (field_is_present(&health_table, health, row) || said <= 0)
        return;
    *(int64_t *)field_at(health, row) = said < row->minimum   ? row->minimum
                                        : said > row->maximum ? row->maximum
                                                              : said;
    field_mark_present(&health_table, health, row);
}

/* "CMD" and words, or "CMD-SHELL" and one text for the image's shell. */
static struct texts test_of(struct inheriting *to)
{
    static const char *standard[] = {"/bin/sh", "-c"};
    const struct texts *test = &to->config->health->test, none = {0};
    const bool shell = test->count && strcmp(test->items[0], "CMD-SHELL") == 0;
    const struct texts *first = !shell                    ? &none
                                : to->config->shell.count ? &to->config->shell
                                                          : &(struct texts){.items = standard, .count = 2};
    struct texts all = {.items = arena_list_of(to->arena, const char *, first->count + test->count)};
    for (size_t i = 0; i < first->count; i++)
        all.items[all.count++] = first->items[i];
    for (size_t i = 1; i < test->count; i++)
        all.items[all.count++] = test->items[i];
    return all;
}

/* How, and of how often and how long what the container itself does not say. */
static void inherit_health(struct inheriting *to)
{
    const struct image_health *its = to->config->health;
    const struct health *own = to->said->health;
    const bool probed = health_is_probed(own);
    if (own->none || (!probed && (its->none || its->test.count < 2)))
        return;
    struct health *health = described_copy(to->arena, &health_table, own);
    if (!probed) {
        health->command = test_of(to);
        field_mark(&health_table, health, offsetof(struct health, command));
    }
    take_period(health, "interval", its->interval);
    take_period(health, "timeout", its->timeout);
    take_period(health, "start_period", its->start_period);
    take_period(health, "retries", its->retries);
    to->out->body->health = health;
    if (health->described.present == own->described.present)
        return;
    say(to, "health", "HEALTHCHECK", "");
    health->described.places = health_places(to, own);
}

/* On the host's own network they are the host's already. */
static void inherit_ports(struct inheriting *to)
{
    const struct list *ports = &to->config->ports;
    _cleanup_buffer_ struct buffer words = {0};
    if (is_said(to, "ports") || to->said->host_network || !ports->count)
        return;
    struct list all = {.items = arena_list_of(to->arena, void *, ports->count)};
    for (size_t i = 0; i < ports->count; i++) {
        struct port *port = described_copy(to->arena, &port_table, ports->items[i]);
        const char *text = image_port_text(to->arena, port);
        buffer_printf(&words, "%s%s", i ? " " : "", text);
        port->described.place =
            (struct place){.file = arena_printf(to->arena, "image %s: PORT %s", to->image, text)};
        all.items[all.count++] = port;
    }
    to->out->body->ports = all;
    to->out->ports = true;
    say(to, "ports", "PORT", words.bytes);
}

/* What a recipe wants of a database has no field yet: it is told of. */
static void tell_databases(struct inheriting *to)
{
    for (size_t i = 0; i < to->config->databases.count; i++) {
        const char *database = ((const struct image_database *)to->config->databases.items[i])->key;
        note(to, "database", arena_printf(to->arena, "%s (not started yet)", database), "DBASE", database);
    }
}

/* ---- volumes ---- */

static bool is_at_or_below(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

static bool meets(const char *left, const char *right)
{
    return left && right && (is_at_or_below(left, right) || is_at_or_below(right, left));
}

/* Whether something is mounted at the path, above it or below it: by the container, or by the image before. */
static bool is_taken(const struct inheriting *to, const char *path)
{
    const struct container *body = to->out->body;
    bool taken = false;
    for (size_t i = 0; i < body->volumes.count; i++)
        taken = taken || meets(path, ((const struct mount *)body->volumes.items[i])->path);
    for (size_t i = 0; i < body->binds.count; i++)
        taken = taken || meets(path, ((const struct bind *)body->binds.items[i])->path);
    for (size_t i = 0; i < body->devices.count; i++)
        taken = taken || meets(path, device_place(body->devices.items[i]));
    return taken;
}

const char *image_volume_name(struct arena *arena, const char *container, const char *path)
{
    const char *bare = name_bare(container);
    size_t length = strlen(bare) > NAME_ROOM ? NAME_ROOM : strlen(bare);
    while (bare[length - 1] == '-')
        length--;
    const char *both = arena_join(arena, container, ':', path);
    return arena_printf(arena, "%s/%.*s-%08x", name_project(arena, container), (int)length, bare,
                        (unsigned)digest_short(both));
}

static void add_volume(struct inheriting *to, const char *name)
{
    struct object *volume = arena_new_of(to->arena, struct object);
    char id[OBJECT_ID_SIZE];
    *volume = (struct object){.kind = KIND_VOLUME,
                              .name = name,
                              .id = arena_strdup(to->arena, object_id(KIND_VOLUME, name, id)),
                              .implicit = true,
                              .place = to->object->place,
                              .source = to->object->source,
                              .body = described_new(to->arena, &volume_table)};
    ((struct described *)volume->body)->place = to->object->place;
    *arena_append(to->arena, to->out->volumes, to->out->volume_count) = volume;
}

static void inherit_volumes(struct inheriting *to)
{
    struct list *volumes = &to->out->body->volumes;
    struct list all = {.items = arena_list_of(to->arena, void *, volumes->count)};
    for (; all.count < volumes->count; all.count++)
        all.items[all.count] = volumes->items[all.count];
    for (size_t i = 0; i < to->config->volumes.count; i++) {
        const struct image_volume *volume = to->config->volumes.items[i];
        if (is_taken(to, volume->path))
            continue;
        struct mount *mount = described_new(to->arena, &mount_table);
        mount->path = volume->path;
        mount->volume =
            volume->name ? arena_join(to->arena, name_project(to->arena, to->object->name), '/', volume->name)
                         : image_volume_name(to->arena, to->object->name, volume->path);
        field_mark(&mount_table, mount, offsetof(struct mount, path));
        field_mark(&mount_table, mount, offsetof(struct mount, volume));
        note(to, arena_printf(to->arena, "volumes.%s", volume->path), mount->volume, "VOLUME",
             volume->name ? arena_join(to->arena, volume->name, ':', volume->path) : volume->path);
        mount->described.place = (struct place){.file = to->out->items[to->out->count - 1].from};
        *arena_append(to->arena, all.items, all.count) = mount;
        add_volume(to, mount->volume);
        *volumes = all;
        field_mark(&container_table, to->out->body, offsetof(struct container, volumes));
    }
}

void image_inherit(struct arena *arena, const struct object *container, const char *image,
                   const struct image_config *config, struct inheritance *out)
{
    *out = (struct inheritance){.body = arena_copy(arena, container->body, sizeof(struct container))};
    struct inheriting to = {.arena = arena,
                            .object = container,
                            .said = container->body,
                            .image = image,
                            .config = config,
                            .out = out,
                            .places = arena_array_of(arena, struct place, container_table.count)};
    if (to.said->described.places)
        memcpy(to.places, to.said->described.places, container_table.count * sizeof(*to.places));
    out->body->described.places = to.places;
    inherit_command(&to);
    inherit_env(&to);
    inherit_ports(&to);
    inherit_volumes(&to);
    inherit_stop_signal(&to);
    inherit_health(&to);
    tell_databases(&to);
}

/* ---- the other way round ---- */

static bool is_same_field(const char *key, const struct container *left, const struct container *right)
{
    const struct field *row = field_by_key(&container_table, key);
    _cleanup_buffer_ struct buffer a = {0}, b = {0};
    field_print(row, left, &a);
    field_print(row, right, &b);
    return field_is_present(&container_table, right, row) && text_is_same(a.bytes, b.bytes);
}

static void unsay(struct arena *arena, struct container *body, const char *key)
{
    const struct field *row = field_by_key(&container_table, key);
    const struct container nothing = {.health = described_new(arena, &health_table)};
    memcpy(field_at(body, row), field_at(&nothing, row),
           row->type == FIELD_TEXTS   ? sizeof(struct texts)
           : row->type == FIELD_LIST  ? sizeof(struct list)
           : row->type == FIELD_PAIRS ? sizeof(struct pairs)
                                      : sizeof(const char *));
    body->described.present &= ~((uint64_t)1 << (row - container_table.rows));
}

static void drop_variables(struct arena *arena, struct container *body, const struct pairs *its)
{
    struct pairs kept = {.items = arena_array_of(arena, struct pair, body->env.count + 1)};
    for (size_t i = 0; i < body->env.count; i++) {
        const struct pair *pair = &body->env.items[i];
        bool same = false;
        for (size_t j = 0; j < its->count; j++)
            same = same || (strcmp(its->items[j].key, pair->key) == 0 &&
                            strcmp(its->items[j].value, pair->value) == 0);
        if (!same)
            kept.items[kept.count++] = *pair;
    }
    body->env = kept;
}

static void drop_volumes(struct arena *arena, struct container *body, const struct list *its)
{
    struct list kept = {.items = arena_list_of(arena, void *, body->volumes.count)};
    for (size_t i = 0; i < body->volumes.count; i++) {
        const struct mount *mount = body->volumes.items[i], *same = list_find(its, &mount_table, mount->path);
        if (!same || strcmp(same->volume, mount->volume) != 0)
            kept.items[kept.count++] = body->volumes.items[i];
    }
    body->volumes = kept;
}

struct container *image_disinherit(struct arena *arena, const struct object *container,
                                   const struct image_config *config)
{
    static const char *const whole[] = {"command", "user", "directory", "stop_signal", "ports", "health"};
    struct container *body = arena_copy(arena, container->body, sizeof(struct container));
    struct object silent = *container; /* what it would have of the image, said it nothing */
    struct container *nothing = described_new(arena, &container_table);
    struct inheritance all;
    nothing->init = body->init;
    silent.body = nothing;
    image_inherit(arena, &silent, "", config, &all);
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
        if (is_same_field(whole[i], body, all.body))
            unsay(arena, body, whole[i]);
    const bool has_env = body->env.count,
               has_volumes = body->volumes.count; /* an empty list may be what it says */
    drop_variables(arena, body, &all.body->env);
    drop_volumes(arena, body, &all.body->volumes);
    if (has_env && !body->env.count)
        unsay(arena, body, "env");
    if (has_volumes && !body->volumes.count)
        unsay(arena, body, "volumes");
    return body;
}
