/* image publish: images of the store into a tree that a web server serves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/image/build.h"
#include "lib/asked.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/machine.h"
#include "lib/map.h"
#include "reconciler/cli/image.h"

#define KEPT_VERSIONS 2

/* ---- the recipe ---- */

/* What the recipes of all images on record ask for today; what is wrong with one leaves that one out. */
static void read_builds(struct session *session, struct builds *builds)
{
    struct object_set recorded = {0};
    struct problems problems = {.arena = session->arena};
    for (size_t i = 0; i < session->actual.count; i++)
        if (!entry_is_retained(&session->actual.items[i]))
            *arena_append(session->arena, recorded.items, recorded.count) = &session->actual.items[i].object;
    object_set_sort(&recorded);
    const struct builds_request request = {.paths = &session->paths,
                                           .desired = &recorded,
                                           .actual = &session->actual,
                                           .policy = session->policy};
    builds_read(&request, session->arena, &problems, builds);
}

/* Steps that stand in the spec: a recipe of one stage. */
static const char *steps_text(struct arena *arena, const struct image_build *build)
{
    const char *text = arena_printf(arena, "FROM %s\n", build->from);
    for (size_t i = 0; i < build->steps.count; i++)
        text = arena_printf(arena, "%s%s\n", text, build->steps.items[i]);
    return text;
}

/* What is the same wherever the recipe is read; NULL: the image has no such source. */
static const char *source_elsewhere(const struct session *session, const char *image)
{
    const struct entry *entry = actual_find(&session->actual, KIND_IMAGE, image);
    const char *source = entry ? ((const struct image *)entry->object.body)->source : NULL;
    return source && (source_is_fetched(source) || strncmp(source, "bootstrap:", 10) == 0) ? source : NULL;
}

/* Who builds by the recipe on another host has other images, or none, by the names of this one. */
static void warn_of_bases(const struct session *session, const struct build_wish *wish)
{
    for (size_t i = 0; i < wish->build->base_count; i++) {
        const struct build_base *base = &wish->build->bases[i];
        if ((!base->is_local && !base->is_alias) || session->options->quiet)
            continue;
        const char *source = source_elsewhere(session, base->image);
        fprintf(stderr,
                "fpsync: image %s: %s:%u: %s is %s of this host: elsewhere the name is looked for in a "
                "registry; ",
                wish->image->name, base->at.file, base->at.line, base->asked,
                base->is_local ? "an image" : "an alias in the fpsync.conf");
        if (source)
            fprintf(stderr, "its source %s is the same everywhere\n", source);
        else if (base->is_alias)
            fprintf(stderr, "what it stands for is on this host alone\n");
        else
            fprintf(stderr, "publish %s, too, and name it as REMOTE:%s, of the remote that serves it\n",
                    base->image, name_bare(base->image));
    }
}

/* "guest" of "FROM guest", "COPY --from=guest" */
static const char *name_asked(const struct build_base *base)
{
    const char *equals = strchr(base->asked, '='), *blank = strrchr(base->asked, ' ');
    return equals ? equals + 1 : blank ? blank + 1 : base->asked;
}

/* What the recipe names and only this host has by that name. */
static struct texts needs_of(struct arena *arena, const struct build_wish *wish)
{
    struct texts needs = {0};
    for (size_t i = 0; i < wish->build->base_count; i++) {
        const struct build_base *base = &wish->build->bases[i];
        const char *name = name_asked(base);
        if (base->is_local && !texts_have(&needs, name))
            *arena_append(arena, needs.items, needs.count) = name;
    }
    return needs;
}

/* A recipe that would not make this image is not put beside it. */
static void add_recipe(struct session *session, const struct builds *builds, const struct image_row *row,
                       struct image_publish *publish)
{
    const struct entry *entry = row->entry;
    const struct image_build *build = ((const struct image *)entry->object.body)->build;
    if (!image_is_built(entry->object.body))
        return;
    const struct build_wish *wish = builds_find(builds, entry->name);
    if (!wish || wish->changes.count) {
        fprintf(stderr, "fpsync: image %s: its recipe is left out: %s%s\n", entry->name,
                wish ? wish->changes.items[0].field : "it cannot be read",
                wish ? " changed since the image was built" : "");
        return;
    }
    warn_of_bases(session, wish);
    publish->needs = needs_of(session->arena, wish);
    if (!build->context) {
        publish->recipe_text = build->from ? steps_text(session->arena, build) : NULL;
        return;
    }
    publish->context = wish->folder;
    publish->recipe = wish->file + strlen(wish->folder) + 1;
    publish->sources = wish->build->taken;
}

/* ---- the request ---- */

static const char *absolute(struct arena *arena, const char *path)
{
    const char *here = !path || *path == '/' ? NULL : ask_getcwd(arena);
    return here ? arena_join(arena, here, '/', path) : path;
}

static struct image_publish *new_request(struct session *session, const struct image_row *row)
{
    const struct options *options = session->options;
    struct image_publish *publish = described_new(session->arena, &image_publish_table);
    publish->name = name_bare(row->entry->name);
    publish->digest = row->digest;
    publish->path = absolute(session->arena, options->to);
    publish->format = options->root_format ? options->root_format : "squashfs";
    publish->arch = machine_architecture();
    publish->time = getenv("SOURCE_DATE_EPOCH");
    publish->keep = options->keep ? (int64_t)options->keep : KEPT_VERSIONS;
    publish->key = absolute(session->arena, options->key);
    publish->gpg = options->gpg;
    publish->gpg_home = options->gpg ? absolute(session->arena, getenv("GNUPGHOME")) : NULL;
    return publish;
}

static int find_named(struct session *session, const char *argument, struct image_row *row,
                      struct error *error)
{
    int result = image_find(session, argument, row, error);
    if (result >= 0 && !row->entry)
        return error_set(error, -EINVAL, "image %s has no name under which it could be published", argument);
    if (result >= 0 && !row->seen)
        return error_set(error, -ENOENT, "image %s is not in the store", argument);
    return result;
}

/* ---- the run ---- */

static void tell(const struct session *session, const char *argument, const struct image_published *done,
                 struct json *list)
{
    const struct options *options = session->options;
    if (list) {
        struct json *object = json_append(list, json_new_object());
        json_set(object, "name", json_new_text(argument));
        json_set(object, "version", json_new_text(done->version));
        json_set(object, "changed", json_new_bool(done->changed));
        json_set(object, "signed", json_new_bool(options->key || options->gpg));
        return;
    }
    if (options->output == OUTPUT_NAME)
        printf("image/%s\n", argument);
    else if (done->changed)
        printf("image %s: published as %s\n", argument, done->version);
    else if (!options->quiet)
        printf("image %s: already published as %s\n", argument, done->version);
}

static int publish_one(struct session *session, const struct builds *builds, const char *argument,
                       struct json *list, struct error *error)
{
    struct image_row row = {0};
    void *done = NULL;
    int result = find_named(session, argument, &row, error);
    if (result < 0)
        return result;
    struct image_publish *publish = new_request(session, &row);
    add_recipe(session, builds, &row, publish);
    result = image_step(session, STEP_IMAGE_PUBLISH, publish, &done, error);
    if (result >= 0 && done)
        tell(session, argument, done, list);
    return result;
}

/* Products are called as images are, without their project: two of one call would replace each other. */
static int check_names(struct session *session, struct error *error)
{
    const struct options *options = session->options;
    _cleanup_map_ struct map names = {0};
    for (size_t i = 1; i < options->argument_count; i++) {
        struct image_row row = {0};
        int result = find_named(session, options->arguments[i], &row, error);
        if (result < 0)
            return result;
        const char *bare = name_bare(row.entry->name), *other = map_get(&names, bare);
        if (other && strcmp(other, row.entry->name) != 0)
            return error_set(
                error, -EINVAL,
                "image publish: %s and %s would both be published as %s, each in the place of the "
                "other; publish one of them",
                other, row.entry->name, bare);
        map_add(&names, bare, (void *)row.entry->name);
    }
    return 0;
}

static void tell_unsigned(const struct options *options)
{
    if (options->output != OUTPUT_DATA && !options->key && !options->gpg && !options->quiet)
        fprintf(stderr,
                "fpsync: %s is not signed: who reads it trusts the server alone; --key FILE signs it, and a "
                "remote's key: verifies that\n",
                options->to);
}

/* Under the lock, so that nobody frees what is being read. */
int image_publish_all(struct session *session)
{
    const struct options *options = session->options;
    struct error error = {0};
    struct builds builds;
    if (!options->to) {
        error_set(&error, -EINVAL, "image publish needs --to FOLDER, which a web server serves");
        return fail(options, &error, EXIT_ERROR);
    }
    if (session_load_policy(session, &error) < 0)
        return fail_invalid(options, &session->problems);
    read_builds(session, &builds);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    int result = check_names(session, &error);
    for (size_t i = 1; i < options->argument_count && result >= 0; i++)
        result = publish_one(session, &builds, options->arguments[i], list, &error);
    if (list)
        print_list(options, "published", list);
    if (result >= 0)
        tell_unsigned(options);
    return result < 0 ? fail(options, &error, result == -EPERM ? EXIT_REFUSED : EXIT_ERROR) : EXIT_IN_SYNC;
}
