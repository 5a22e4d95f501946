/* fake-tool: looks at the fake world. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "tests/fake/tool.h"
#include "tests/fake/world.h"

static int run_print(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    _cleanup_buffer_ struct buffer text = {0};
    json_print(world, true, &text);
    puts(text.bytes);
    return 0;
}

static int run_calls(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    printf("%lld\n", (long long)number_in(world, "calls"));
    return 0;
}

static int run_mutations(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    printf("%lld\n", (long long)number_in(world, "mutations"));
    return 0;
}

static int run_violations(struct json *world, char **arguments, struct error *error)
{
    (void)arguments, (void)error;
    const struct json *violations = json_get(world, "violations");
    for (size_t i = 0; i < json_length(violations); i++)
        puts(json_as_text(json_at(violations, i)));
    return 0;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A copy with all keys in order: the order in which things were made is no part of what they are. */
static struct json *sorted(const struct json *value)
{
    if (!json_holds_object(value))
        return tool_copy_of(value);
    size_t count = 0;
    _cleanup_free_ const char **keys = calloc(json_length(value) + 1, sizeof(*keys));
    if (!keys)
        abort();
    for (void *i = json_first(value); i; i = json_next(value, i))
        keys[count++] = json_key(i);
    qsort(keys, count, sizeof(*keys), by_text);
    struct json *copy = json_new_object();
    for (size_t i = 0; i < count; i++)
        json_set(copy, keys[i], sorted(json_get(value, keys[i])));
    return copy;
}

/* MAC addresses are drawn by lot: each is replaced by the number of its first appearance, so that what was alike
 * stays alike. */
static void number_macs(struct json *value, struct json *seen)
{
    for (size_t i = 0; json_holds_array(value) && i < json_length(value); i++)
        number_macs(json_at(value, i), seen);
    for (void *i = json_holds_object(value) ? json_first(value) : NULL; i; i = json_next(value, i)) {
        const char *mac = strcmp(json_key(i), "mac") == 0 ? json_as_text(json_value(i)) : NULL;
        if (!mac) {
            number_macs(json_value(i), seen);
            continue;
        }
        if (!json_get(seen, mac))
            json_set(seen, mac, json_new_number((int64_t)json_length(seen) + 1));
        json_set(value, "mac", json_new_number(number_in(seen, mac)));
    }
}

/* Their numbers tell only in which order things were frozen. */
static void count_frozen(struct json *holder)
{
    const struct json *frozen = json_get(holder, "frozen");
    if (frozen)
        json_set(holder, "frozen", json_new_number((int64_t)json_length(frozen)));
}

/* Those with a time in their name are of commands that replaced something: asked again after a fault, they may have had
 * nothing to keep. */
static void leave_out_timed(struct json *data)
{
    const struct json *snapshots = json_get(data, "snapshots");
    struct json *names = json_new_object();
    for (void *i = json_first(snapshots); i; i = json_next(snapshots, i)) {
        const char *digits = strpbrk(json_key(i), "0123456789");
        if (!digits || strspn(digits, "0123456789-") < strlen("20260102-030405"))
            json_set(names, json_key(i), json_new_bool(json_as_bool(json_get(json_value(i), "kept"))));
    }
    json_set(data, "snapshots", names);
}

/* What would be compared after two ways to the same end: everything but numbers that count time. */
static int run_state(struct json *world, char **arguments, struct error *error)
{
    static const char *const counting[] = {"calls", "mutations", "clock", "next_pid"};
    static const char *const of_container[] = {"monitor_pid", "init_pid", "init_start", "config_digest",
                                               "stopped_by"};
    for (size_t i = 0; i < sizeof(counting) / sizeof(counting[0]); i++)
        json_remove(world, counting[i]);
    const struct json *containers = fake_map(world, "containers"), *resolvers = fake_map(world, "resolvers");
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        for (size_t j = 0; j < sizeof(of_container) / sizeof(of_container[0]); j++)
            json_remove(json_value(i), of_container[j]);
        json_remove(json_get(json_value(i), "definition"), "uid");
        json_remove(json_get(json_value(i), "definition"), "generation");
    }
    for (void *i = json_first(resolvers); i; i = json_next(resolvers, i))
        json_set(json_value(i), "pid", json_new_bool(number_in(json_value(i), "pid") > 0));
    static const char *const data[] = {"layers", "volumes"};
    for (size_t i = 0; i < 2; i++)
        for (void *j = json_first(fake_map(world, data[i])); j; j = json_next(fake_map(world, data[i]), j)) {
            json_remove(json_value(j), "modified");
            json_remove(json_value(j), "token");
            json_remove(json_value(j), "dirty");
            count_frozen(json_value(j));
            leave_out_timed(json_value(j));
        }
    static const char *const built[][2] = {{"steps", "used"}, {"contexts", "made"}};
    for (size_t i = 0; i < 2; i++)
        for (void *j = json_first(fake_map(world, built[i][0])); j;
             j = json_next(fake_map(world, built[i][0]), j))
            json_remove(json_value(j), built[i][1]);
    static const char *const marked[] = {"bridges", "ports"};
    for (size_t i = 0; i < 2; i++)
        for (void *j = json_first(fake_map(world, marked[i])); j;
             j = json_next(fake_map(world, marked[i]), j)) {
            const char *mark = text_in(json_value(j), "mark"), *name = mark ? strrchr(mark, ' ') : NULL;
            _cleanup_free_ char *copy = name ? strdup(name + 1) : NULL; /* without the uid */
            json_set(json_value(j), "mark", json_new_text(copy));
        }
    _cleanup_json_ struct json *ordered = sorted(world), *seen = json_new_object();
    number_macs(ordered, seen);
    return run_print(ordered, arguments, error);
}

static int run_reset(struct json *world, char **arguments, struct error *error)
{
    (void)arguments;
    json_set(world, "calls", json_new_number(0));
    json_set(world, "mutations", json_new_number(0));
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake/calls", tool_root);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "cannot remove %s", path);
    return 0;
}

const struct tool_command tool_look[] = {
    {"print", "", 0, run_print},
    {"state", "", 0, run_state},
    {"calls", "", 0, run_calls},
    {"mutations", "", 0, run_mutations},
    {"violations", "", 0, run_violations},
    {"reset", "", 0, run_reset},
    {0},
};
