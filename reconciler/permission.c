#include "reconciler/permission.h"

#include <string.h>

#include "drivers/paths.h"
#include "lib/buffer.h"

struct asking {
    const struct object *object;
    struct arena *arena;
    struct policy_allow *allow; /* what is permitted, and what was found to be missing */
    struct texts missing;       /* as told to people */
    struct place at;            /* of the first of them */
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

static bool is_listed(const struct texts *allowed, const char *path)
{
    for (size_t i = 0; i < allowed->count; i++)
        if (path_is_at_or_below(path, allowed->items[i]))
            return true;
    return false;
}

static void miss(struct asking *asking, struct place at, const char *what)
{
    if (!asking->missing.count)
        asking->at = at;
    *arena_append(asking->arena, asking->missing.items, asking->missing.count) = what;
}

static void permit(struct asking *asking, const char *key)
{
    field_mark_present(&allow_table, asking->allow, field_by_key(&allow_table, key));
}

static void ask_for_nature(struct asking *asking)
{
    struct policy_allow *allow = asking->allow;
    const struct container *body = asking->object->body;
    const struct {
        bool asked, *allowed;
        const char *field, *key;
    } needs[] = {{body->privileged, &allow->privileged, "privileged: true", "privileged"},
                 {body->host_network, &allow->host_network, "networks: host", "host_network"},
                 {body->lxc.count, &allow->raw_lxc, "lxc", "raw_lxc"}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (!needs[i].asked || *needs[i].allowed)
            continue;
        *needs[i].allowed = true;
        permit(asking, needs[i].key);
        miss(asking, asking->object->place, needs[i].field);
    }
}

static void ask_for_binds(struct asking *asking)
{
    const struct list *binds = &((const struct container *)asking->object->body)->binds;
    struct texts *allowed = &asking->allow->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind *bind = binds->items[i];
        if (is_listed(allowed, bind->source))
            continue;
        *arena_append(asking->arena, allowed->items, allowed->count) = bind->source;
        permit(asking, "binds");
        miss(asking, bind->described.place, arena_printf(asking->arena, "bind of %s", bind->source));
    }
}

static const char *device_word(const struct device *device)
{
    return device->path ? device->path : device->usb ? "usb" : "gpu";
}

static void ask_for_devices(struct asking *asking)
{
    const struct list *devices = &((const struct container *)asking->object->body)->devices;
    struct texts *allowed = &asking->allow->devices;
    for (size_t i = 0; i < devices->count; i++) {
        const struct device *device = devices->items[i];
        const char *word = device_word(device);
        if (device->path ? is_listed(allowed, word) : texts_have(allowed, word))
            continue;
        *arena_append(asking->arena, allowed->items, allowed->count) = word;
        permit(asking, "devices");
        miss(asking, device->described.place,
             arena_printf(asking->arena, "device %s", device_text(asking->arena, device)));
    }
}

/* "bind of /srv, bind of /opt and device usb are not permitted on this host" */
static const char *reason_of(const struct asking *asking)
{
    const struct texts *missing = &asking->missing;
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < missing->count; i++)
        buffer_printf(&text, "%s%s", !i ? "" : i + 1 == missing->count ? " and " : ", ", missing->items[i]);
    buffer_printf(&text, " %s not permitted on this host", missing->count > 1 ? "are" : "is");
    return arena_strdup(asking->arena, text.bytes);
}

bool permission_is_refused(const struct policy *policy, const struct paths *paths,
                           const struct object *container, struct arena *arena, struct refusal *refusal)
{
    const struct container *body = container->body;
    if (!body->privileged && !body->host_network && !body->lxc.count && !body->binds.count &&
        !body->devices.count)
        return false;
    struct asking asking = {
        .object = container, .arena = arena, .allow = described_copy(arena, &allow_table, policy->allow)};
    ask_for_nature(&asking);
    ask_for_binds(&asking);
    ask_for_devices(&asking);
    if (!asking.missing.count)
        return false;
    _cleanup_buffer_ struct buffer line = {0};
    fields_print_flow(&allow_table, asking.allow, &line);
    *refusal = (struct refusal){.reason = reason_of(&asking),
                                .hint = arena_printf(arena, "write to %s: allow: { %.*s }", paths->conf,
                                                     (int)line.length - 2, line.bytes + 1),
                                .at = asking.at};
    return true;
}
