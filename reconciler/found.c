#include "reconciler/found.h"

#include <ctype.h>
#include <string.h>

#include "specs/forms.h"

#define NAME_LENGTH 31

struct telling {
    struct arena *arena;
    const struct object *object;
    struct container *body;
    const struct container_found *found;
    const struct found_context *context;
};

static void say(struct container *body, size_t offset)
{
    field_mark(&container_table, body, offset);
}

/* The text as a spec keeps it, or NULL when it cannot be said so. */
static const char *canonical(const struct telling *telling, enum field_form form, const char *text)
{
    const struct form_context context = {.arena = telling->arena, .project = "default", .folder = "/"};
    return text_printable(text, strlen(text)) == strlen(text) ? form_canonical(&context, form, text) : NULL;
}

static void add_line(const struct telling *telling, const char *line)
{
    const char *text = canonical(telling, FORM_LXC_LINE, line);
    struct texts *lines = &telling->body->lxc;
    if (text)
        *arena_append(telling->arena, lines->items, lines->count) = text;
}

static void tell_lines(const struct telling *telling)
{
    for (size_t i = 0; i < telling->found->definition->lxc.count; i++)
        add_line(telling, telling->found->definition->lxc.items[i]);
    const bool lines = !telling->found->nics_say_all ||
                       !found_networks_tell(telling->context->networks, telling->found->definition,
                                            telling->context->inside, telling->body);
    for (size_t i = 0; lines && i < telling->found->nets.count; i++)
        add_line(telling, telling->found->nets.items[i]);
    say(telling->body, offsetof(struct container, networks));
    telling->body->host_network = telling->found->definition->host_network;
    if (telling->body->host_network)
        say(telling->body, offsetof(struct container, host_network));
}

/* What a form does not know stays a line, and then all of its key: they belong together. */
static void tell_capabilities(const struct telling *telling, const struct texts *found, const char *key,
                              struct texts *into, size_t offset)
{
    struct texts texts = {0};
    for (size_t i = 0; i < found->count; i++) {
        const char *text = canonical(telling, FORM_CAPABILITY, found->items[i]);
        if (!text)
            break;
        *arena_append(telling->arena, texts.items, texts.count) = text;
    }
    if (texts.count == found->count && texts.count) {
        *into = texts;
        field_mark(&capabilities_table, telling->body->capabilities, offset);
        say(telling->body, offsetof(struct container, capabilities));
    }
    for (size_t i = 0; texts.count < found->count && i < found->count; i++)
        add_line(telling, arena_printf(telling->arena, "%s = %s", key, found->items[i]));
}

static void tell_process(const struct telling *telling)
{
    const struct container_definition *definition = telling->found->definition;
    struct container *body = telling->body;
    for (size_t i = 0; i < definition->env.count; i++) {
        const struct pair *pair = &definition->env.items[i];
        if (text_printable(pair->value, strlen(pair->value)) == strlen(pair->value))
            *arena_append(telling->arena, body->env.items, body->env.count) = *pair;
    }
    if (body->env.count)
        say(body, offsetof(struct container, env));
    tell_capabilities(telling, &definition->cap_drop, "lxc.cap.drop", &body->capabilities->drop,
                      offsetof(struct capabilities, drop));
    tell_capabilities(telling, &definition->cap_keep, "lxc.cap.keep", &body->capabilities->keep,
                      offsetof(struct capabilities, keep));
    if (definition->halt_signal)
        body->stop_signal = canonical(telling, FORM_SIGNAL, definition->halt_signal);
    if (body->stop_signal)
        say(body, offsetof(struct container, stop_signal));
    else if (definition->halt_signal)
        add_line(telling, arena_printf(telling->arena, "lxc.signal.halt = %s", definition->halt_signal));
}

/* LXC calls it by the container's name where the config says nothing. */
static void tell_hostname(const struct telling *telling)
{
    const struct container_definition *definition = telling->found->definition;
    const char *name = definition->hostname ? definition->hostname : definition->lxc_name;
    const char *text = canonical(telling, FORM_HOSTNAME, name);
    if (!text) {
        add_line(telling, arena_printf(telling->arena, "lxc.uts.name = %s", name));
        return;
    }
    if (strcmp(text, name_bare(telling->object->name)) == 0)
        return;
    telling->body->hostname = text;
    say(telling->body, offsetof(struct container, hostname));
}

static bool is_word(const char *const *words, const char *text)
{
    for (; *words; words++)
        if (strcmp(*words, text) == 0)
            return true;
    return false;
}

static void tell_machine(const struct telling *telling)
{
    const struct container_definition *definition = telling->found->definition;
    struct container *body = telling->body;
    if (definition->arch && is_word(field_by_key(&container_table, "arch")->words, definition->arch)) {
        body->arch = definition->arch;
        say(body, offsetof(struct container, arch));
    } else if (definition->arch) {
        add_line(telling, arena_printf(telling->arena, "lxc.arch = %s", definition->arch));
    }
    body->apparmor = definition->apparmor;
    if (body->apparmor)
        say(body, offsetof(struct container, apparmor));
    body->includes = definition->includes;
    if (body->includes.count)
        say(body, offsetof(struct container, includes));
}

static void tell_binds(const struct telling *telling)
{
    const struct list *binds = &telling->found->definition->binds;
    struct container *body = telling->body;
    for (size_t i = 0; i < binds->count; i++) {
        const struct container_bind *found = binds->items[i];
        struct bind *bind = described_new(telling->arena, &bind_table);
        bind->path = found->path;
        bind->source = found->source;
        bind->read_only = found->read_only;
        bind->optional = found->optional;
        field_mark(&bind_table, bind, offsetof(struct bind, path));
        field_mark(&bind_table, bind, offsetof(struct bind, source));
        if (bind->read_only)
            field_mark(&bind_table, bind, offsetof(struct bind, read_only));
        if (bind->optional)
            field_mark(&bind_table, bind, offsetof(struct bind, optional));
        *arena_append(telling->arena, body->binds.items, body->binds.count) = bind;
    }
    if (binds->count)
        say(body, offsetof(struct container, binds));
}

static void tell_limits(const struct telling *telling)
{
    struct limits *limits = telling->body->limits;
    const struct limits *found = telling->found->definition->limits;
    const char *cpuset = found->cpuset ? canonical(telling, FORM_CPUSET, found->cpuset) : NULL;
    for (size_t i = 0; i < limits_table.count; i++) {
        const struct field *row = &limits_table.rows[i];
        if (row->type != FIELD_NUMBER ||
            *(const int64_t *)field_at(found, row) == *(int64_t *)field_at(limits, row))
            continue;
        *(int64_t *)field_at(limits, row) = *(const int64_t *)field_at(found, row);
        field_mark_present(&limits_table, limits, row);
    }
    if (cpuset) {
        limits->cpuset = cpuset;
        field_mark(&limits_table, limits, offsetof(struct limits, cpuset));
    }
    say(telling->body, offsetof(struct container, limits));
}

struct object *found_container(const struct paths *paths, struct arena *arena, const char *name,
                               const struct container_found *found, const struct found_context *context)
{
    const struct container_definition *definition = found->definition;
    struct object *object = arena_new_of(arena, struct object);
    struct container *body = described_new(arena, &container_table);
    char id[OBJECT_ID_SIZE];
    *object = (struct object){.kind = KIND_CONTAINER, .name = name, .body = body};
    object->id = arena_strdup(arena, object_id(KIND_CONTAINER, name, id));
    const struct telling telling = {
        .arena = arena, .object = object, .body = body, .found = found, .context = context};
    body->root = canonical(&telling, FORM_ROOT, definition->root);
    say(body, offsetof(struct container, root));
    if (strcmp(paths_lxc_name(paths, arena, name), definition->lxc_name) != 0) {
        body->lxc_name = definition->lxc_name;
        say(body, offsetof(struct container, lxc_name));
    }
    body->frozen = context->frozen;
    if (body->frozen)
        say(body, offsetof(struct container, frozen));
    body->privileged = !found->maps_ids;
    say(body, offsetof(struct container, privileged));
    tell_hostname(&telling);
    tell_process(&telling);
    tell_limits(&telling);
    tell_machine(&telling);
    tell_binds(&telling);
    tell_lines(&telling);
    if (body->lxc.count)
        say(body, offsetof(struct container, lxc));
    return object;
}

char *found_name(const struct paths *paths, struct arena *arena, const char *lxc_name)
{
    const char *tag = *paths->tag ? strstr(lxc_name, arena_printf(arena, ".%s", paths->tag)) : NULL;
    if (tag && strlen(tag) == strlen(paths->tag) + 1)
        lxc_name = arena_strndup(arena, lxc_name, (size_t)(tag - lxc_name));
    _cleanup_buffer_ struct buffer name = {0};
    if (!isalpha((unsigned char)*lxc_name))
        buffer_text(&name, "c");
    for (const char *at = lxc_name; *at && name.length < NAME_LENGTH; at++) {
        char letter = (char)tolower((unsigned char)*at);
        buffer_add(&name, isalnum((unsigned char)letter) ? &letter : "-", 1);
    }
    while (name.length && name.bytes[name.length - 1] == '-')
        name.bytes[--name.length] = '\0';
    return arena_printf(arena, "default/%s", name.bytes);
}
