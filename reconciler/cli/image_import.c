/* image import: a file or folder becomes an image on record that no spec declares. Specs name it as any other: `image: NAME`
 * in its project, `PROJECT/NAME` in others. No run prunes it, no gc frees it; image rm does. */
#include <errno.h>
#include <string.h>

#include "lib/asked.h"
#include "lib/error.h"
#include "reconciler/cli/image.h"
#include "reconciler/unlisted.h"

/* "base" of "/srv/base.tar.xz", and of "/srv/base:latest". */
static const char *name_of_file(struct arena *arena, const char *path)
{
    const size_t length = strlen(path);
    const char *end = path + length - (length > 1 && path[length - 1] == '/');
    const char *begin = end;
    while (begin > path && begin[-1] != '/')
        begin--;
    return arena_strndup(arena, begin, strcspn(begin, "./:"));
}

static int find_name(struct session *session, const char *path, const char **name, struct error *error)
{
    const struct options *options = session->options;
    const char *said =
        options->argument_count > 2 ? options->arguments[2] : name_of_file(session->arena, path);
    *name = strchr(said, '/') ? said : arena_join(session->arena, "default", '/', said);
    if (!full_name_is_valid(*name))
        return error_set(
            error, -EINVAL,
            "\"%s\" is no name of an image: lower-case letters, digits and '-', 31 at most; say one "
            "after the file",
            said);
    const struct entry *entry = actual_find(&session->actual, KIND_IMAGE, *name);
    const char *source = entry ? entry->record->source : NULL;
    return source && strcmp(source, UNLISTED_IMPORT) != 0 && strcmp(source, UNLISTED_BUILD) != 0
               ? error_set(error, -EEXIST, "image %s is declared by %s; import it under another name", *name,
                           source)
               : 0;
}

/* "file:PATH", "oci-layout:PATH" and plain PATH, each with ":TAG" where nothing has the whole name but what stands before it:
 * an image of a layout. */
static int find_source(struct session *session, const char *said, const char **source, const char **path,
                       struct error *error)
{
    static const char file[] = "file:", layout[] = "oci-layout:";
    const bool strict = strncmp(said, layout, strlen(layout)) == 0;
    said += strict ? strlen(layout) : strncmp(said, file, strlen(file)) == 0 ? strlen(file) : 0;
    const char *here = *said == '/' ? NULL : ask_getcwd(session->arena);
    *path = here ? arena_join(session->arena, here, '/', said) : said;
    const char *colon = strrchr(*path, ':');
    const bool whole = ask_access(*path) == 0,
               tagged = !whole && colon && !strchr(colon, '/') && colon[1] &&
                        ask_access(arena_strndup(session->arena, *path, (size_t)(colon - *path))) == 0;
    if (!whole && !tagged)
        return error_set(error, -ENOENT, "image import: %s: there is no such file or folder", *path);
    *source = arena_printf(session->arena, "%s%s", strict || tagged ? layout : file, *path);
    return 0;
}

static struct object *make_object(struct session *session, const char *name, const char *source)
{
    struct object *object = arena_new_of(session->arena, struct object);
    struct image *body = described_new(session->arena, &image_table);
    char id[OBJECT_ID_SIZE];
    body->source = source;
    field_mark(&image_table, body, offsetof(struct image, source));
    *object = (struct object){.kind = KIND_IMAGE,
                              .name = name,
                              .id = arena_strdup(session->arena, object_id(KIND_IMAGE, name, id)),
                              .source = UNLISTED_IMPORT,
                              .body = body};
    return object;
}

static struct action *import_action(struct session *session, struct object *object)
{
    struct entry *entry = actual_find(&session->actual, KIND_IMAGE, object->name);
    struct action *action = arena_new_of(session->arena, struct action);
    const enum verb verb = entry ? VERB_RECREATE : VERB_CREATE;
    *action = (struct action){.id = arena_printf(session->arena, "%s %s", verb_name(verb), object->id),
                              .kind = KIND_IMAGE,
                              .name = object->name,
                              .verb = verb,
                              .class = CLASS_RECREATE,
                              .object = object,
                              .entry = entry,
                              .uid = entry ? entry->record->uid : NULL};
    struct change *cause = arena_append(session->arena, action->causes.items, action->causes.count);
    *cause = (struct change){
        .field = "source", .new = ((struct image *)object->body)->source, .class = CLASS_RECREATE};
    return action;
}

/* A name that no image came under is nobody's. */
static int forget_unmade(struct session *session, const char *name, struct error *error)
{
    int result = session_read(session, error);
    const struct entry *entry = result < 0 ? NULL : actual_find(&session->actual, KIND_IMAGE, name);
    if (!entry || entry->facts->digest)
        return result;
    return image_forget(session, name, error);
}

int image_import(struct session *session)
{
    const struct options *options = session->options;
    const struct execution_request request = {.stop_timeout = -1};
    const char *source = NULL, *path = NULL, *name = NULL;
    struct error error = {0};
    struct plan plan;
    if (options->argument_count > 3) {
        error_set(&error, -EINVAL, "image import needs a file or folder, and perhaps a name");
        return fail(options, &error, EXIT_ERROR);
    }
    if (find_source(session, options->arguments[1], &source, &path, &error) < 0 ||
        find_name(session, path, &name, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    image_plan_nothing(session, &plan);
    *arena_append(session->arena, plan.actions, plan.count) =
        import_action(session, make_object(session, name, source));
    const int code = execute_and_report(session, &plan, &request);
    return code != EXIT_IN_SYNC && forget_unmade(session, name, &error) < 0
               ? fail(options, &error, EXIT_ERROR)
               : code;
}
