/* From text to a checked set of objects.
 *
 * specs_load() reads every file, reports every problem of all of them, and gives a set only when there is none.
 * It takes no lock, needs no root and changes nothing. */
#pragma once

#include "specs/model.h"

struct problem {
    struct place place;
    const char *message; /* what was expected and what was found */
    const char *hint;    /* how to mend it; NULL when the message says all */
};

struct problems {
    struct arena *arena; /* holds the texts */
    struct problem *items;
    size_t count;
};

/* What one -f argument is. */
struct spec_source {
    const char *argument; /* as given; "-" is stdin */
    const char *
        name; /* of the source: --source NAME, or the absolute clean path; "host" for the default directory */
    bool is_directory;
    bool
        is_missing; /* the path does not exist, or is an empty directory: a reason for the guard, not an error */
    bool is_empty; /* all that its files hold is blanks and comments: one more, while {} is something said */
    bool prunes;   /* false for stdin without --source and for a file inside a directory that is a source */
};

struct spec_request {
    const char *const *arguments; /* -f, in order; count 0: default_directory */
    size_t count;
    const char *source_name;       /* --source or NULL */
    const char *default_directory; /* absolute */
    struct texts left_out;         /* names of sources that this run does not look at */
    struct texts held_back;        /* files that are not read: what is recorded of them stands in for them */
    bool use_environment;          /* variables of the process override .env: only in runs by hand */
};

struct spec_set {
    struct object_set objects;
    struct spec_source *sources;
    size_t source_count;
    char digest[65]; /* of all bytes read, file by file: equal digest, equal set */
    struct object_set
        refused; /* of specs with problems: what could be read of them, and nothing else is filled */
};

/* Fills `set` (all in `arena`) when `problems` stays empty. Returns -EINVAL when there are problems (exit 6), and
 * another errno with `error` set when the loader itself failed. References are resolved against the set and
 * against `recorded` (objects of other sources; may be NULL). */
int specs_load(const struct spec_request *request, const struct object_set *recorded, struct arena *arena,
               struct spec_set *set, struct problems *problems, struct error *error);

/* "web.yaml.d/more.yaml" belongs to "web.yaml": the file that a problem's or an object's file is part of. */
const char *spec_file_owner(struct arena *arena, const char *path);

/* One problem as text: "file:line:column: message\n    hint: ...\n", and all as the JSON of `validate -o json`. */
void problem_print(const struct problem *problem, struct buffer *out);
struct json;
struct json *problems_to_json(const struct problems *problems);

/* The set as one canonical YAML document a project; specs_load() of it gives an equal set. */
void specs_print(const struct object_set *set, struct buffer *out);
/* The same, but for values that must not be shown: a variable that has to be set stands in their place. */
void specs_export(const struct object_set *set, struct buffer *out);

/* JSON Schema (draft 2020-12) of a spec file, for editors. The caller frees it. */
struct json *specs_schema(void);

/* Help on "container", "container.ports", "containers.limits.memory", "network.subnet", from the rows.
 * -ENOENT with the nearest known name in `error`. "" lists the kinds. */
int specs_explain(const char *path, struct buffer *out, struct error *error);
