#include "reconciler/permission.h"

#include <string.h>

#include "drivers/paths.h"
#include "lib/buffer.h"

struct asking {
    const struct policy_allow *allow;
    const struct paths *paths;
    const struct object *object;
    struct arena *arena;
    struct refusal *refusal;
};

bool path_is_at_or_below(const char *path, const char *base)
{
    size_t length = strcmp(base, "/") == 0 ? 0 : strlen(base);
    return strncmp(path, base, length) == 0 && (path[length] == '/' || !path[length]);
}

const char *device_text(struct arena *arena, const struct device *device)
{
    return device->path
               ? device->path
               : arena_printf(arena, "%s %s", device->usb ? "usb" : "gpu", item_key(&device_table, device));
}

/* The line to add, with what stands in that list already; `item` below a bracket of its own would replace it. */
static const char *list_line(const struct asking *asking, const char *key, const struct texts *allowed,
                             const char *item)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_printf(&text, "write to %s: allow: { %s: [", asking->paths->conf, key);
    for (size_t i = 0; i < allowed->count; i++) {
        scalar_print(allowed->items[i], &text);
        buffer_text(&text, ", ");
    }
    scalar_print(item, &text);
    buffer_text(&text, "] }");
    return arena_strdup(asking->arena, text.bytes);
}

static bool is_listed(const struct texts *allowed, const char *path)
{
    for (size_t i = 0; i < allowed->count; i++)
        if (path_is_at_or_below(path, allowed->items[i]))
            return true;
    return false;
}

static bool refuse(const struct asking *asking, struct place at, const char *reason, const char *hint)
{
    *asking->refusal = (struct refusal){.reason = reason, .hint = hint, .at = at};
    return true;
}

static bool nature_is_refused(const struct asking *asking)
{
    const struct policy_allow *allow = asking->allow;
    const struct container *body = asking->object->body;
    const struct {
        bool asked, allowed;
        const char *field, *key;
    } needs[] = {{body->privileged, allow->privileged, "privileged: true", "privileged"},
                 {body->host_network, allow->host_network, "networks: host", "host_network"},
                 {body->lxc.count, allow->raw_lxc, "lxc", "raw_lxc"}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (!needs[i].asked || needs[i].allowed)
            continue;
        return refuse(asking, asking->object->place,
                      arena_printf(asking->arena, "%s is not permitted on this host", needs[i].field),
                      arena_printf(asking->arena, "write to %s: allow: { %s: true }", asking->paths->conf,
                                   needs[i].key));
    }
    return false;
}

static bool bind_is_refused(const struct asking *asking)
{
    const struct list *binds = &((const struct container *)asking->object->body)->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (!is_listed(&asking->allow->binds, bind->source))
            return refuse(
                asking, bind->described.place,
                arena_printf(asking->arena, "bind of %s is not permitted on this host", bind->source),
                list_line(asking, "binds", &asking->allow->binds, bind->source));
    }
    return false;
}

static const char *device_word(const struct device *device)
{
    return device->path ? device->path : device->usb ? "usb" : "gpu";
}

static bool device_is_listed(const struct texts *allowed, const struct device *device)
{
    if (device->path)
        return is_listed(allowed, device->path);
    for (size_t i = 0; i < allowed->count; i++)
        if (strcmp(allowed->items[i], device_word(device)) == 0)
            return true;
    return false;
}

static bool device_is_refused(const struct asking *asking)
{
    const struct list *devices = &((const struct container *)asking->object->body)->devices;
    for (size_t i = 0; i < devices->count; i++) {
        const struct device *device = devices->items[i];
        if (!device_is_listed(&asking->allow->devices, device))
            return refuse(asking, device->described.place,
                          arena_printf(asking->arena, "device %s is not permitted on this host",
                                       device_text(asking->arena, device)),
                          list_line(asking, "devices", &asking->allow->devices, device_word(device)));
    }
    return false;
}

bool permission_is_refused(const struct policy *policy, const struct paths *paths,
                           const struct object *container, struct arena *arena, struct refusal *refusal)
{
    const struct asking asking = {
        .allow = policy->allow, .paths = paths, .object = container, .arena = arena, .refusal = refusal};
    return nature_is_refused(&asking) || bind_is_refused(&asking) || device_is_refused(&asking);
}
