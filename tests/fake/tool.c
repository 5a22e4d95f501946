/* fake-tool ROOT COMMAND ...: the other hand in the fake world, for drift, and a look at it.
 *
 * CONTAINER is an LXC name, with or without the root's tag; NETWORK a full name, found by the bridge's mark, or an
 * interface name. Exit: 0, 1 when something is not there, 2 for a wrong call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "tests/fake/tool.h"
#include "tests/fake/world.h"

const char *tool_root;

int tool_find_container(const struct json *world, const char *name, struct json **container,
                        struct error *error)
{
    const struct json *containers = fake_map(world, "containers");
    size_t length = strlen(name);
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        const char *known = json_key(i);
        bool tagged = strncmp(known, name, length) == 0 && known[length] == '.';
        if (strcmp(known, name) != 0 && !tagged)
            continue;
        *container = json_value(i);
        return 0;
    }
    return error_set(error, -ENOENT, "no container %s", name);
}

int tool_find_running(const struct json *world, const char *name, struct json **container,
                      struct error *error)
{
    int result = tool_find_container(world, name, container, error);
    if (result == 0 && !json_as_bool(json_get(*container, "running")))
        return error_set(error, -ESRCH, "container %s is not running", name);
    return result;
}

struct json *tool_copy_of(const struct json *value)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct json *copy = NULL;
    json_print(value, false, &text);
    if (json_parse(text.bytes, text.length, &copy, NULL) < 0)
        abort();
    return copy;
}

static const struct tool_command *const tables[] = {tool_look, tool_containers, tool_network, tool_storage};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static const struct tool_command *find_command(const char *name, int count)
{
    for (size_t i = 0; i < TABLES; i++)
        for (const struct tool_command *command = tables[i]; command->name; command++)
            if (strcmp(command->name, name) == 0 && command->count == count)
                return command;
    return NULL;
}

static int usage(void)
{
    fputs("usage: fake-tool ROOT COMMAND ...\n", stderr);
    for (size_t i = 0; i < TABLES; i++)
        for (const struct tool_command *command = tables[i]; command->name; command++)
            fprintf(stderr, "  %s %s\n", command->name, command->arguments);
    return 2;
}

static bool only_looks(const struct tool_command *command)
{
    for (const struct tool_command *look = tool_look; look->name; look++)
        if (look == command)
            return strcmp(look->name, "reset") != 0;
    return false;
}

int main(int count, char **arguments)
{
    const struct tool_command *command = count >= 3 ? find_command(arguments[2], count - 3) : NULL;
    if (!command)
        return usage();
    tool_root = arguments[1];
    struct error error = {0};
    _cleanup_close_ int lock = -1;
    _cleanup_json_ struct json *world = NULL;
    int result = only_looks(command) ? 0 : fake_lock(tool_root, &lock, &error);
    if (result == 0)
        result = fake_load(tool_root, &world, &error);
    if (result == 0)
        result = command->run(world, arguments + 3, &error);
    if (result == 0 && !only_looks(command))
        result = fake_save(tool_root, world, &error);
    if (result < 0)
        fprintf(stderr, "fake-tool: %s\n", error.text);
    return result < 0 ? 1 : 0;
}
