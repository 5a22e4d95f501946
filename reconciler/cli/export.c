/* export: what is recorded, or what LXC has, as a canonical spec. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/adoption.h"
#include "reconciler/cli/cli.h"
#include "reconciler/found.h"
#include "specs/forms.h"

struct exporting {
    struct session *session;
    struct object_set set;
    struct found_networks networks; /* of what LXC has */
};

static void add(struct exporting *exporting, struct object *object)
{
    if (!object_find(&exporting->set, object->kind, object->name))
        *arena_append(exporting->session->arena, exporting->set.items, exporting->set.count) = object;
}

static void sort(struct exporting *exporting)
{
    object_set_sort(&exporting->set);
}

/* ---- what is recorded ---- */

/* With what it uses, so that the spec can stand alone. */
static void add_with_used(struct exporting *exporting, struct entry *entry)
{
    const struct actual *actual = &exporting->session->actual;
    add(exporting, &entry->object);
    sort(exporting);
    for (size_t i = 0; i < actual->count; i++) {
        struct entry *other = &actual->items[i];
        if (!entry_is_retained(other) && plan_uses(&entry->object, other->kind, other->name) &&
            !object_find(&exporting->set, other->kind, other->name))
            add_with_used(exporting, other);
    }
}

/* By the source that holds it, or the file that declares it within one. */
static bool is_of_file(struct session *session, const struct entry *entry, const char *file)
{
    char folder[PATH_MAX];
    const char *path = path_clean(session->arena, getcwd(folder, sizeof(folder)) ? folder : "/", file);
    const char *name = strcmp(path, session->paths.specs) == 0 ? "host" : path;
    return text_is_same(entry->record->source, name) || text_is_same(entry->record->spec_file, path);
}

static bool is_meant(struct session *session, const struct entry *entry)
{
    const struct options *options = session->options;
    bool found =
        options->source ? text_is_same(options->source, entry->record->source) : !options->file_count;
    for (size_t i = 0; i < options->file_count && !options->source && !found; i++)
        found = is_of_file(session, entry, options->files[i]);
    return found;
}

static void add_all(struct exporting *exporting)
{
    const struct actual *actual = &exporting->session->actual;
    for (size_t i = 0; i < actual->count; i++)
        if (!entry_is_retained(&actual->items[i]) && is_meant(exporting->session, &actual->items[i]))
            add(exporting, &actual->items[i].object);
}

static int add_named(struct exporting *exporting, const char *argument, struct error *error)
{
    struct session *session = exporting->session;
    struct entry *entry;
    int result = session_find_object(session, argument, &entry, error);
    if (result >= 0)
        add_with_used(exporting, entry);
    return result;
}

/* ---- what LXC has ---- */

static int add_found(struct exporting *exporting, const char *lxc_name, struct error *error)
{
    struct session *session = exporting->session;
    const struct call call = {.arena = session->arena, .cancel = -1};
    const char *path = session->options->lxc_path ? session->options->lxc_path : session->paths.lxc;
    struct container_found *found;
    struct observed_guest *inside = NULL;
    int result = container_view.read_found(&session->paths, path, lxc_name, &call, &found, error);
    if (result >= 0 && strcmp(path, session->paths.lxc) == 0)
        result = adoption_look(session, lxc_name, &inside, error);
    if (result == -ENOENT)
        return error_set(error, -ENOENT, "there is no LXC container %s below %s", lxc_name, path);
    if (result < 0)
        return result;
    const struct found_context context = {.networks = &exporting->networks,
                                          .inside = inside,
                                          .frozen = inside && adoption_is_frozen(session, lxc_name)};
    add(exporting, found_container(&session->paths, session->arena,
                                   found_name(&session->paths, session->arena, lxc_name), found, &context));
    sort(exporting);
    return 0;
}

/* What is recorded of them is printed, too: the spec stands alone. */
static void add_networks_of(struct exporting *exporting, const struct container *body)
{
    const struct found_networks *networks = &exporting->networks;
    for (size_t i = 0; i < networks->known.count + networks->made.count; i++) {
        struct object *network = i < networks->known.count ? networks->known.items[i]
                                                           : networks->made.items[i - networks->known.count];
        if (list_find(&body->networks, &attachment_table, network->name))
            add(exporting, network);
        sort(exporting);
    }
}

static int add_all_found(struct exporting *exporting, struct error *error)
{
    const struct options *options = exporting->session->options;
    int result = options->lxc_count ? session_look(exporting->session, error) : 0;
    exporting->networks = adoption_networks(exporting->session);
    exporting->networks.makes = true;
    for (size_t i = 0; i < options->lxc_count && result >= 0; i++)
        result = add_found(exporting, options->lxc_names[i], error);
    const size_t count = options->lxc_count && result >= 0 ? exporting->set.count : 0;
    struct object **found =
        arena_copy(exporting->session->arena, exporting->set.items, count * sizeof(struct object *));
    for (size_t i = 0; i < count; i++)
        if (found[i]->kind == KIND_CONTAINER)
            add_networks_of(exporting, found[i]->body);
    return result;
}

/* What a container has of its image it has again when what is printed is applied. */
static void leave_out_inherited(struct exporting *exporting)
{
    struct session *session = exporting->session;
    for (size_t i = 0; i < exporting->set.count; i++) {
        struct object **object = &exporting->set.items[i];
        const struct entry *entry = (*object)->kind == KIND_CONTAINER
                                        ? actual_find(&session->actual, KIND_CONTAINER, (*object)->name)
                                        : NULL;
        struct image_config *config;
        if (!entry || !entry->facts->config ||
            image_config_parse(session->arena, entry->facts->config, &config, NULL) < 0)
            continue;
        struct object *said = arena_copy(session->arena, *object, sizeof(**object));
        said->body = image_disinherit(session->arena, *object, config);
        *object = said;
    }
}

static void print_set(const struct options *options, const struct object_set *set)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (options->output == OUTPUT_NAME) {
        for (size_t i = 0; i < set->count; i++)
            printf("%s\n", set->items[i]->id);
        return;
    }
    specs_export(set, &text);
    if (options->output == OUTPUT_DATA && strcmp(options->format, "json") == 0) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "spec", json_new_text(text.length ? text.bytes : ""));
        print_data(options, object);
        return;
    }
    print_out(&text);
}

int run_export(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct exporting exporting = {.session = &session};
    struct error error = {0};
    int result = session_open(options, SESSION_READ, &session, &error);
    for (size_t i = 0; i < options->argument_count && result >= 0; i++)
        result = add_named(&exporting, options->arguments[i], &error);
    if (result >= 0)
        result = add_all_found(&exporting, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    if (!options->argument_count && !options->lxc_count)
        add_all(&exporting);
    sort(&exporting);
    leave_out_inherited(&exporting);
    print_set(options, &exporting.set);
    return EXIT_IN_SYNC;
}
