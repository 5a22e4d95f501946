/* image: what the store has, under which names, and who stands on it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/image.h"
#include "specs/image_config.h"

static const char *age_of(const struct session *session, const struct image_row *row)
{
    const int64_t seconds = row->seen ? (int64_t)time(NULL) - row->seen->made : -1;
    const char *unit = seconds < 3600 ? "m" : seconds < 48 * 3600 ? "h" : "d";
    const int64_t length = seconds < 3600 ? 60 : seconds < 48 * 3600 ? 3600 : 86400;
    return seconds < 0 ? "-" : arena_printf(session->arena, "%" PRId64 "%s", seconds / length, unit);
}

static struct json *texts_json(const struct texts *texts)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < texts->count; i++)
        json_append(list, json_new_text(texts->items[i]));
    return list;
}

/* Values that are not to be shown are not, here as in plans. */
static struct json *config_json(const struct session *session, const char *text)
{
    struct image_config *config;
    if (!text || image_config_parse(session->arena, text, &config, NULL) < 0)
        return json_new_null();
    for (size_t i = 0; i < config->env.count; i++)
        if (variable_is_hidden(config->env.items[i].key))
            config->env.items[i].value = "(sensitive)";
    return image_config_to_json(config);
}

static struct json *row_json(const struct session *session, const struct image_row *row, bool whole)
{
    const struct image *body = row->entry ? row->entry->object.body : NULL;
    const struct texts users = image_users(session, row, IMAGE_USE_ROW);
    struct json *object = json_new_object();
    json_set(object, "name", json_new_text(row->entry ? row->entry->name : NULL));
    json_set(object, "digest", json_new_text(row->digest));
    json_set(object, "bytes", row->seen ? json_new_number(row->seen->bytes) : json_new_null());
    json_set(object, "made", row->seen ? json_new_number(row->seen->made) : json_new_null());
    json_set(object, "lower", json_new_text(row->seen ? row->seen->lower : NULL));
    json_set(object, "squashfs", json_new_text(row->seen ? row->seen->squashfs : NULL));
    json_set(object, "stored", row->seen ? json_new_number(row->seen->stored) : json_new_null());
    json_set(object, "mounted",
             row->seen && row->seen->squashfs ? json_new_bool(row->seen->mounted) : json_new_null());
    json_set(object, "source", json_new_text(body ? body->source : NULL));
    json_set(object, "origin", json_new_text(row->entry ? row->entry->facts->origin : NULL));
    json_set(object, "used_by", texts_json(&users));
    if (whole)
        json_set(object, "config", config_json(session, row->entry ? row->entry->facts->config : NULL));
    return object;
}

/* What it is made of, as its declaration says it. */
static const char *source_of(const struct session *session, const struct image *body)
{
    const struct image_build *build = body ? body->build : NULL;
    if (body && body->source)
        return body->source;
    if (!build || (!build->context && !build->from))
        return "-";
    if (!build->context)
        return arena_printf(session->arena, "build from %s", build->from);
    return arena_printf(session->arena, "build %s%s%s", build->context, build->recipe ? "/" : "",
                        build->recipe ? build->recipe : "");
}

static void print_row(struct session *session, const struct image_row *row)
{
    const struct image *body = row->entry ? row->entry->object.body : NULL;
    const struct texts users = image_users(session, row, IMAGE_USE_ROW);
    printf("%-24s %-12.12s %10s %5s  %-32s  ", row->entry ? row->entry->name : "-",
           row->digest ? row->digest : "-", row->seen ? session_size(session, row->seen->bytes) : "missing",
           age_of(session, row), source_of(session, body));
    for (size_t i = 0; i < users.count; i++)
        printf("%s%s", i ? ", " : "", users.items[i]);
    printf("%s\n", users.count ? "" : "-");
}

static int list_images(struct session *session)
{
    const struct options *options = session->options;
    const struct image_rows rows = image_rows(session);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    if (options->output == OUTPUT_TABLE && rows.count)
        printf("%-24s %-12s %10s %5s  %-32s  %s\n", "NAME", "DIGEST", "SIZE", "AGE", "SOURCE", "USED BY");
    for (size_t i = 0; i < rows.count; i++) {
        const struct image_row *row = &rows.items[i];
        if (list)
            json_append(list, row_json(session, row, false));
        else if (options->output == OUTPUT_NAME)
            printf("image/%s\n", row->entry ? row->entry->name : row->digest);
        else
            print_row(session, row);
    }
    if (list)
        print_list(options, "images", list);
    return EXIT_IN_SYNC;
}

static int inspect_images(struct session *session)
{
    const struct options *options = session->options;
    struct json *list = json_new_array();
    for (size_t i = 1; i < options->argument_count; i++) {
        struct error error = {0};
        struct image_row row = {0};
        if (image_find(session, options->arguments[i], &row, &error) < 0) {
            json_free(list);
            return fail(options, &error, EXIT_ERROR);
        }
        json_append(list, row_json(session, &row, true));
    }
    print_list(options, "images", list);
    return EXIT_IN_SYNC;
}

/* Flags of one verb, which the table of flags has for all of them. */
static int check_flags(const struct options *options, const char *word, bool acts, struct error *error)
{
    const char *flag = strcmp(word, "gc") == 0    ? NULL
                       : options->dry_run && acts ? "dry-run"
                       : options->budget          ? "budget"
                       : options->older           ? "older-than"
                                                  : NULL;
    return flag ? error_set(error, -EINVAL, "image %s has no --%s; it is for image gc", word, flag) : 0;
}

int run_image(const struct options *options)
{
    static const char listed[] = "an image, by name or digest: fpsync image ls lists them";
    static const struct {
        const char *word;
        bool acts;
        const char *needs; /* NULL: nothing, and it takes nothing */
        int (*run)(struct session *);
    } verbs[] = {{"ls", false, NULL, list_images},
                 {"inspect", false, listed, inspect_images},
                 {"rm", true, listed, image_remove},
                 {"export", true, "an image, and the FOLDER[:TAG] or FILE.tar[.xz] that it is written into",
                  image_write},
                 {"publish", true, "an image, and --to FOLDER", image_publish_all},
                 {"pull", true, listed, image_pull},
                 {"import", true,
                  "the path of an archive, a squashfs, an OCI layout or a folder, and a NAME unless it is to "
                  "be called as that is",
                  image_import},
                 {"gc", true, NULL, image_gc}};
    const char *word = options->argument_count ? options->arguments[0] : "ls";
    struct error error = {0};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(verbs[i].word, word) != 0)
            continue;
        if (!verbs[i].needs != (options->argument_count <= 1)) {
            error_set(&error, -EINVAL, verbs[i].needs ? "image %s needs %s" : "image %s takes no name", word,
                      verbs[i].needs);
            return fail(options, &error, EXIT_ERROR);
        }
        if (check_flags(options, word, verbs[i].acts, &error) < 0)
            return fail(options, &error, EXIT_ERROR);
        _cleanup_session_ struct session session = {.options = options, .lock = -1};
        int result = session_open(options, verbs[i].acts && !options->dry_run ? SESSION_WRITE : SESSION_READ,
                                  &session, &error);
        if (result >= 0)
            result = session_look(&session, &error);
        return result < 0 ? fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR)
                          : verbs[i].run(&session);
    }
    error_set(&error, -EINVAL,
              "image: expected ls, inspect, export, import, publish, gc, pull or rm, found \"%s\"", word);
    return fail(options, &error, EXIT_ERROR);
}
