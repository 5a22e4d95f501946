/* A container's config read back, line by line as liblxc saved it, into the definition that it was written from. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/units.h"

#define FILE_LIMIT (1024 * 1024) /* bytes */

struct reading {
    struct arena *arena;
    struct container_definition *definition;
    bool has_command;
};

static struct nic *nic_of(struct reading *reading, int64_t index)
{
    struct list *nics = &reading->definition->nics;
    for (size_t i = 0; i < nics->count; i++)
        if (((struct nic *)nics->items[i])->index == index)
            return nics->items[i];
    struct nic *nic = described_new(reading->arena, &nic_table);
    nic->index = index;
    *arena_append(reading->arena, nics->items, nics->count) = nic;
    return nic;
}

/* "0.hwaddr" */
static void read_nic(struct reading *reading, const char *item, const char *value)
{
    const char *dot = strchr(item, '.');
    int64_t index;
    if (!dot || number_parse(arena_strndup(reading->arena, item, (size_t)(dot - item)), &index) < 0 ||
        index < 0)
        return;
    if (strcmp(dot, ".type") == 0) {
        if (strcmp(value, "veth") == 0 || strcmp(value, "macvlan") == 0)
            nic_of(reading, index)->macvlan = *value == 'm';
        reading->definition->host_network = strcmp(value, "none") == 0;
        return;
    }
    struct nic *nic = nic_of(reading, index);
    const char **at = strcmp(dot, ".veth.pair") == 0      ? &nic->ifname
                      : strcmp(dot, ".link") == 0         ? &nic->bridge
                      : strcmp(dot, ".hwaddr") == 0       ? &nic->mac
                      : strcmp(dot, ".ipv4.address") == 0 ? &nic->address
                      : strcmp(dot, ".ipv4.gateway") == 0 ? &nic->gateway
                      : strcmp(dot, ".ipv6.address") == 0 ? &nic->address6
                      : strcmp(dot, ".ipv6.gateway") == 0 ? &nic->gateway6
                                                          : NULL;
    if (at)
        *at = value;
}

static void read_variable(struct reading *reading, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return;
    *equals = '\0';
    struct pairs *env = &reading->definition->env;
    *arena_append(reading->arena, env->items, env->count) = (struct pair){.key = text, .value = equals + 1};
}

static void read_item(struct reading *reading, const char *key, char *value)
{
    struct container_definition *definition = reading->definition;
    long long base;
    if (strcmp(key, "lxc.uts.name") == 0)
        definition->hostname = value;
    else if (strcmp(key, "lxc.environment") == 0)
        read_variable(reading, value);
    else if (strncmp(key, "lxc.net.", strlen("lxc.net.")) == 0)
        read_nic(reading, key + strlen("lxc.net."), value);
    else if (strcmp(key, "lxc.idmap") == 0 && sscanf(value, "u 0 %lld", &base) == 1)
        definition->id_base = base;
    else if (strcmp(key, "lxc.init.cmd") == 0)
        reading->has_command = strcmp(value, CONTAINER_INIT) == 0;
}

static void read_lines(struct reading *reading, char *text)
{
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
        char *equals = strstr(line, " = ");
        if (!equals || *line == '#')
            continue;
        *equals = '\0';
        read_item(reading, line, equals + strlen(" = "));
    }
}

/* Words, each ended by a NUL. */
static int read_command(struct reading *reading, const struct paths *paths, const char *name,
                        struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer words = {0};
    container_path(paths, name, CONTAINER_HOST_DIR "/argv", path);
    int result = buffer_read_file(&words, AT_FDCWD, path, FILE_LIMIT, error);
    if (result < 0)
        return result;
    struct texts *command = &reading->definition->command;
    for (size_t at = 0; at < words.length; at += strlen(words.bytes + at) + 1)
        *arena_append(reading->arena, command->items, command->count) =
            arena_strdup(reading->arena, words.bytes + at);
    return 0;
}

static int read_said(struct reading *reading, const struct paths *paths, const char *name, const char *file,
                     const char **said, struct error *error)
{
    char path[CONTAINER_PATH_SIZE], inner[32];
    _cleanup_buffer_ struct buffer text = {0};
    snprintf(inner, sizeof(inner), CONTAINER_HOST_DIR "/%s", file);
    container_path(paths, name, inner, path);
    int result = buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, error);
    if (result == 0)
        *said = arena_strdup(reading->arena, text.bytes);
    return result == -ENOENT ? 0 : result;
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct pair *)left)->key, ((const struct pair *)right)->key);
}

int container_read_definition(const struct paths *paths, const char *lxc_name, const struct call *call,
                              struct container_definition **out, struct error *error)
{
    struct observed_container mark = {0};
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    *out = NULL;
    int result = container_check_name(lxc_name, error);
    if (result < 0)
        return result;
    container_path(paths, lxc_name, "config", path);
    result = buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, error);
    if (result < 0)
        return result == -ENOENT ? 0 : error_wrap(error, result, "container %s", lxc_name);
    if (text.length)
        container_read_mark(text.bytes, call->arena, &mark);
    if (!mark.ours)
        return 0;
    struct reading reading = {.arena = call->arena,
                              .definition = described_new(call->arena, &container_definition_table)};
    reading.definition->lxc_name = lxc_name;
    reading.definition->uid = mark.uid;
    reading.definition->generation = mark.generation;
    read_lines(&reading, arena_strdup(call->arena, text.bytes));
    if (reading.has_command)
        result = read_command(&reading, paths, lxc_name, error);
    if (result == 0 && reading.has_command)
        result = read_said(&reading, paths, lxc_name, "user", &reading.definition->user, error);
    if (result == 0 && reading.has_command)
        result = read_said(&reading, paths, lxc_name, "directory", &reading.definition->directory, error);
    if (result < 0)
        return result;
    struct pairs *env = &reading.definition->env;
    if (env->count)
        qsort(env->items, env->count, sizeof(*env->items), by_key);
    *out = described_whole(&container_definition_table, reading.definition);
    return 0;
}
