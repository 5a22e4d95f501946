/* Parts of reading a config of anybody's: what it includes, and what it mounts. */
#pragma once

#include "drivers/container/internal.h"

/* "  KEY = VALUE  " as liblxc takes it apart; quotes around the whole value are none of it. False: no such line. */
bool found_split(char *line, char **key, char **value);

/* Refuses what LXC itself would not take, as an include that is not there, and what no spec can keep: -EINVAL or what
 * reading says, with file, line and what to do. `path` is that of the config. */
int found_check(const char *path, const char *text, struct arena *arena, struct error *error);
/* The last line of the file that says the key, from 1; 0: none, another file that it includes does. */
size_t found_line_of(const char *path, const char *key);

struct found_include {
    size_t at;        /* offset of its line */
    const char *name; /* "common" of LXC's own common.conf; NULL: another file or folder */
    const char *text; /* all that it says, what it includes itself in its place; NULL: not known */
};
struct found_includes {
    struct found_include *items;
    size_t count;
};
/* Of a config's text, in order. */
void found_includes_read(const char *text, struct arena *arena, struct found_includes *out);
/* Whether a line of that key means something else after the include than before it. */
bool found_include_undoes(const struct found_include *include, const char *key, struct arena *arena);
/* The value that the include gives a key last; NULL: none. */
const char *found_include_says(const struct found_include *include, const char *key, struct arena *arena);

/* Takes lines of lxc.mount.entry that are binds out of the definition's lines; those that something else is mounted below
 * or above later on stay. */
void found_take_binds(struct container_definition *definition, struct arena *arena);

struct found_limit {
    const char *key, *value;
};
struct found_limits {
    struct found_limit *items;
    size_t count;
};
/* Keeps a line of a control group that a limit has a word for, until all are known; without a value it takes back what
 * was said. False: it stays a line. */
bool found_limits_take(struct found_limits *said, const char *key, const char *value, struct arena *arena);
/* The definition's limits, and back among its lines what they cannot say. */
void found_limits_end(const struct found_limits *said, const struct hierarchies *hierarchies,
                      struct container_definition *definition, struct arena *arena);
