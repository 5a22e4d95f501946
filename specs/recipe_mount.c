/* See recipe_mount.h. */
#include "specs/recipe_mount.h"

#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/units.h"
#include "specs/forms.h"
#include "specs/read.h"

enum {
    BIND = 1 << RECIPE_MOUNT_BIND,
    CACHE = 1 << RECIPE_MOUNT_CACHE,
    TMPFS = 1 << RECIPE_MOUNT_TMPFS,
    SECRET = 1 << RECIPE_MOUNT_SECRET
};

static const char *const types[] = {"bind", "cache", "tmpfs", "secret", NULL};

enum option { TARGET, SOURCE, FROM, ID, ENV, SHARING, READ_ONLY, READ_WRITE, REQUIRED, MODE, UID, GID, SIZE };

static const struct {
    const char *name;
    enum option option;
    unsigned types;
    bool alone; /* may stand without a value, which is "true" then */
} options[] = {
    {"target", TARGET, BIND | CACHE | TMPFS | SECRET, false},
    {"dst", TARGET, BIND | CACHE | TMPFS | SECRET, false},
    {"destination", TARGET, BIND | CACHE | TMPFS | SECRET, false},
    {"source", SOURCE, BIND | CACHE | SECRET, false},
    {"src", SOURCE, BIND | CACHE | SECRET, false},
    {"from", FROM, BIND | CACHE, false},
    {"id", ID, CACHE | SECRET, false},
    {"env", ENV, SECRET, false},
    {"sharing", SHARING, CACHE, false},
    {"readonly", READ_ONLY, BIND | CACHE, true},
    {"ro", READ_ONLY, BIND | CACHE, true},
    {"readwrite", READ_WRITE, BIND | CACHE, true},
    {"rw", READ_WRITE, BIND | CACHE, true},
    {"required", REQUIRED, SECRET, true},
    {"mode", MODE, CACHE | SECRET, false},
    {"uid", UID, CACHE | SECRET, false},
    {"gid", GID, CACHE | SECRET, false},
    {"size", SIZE, TMPFS, false},
};
#define OPTIONS (sizeof(options) / sizeof(*options))

struct part { /* "key=value" */
    char *key;
    const char *value; /* NULL: none */
};

struct mount_reading {
    const struct recipe_checker *checker;
    const struct recipe_flag *flag;
    const struct recipe_expansion *expansion;
    struct part *parts;
    size_t count;
    bool guessed; /* that a value will be fine, as it holds a variable */
};

static void split(struct mount_reading *reading);
static bool find_type(struct mount_reading *reading, struct recipe_mount *mount);
static bool take_part(struct mount_reading *reading, const struct part *part, struct recipe_mount *mount);
static bool check_whole(struct mount_reading *reading, const struct recipe_mount *mount);

bool recipe_mount_read(const struct recipe_checker *checker, const struct recipe_flag *flag,
                       const struct recipe_expansion *expansion, struct recipe_mount *mount)
{
    struct mount_reading reading = {.checker = checker, .flag = flag, .expansion = expansion};
    *mount = (struct recipe_mount){.mode = -1, .uid = -1, .gid = -1};
    split(&reading);
    if (!find_type(&reading, mount))
        return false;
    if (reading.guessed)
        return true;
    mount->read_only = mount->type == RECIPE_MOUNT_BIND || mount->type == RECIPE_MOUNT_SECRET;
    for (size_t i = 0; i < reading.count; i++)
        if (!take_part(&reading, &reading.parts[i], mount))
            return false;
    return reading.guessed || check_whole(&reading, mount);
}

void recipe_mount_check(const struct recipe_checker *checker, const struct recipe_flag *flag)
{
    struct recipe_mount mount;
    recipe_mount_read(checker, flag, NULL, &mount);
}

/* Commas in double quotes end nothing, as in a line of CSV. */
static void split(struct mount_reading *reading)
{
    struct arena *arena = reading->checker->arena;
    char *text = arena_strdup(arena, reading->flag->value), *out = text, *start = text;
    bool quoted = false;
    for (const char *at = text;; at++) {
        if (*at == '"') {
            quoted = !quoted;
            continue;
        }
        if (*at && (*at != ',' || quoted)) {
            *out++ = *at;
            continue;
        }
        const bool is_end = !*at;
        *out++ = '\0';
        char *equals = strchr(start, '=');
        if (equals)
            *equals = '\0';
        *arena_append(arena, reading->parts, reading->count) =
            (struct part){.key = start, .value = equals ? equals + 1 : NULL};
        start = out;
        if (is_end)
            return;
    }
}

static bool wrong(struct mount_reading *reading, const char *key, const char *expected, const char *found)
{
    problem_add(reading->checker->problems, reading->flag->place, NULL,
                "RUN --mount: %s: expected %s, found '%s'", key, expected, found);
    return false;
}

/* The value with its variables expanded; NULL after a problem, or where it cannot be known yet. */
static const char *value_of(struct mount_reading *reading, const struct part *part)
{
    struct error error = {0};
    const char *value;
    if (!recipe_has_variable(part->value))
        return part->value;
    if (!reading->expansion) {
        reading->guessed = true;
        return NULL;
    }
    if (recipe_expand(reading->expansion, part->value, reading->checker->arena, &value, &error) == 0)
        return value;
    problem_add(reading->checker->problems, reading->flag->place, NULL, "RUN --mount: %s: %s", part->key,
                error.text);
    return NULL;
}

static bool find_type(struct mount_reading *reading, struct recipe_mount *mount)
{
    for (size_t i = 0; i < reading->count; i++) {
        const struct part *part = &reading->parts[i];
        if (strcasecmp(part->key, "type") != 0 || !part->value)
            continue;
        const char *value = value_of(reading, part);
        size_t type = 0;
        if (!value)
            return reading->guessed;
        while (types[type] && strcasecmp(types[type], value) != 0)
            type++;
        if (!types[type]) {
            problem_add(reading->checker->problems, reading->flag->place,
                        strcmp(value, "ssh") == 0 ? "give a key as a secret"
                                                  : hint_nearest(reading->checker->arena, value, types),
                        "RUN --mount: type %s is not supported", value);
            return false;
        }
        mount->type = (enum recipe_mount_type)type;
    }
    return true;
}

static bool take_switch(struct mount_reading *reading, const struct part *part, const char *value, bool *out)
{
    const bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return wrong(reading, part->key, "true or false", value);
    *out = yes;
    return true;
}

static bool take_id(struct mount_reading *reading, const struct part *part, const char *value, int64_t *out)
{
    return (number_parse(value, out) == 0 && *out >= 0 && *out <= 65535) ||
           wrong(reading, part->key, "a number up to 65535", value);
}

static bool take_path(struct mount_reading *reading, const struct part *part, const char *value,
                      const char **out)
{
    if (!*value || text_printable(value, strlen(value)) != strlen(value))
        return wrong(reading, part->key, "a path", value);
    *out = value;
    return true;
}

/* What becomes part of a path on the host's side, in the store of caches. */
static bool take_word(struct mount_reading *reading, const struct part *part, const char *value,
                      const char **out)
{
    if (!*value || strlen(value) > 256 || text_printable(value, strlen(value)) != strlen(value))
        return wrong(reading, part->key, "a name", value);
    *out = value;
    return true;
}

static bool take_value(struct mount_reading *reading, enum option option, const struct part *part,
                       const char *value, struct recipe_mount *mount)
{
    static const char *const sharings[] = {"shared", "private", "locked", NULL};
    bool write = false;
    size_t i = 0;
    switch (option) {
    case TARGET:
        return take_path(reading, part, value, &mount->target);
    case SOURCE: /* of a secret it is another word for id */
        return mount->type == RECIPE_MOUNT_SECRET ? take_word(reading, part, value, &mount->id)
                                                  : take_path(reading, part, value, &mount->source);
    case FROM:
        return take_word(reading, part, value, &mount->from);
    case ID:
        return take_word(reading, part, value, &mount->id);
    case ENV:
        return take_word(reading, part, value, &mount->env);
    case SHARING:
        while (sharings[i] && strcasecmp(sharings[i], value) != 0)
            i++;
        mount->sharing = sharings[i];
        return sharings[i] || wrong(reading, part->key, "shared, private or locked", value);
    case READ_ONLY:
        return take_switch(reading, part, value, &mount->read_only);
    case READ_WRITE:
        if (!take_switch(reading, part, value, &write))
            return false;
        mount->read_only = !write;
        return true;
    case REQUIRED:
        return take_switch(reading, part, value, &mount->required);
    case MODE:
        return recipe_mode(value, &mount->mode) || wrong(reading, part->key, "octal permissions", value);
    case UID:
        return take_id(reading, part, value, &mount->uid);
    case GID:
        return take_id(reading, part, value, &mount->gid);
    case SIZE:
        return (size_parse(value, &mount->size) == 0 && mount->size > 0) ||
               wrong(reading, part->key, "a size", value);
    }
    return false;
}

static bool take_part(struct mount_reading *reading, const struct part *part, struct recipe_mount *mount)
{
    struct problems *problems = reading->checker->problems;
    const char *known[OPTIONS + 2] = {"type"};
    size_t i = 0;
    if (strcasecmp(part->key, "type") == 0 && part->value)
        return true;
    while (i < OPTIONS && strcasecmp(options[i].name, part->key) != 0)
        i++;
    for (size_t j = 0; j < OPTIONS; j++)
        known[j + 1] = options[j].name;
    if (i == OPTIONS)
        problem_add(problems, reading->flag->place, hint_nearest(reading->checker->arena, part->key, known),
                    "RUN --mount: unknown option '%s'", part->key);
    else if (!(options[i].types & 1u << mount->type))
        problem_add(problems, reading->flag->place, NULL, "RUN --mount: '%s' is not for type %s", part->key,
                    types[mount->type]);
    else if (!part->value && !options[i].alone)
        problem_add(problems, reading->flag->place, NULL, "RUN --mount: %s: expected a value", part->key);
    else if (options[i].option == FROM && strchr(part->value, '$'))
        problem_add(problems, reading->flag->place, "FROM with the variable AS a name, and from= that name",
                    "RUN --mount: from: variables are not expanded here, found '%s'", part->value);
    else {
        const size_t before = problems->count;
        const char *value = part->value ? value_of(reading, part) : "true";
        return value ? take_value(reading, options[i].option, part, value, mount) : problems->count == before;
    }
    return false;
}

static bool check_whole(struct mount_reading *reading, const struct recipe_mount *mount)
{
    const char *missing = NULL;
    if (mount->type == RECIPE_MOUNT_SECRET && !mount->id && !mount->target)
        missing = "id";
    else if (mount->type != RECIPE_MOUNT_SECRET && !mount->target)
        missing = "target";
    if (missing)
        problem_add(reading->checker->problems, reading->flag->place,
                    arena_printf(reading->checker->arena, "add %s=", missing),
                    "RUN --mount: type %s needs %s %s", types[mount->type], *missing == 'i' ? "an" : "a",
                    missing);
    else if (mount->type == RECIPE_MOUNT_CACHE && mount->source && !mount->from)
        problem_add(reading->checker->problems, reading->flag->place,
                    "add from=", "RUN --mount: a cache has a source only where it has a from");
    else
        return true;
    return false;
}
