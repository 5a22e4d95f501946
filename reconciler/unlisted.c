#include "reconciler/unlisted.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/asked.h"
#include "lib/error.h"
#include "reconciler/session.h"
#include "specs/forms.h"

#define LOOK_SIZE                                                                                            \
    512 /* bytes at the begin of a file that say whether it is text; a header of tar is as long */

static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789-/";

bool unlisted_is(const char *word)
{
    return *word == '.' || *word == '/' || word[strspn(word, legal)] ||
           (*word && word[strlen(word) - 1] == '/');
}

/* ---- what is meant ---- */

/* Archives are none: they have zero bytes, or a first byte that says how they are compressed. */
static bool is_text(const char *path)
{
    char bytes[LOOK_SIZE];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t count = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < count; i++)
        if ((unsigned char)bytes[i] < ' ' && !isspace((unsigned char)bytes[i]))
            return false;
    return count >= 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The part of a path, or of an address, that says what it is: "app" of "/srv/app.tar.xz" and of "store:app". */
static const char *name_in(struct arena *arena, const char *path)
{
    const char *part = last_part(path), *colon = strchr(part, ':');
    part = colon && colon[1] ? colon + 1 : part;
    return arena_strndup(arena, part, strcspn(part, ".?#:"));
}

static int read_path(const char *word, struct arena *arena, struct unlisted *unlisted, const char **name,
                     struct error *error)
{
    struct stat status;
    const char *here = ask_getcwd(arena);
    const char *path = path_clean(arena, here ? here : "/", word);
    unlisted->file = unlisted->context = path;
    *name = last_part(path);
    if (stat(path, &status) < 0)
        return error_errno(error, -errno, "build: %s", path);
    if (S_ISDIR(status.st_mode))
        return 0;
    if (!S_ISREG(status.st_mode))
        return error_set(error, -EINVAL, "build: %s is neither a folder nor a file", path);
    if (!is_text(path)) {
        *name = name_in(arena, path);
        return 0;
    }
    unlisted->recipe = last_part(path);
    unlisted->context = path_clean(arena, path, "..");
    *name = last_part(unlisted->context);
    return 0;
}

int unlisted_read(const char *word, const char *name, struct arena *arena, struct unlisted *unlisted,
                  struct error *error)
{
    const char *own = NULL;
    *unlisted = (struct unlisted){0};
    int result = 0;
    if (context_is_elsewhere(word)) {
        unlisted->file = word;
        unlisted->context = context_canonical(arena, word);
        own = name_in(arena, word);
        if (!unlisted->context)
            return error_set(error, -EINVAL,
                             "build: expected a folder, an archive, a recipe, https://... or REMOTE:ALIAS, "
                             "found \"%s\"",
                             word);
    } else {
        result = read_path(word, arena, unlisted, &own, error);
    }
    if (result < 0)
        return result;
    const char *said = name ? name : own;
    unlisted->name = strchr(said, '/') ? said : arena_join(arena, "default", '/', said);
    return full_name_is_valid(unlisted->name)
               ? 0
               : error_set(
                     error, -EINVAL,
                     "\"%s\" is no name of an image: lower-case letters, digits and '-', 31 at most; %s",
                     said, name ? "-t NAME or -t PROJECT/NAME" : "-t NAME gives it one");
}

int unlisted_check(const struct session *session, const struct unlisted *unlisted, struct error *error)
{
    const struct entry *entry = actual_find(&session->actual, KIND_IMAGE, unlisted->name);
    const char *source = entry ? entry->record->source : NULL;
    if (!source || strcmp(source, UNLISTED_BUILD) == 0)
        return 0;
    if (strcmp(source, UNLISTED_IMPORT) == 0)
        return error_set(error, -EEXIST,
                         "image %s was imported: -t gives this one another name, fpsync image rm %s removes "
                         "that one",
                         unlisted->name, unlisted->name);
    return error_set(error, -EEXIST,
                     "image %s is declared by %s: fpsync build %s builds that one, -t gives this one another "
                     "name",
                     unlisted->name, source, unlisted->name);
}

/* ---- as if a spec had it ---- */

static struct object *make_object(const struct unlisted *unlisted, struct arena *arena, enum kind kind,
                                  const char *name)
{
    struct object *object = arena_new_of(arena, struct object);
    char id[OBJECT_ID_SIZE];
    *object = (struct object){.kind = kind,
                              .name = name,
                              .id = arena_strdup(arena, object_id(kind, name, id)),
                              .place = {.file = unlisted->file, .line = 1, .column = 1},
                              .source = UNLISTED_BUILD,
                              .body = described_new(arena, kind_table(kind))};
    ((struct described *)object->body)->place = object->place;
    return object;
}

#define SET(table, object, member, value)                                                                    \
    do {                                                                                                     \
        (object)->member = (value);                                                                          \
        field_mark((table), (object), offsetof(__typeof__(*(object)), member));                              \
    } while (0)

static void fill_image(struct image *body, const struct unlisted *unlisted, const char *network)
{
    SET(&image_build_table, body->build, context, unlisted->context);
    if (unlisted->recipe)
        SET(&image_build_table, body->build, recipe, unlisted->recipe);
    SET(&image_build_table, body->build, network, network);
    body->build->described.place = body->described.place;
    field_mark(&image_table, body, offsetof(struct image, build));
}

void unlisted_make(const struct session *session, const struct unlisted *unlisted, struct arena *arena,
                   struct spec_set *set)
{
    const char *network = arena_join(arena, name_project(arena, unlisted->name), '/', "default");
    const struct entry *known = actual_find(&session->actual, KIND_NETWORK, network);
    struct object *image = make_object(unlisted, arena, KIND_IMAGE, unlisted->name);
    *set = (struct spec_set){0};
    fill_image(image->body, unlisted, network);
    *arena_append(arena, set->objects.items, set->objects.count) = image;
    if (!known || entry_is_retained(known) || known->object.implicit) {
        struct object *implied = make_object(unlisted, arena, KIND_NETWORK, network);
        implied->implicit = true;
        if (known)
            implied->source = known->record->source;
        *arena_append(arena, set->objects.items, set->objects.count) = implied;
    }
    object_set_sort(&set->objects);
    object_set_index(&set->objects, arena);
}
