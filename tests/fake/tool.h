/* fake-tool: what its files share. */
#pragma once

#include "lib/json.h"

struct error;

struct tool_command {
    const char *name;
    const char *arguments; /* for the usage text */
    int count;             /* of arguments, all needed */
    int (*run)(struct json *world, char **arguments, struct error *error);
};
/* Each ends with a NULL name. Those of tool_look make nothing and hold nothing up; but for `reset`. */
extern const struct tool_command tool_look[], tool_containers[], tool_network[], tool_storage[];

extern const char *tool_root; /* as given: the call log lies below it */

/* By its LXC name, with or without the root's tag. */
int tool_find_container(const struct json *world, const char *name, struct json **container,
                        struct error *error);
int tool_find_running(const struct json *world, const char *name, struct json **container,
                      struct error *error);
struct json *tool_copy_of(const struct json *value); /* the caller's */
