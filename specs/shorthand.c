/* Short forms of list items. */
#include "specs/shorthand.h"

#include <string.h>

static void read_mount(const struct reader *reader, const struct field *row, const struct node *node,
                       void *item);
static void read_bind(const struct reader *reader, const struct field *row, const struct node *node,
                      void *item);

/* The one word that it can be is of taking back. */
static void read_health(const struct reader *reader, const struct field *row, const struct node *node,
                        void *item)
{
    if (strcmp(node->text, "none") == 0)
        set_part(reader, row->nested, item, "none", "true", node);
    else
        not_of_shape(reader, row, node);
}

void read_shorthand(const struct reader *reader, const struct field *row, const struct node *node, void *item)
{
    if (row->nested == &port_table)
        read_port(reader, row, node, item);
    else if (row->nested == &mount_table)
        read_mount(reader, row, node, item);
    else if (row->nested == &health_table)
        read_health(reader, row, node, item);
    else if (row->nested == &bind_table)
        read_bind(reader, row, node, item);
    else
        set_part(reader, row->nested, item, row->nested->rows[0].key, node->text, node);
}

static void finish_device(const struct reader *reader, const struct device *device);

void finish_item(const struct reader *reader, const struct table *table, void *item)
{
    if (table == &port_table)
        finish_port(reader, item);
    if (table == &device_table)
        finish_device(reader, item);
}

/* Exactly one of the three says which device it is; of several processors none can be put at one place. */
static void finish_device(const struct reader *reader, const struct device *device)
{
    const int said = !!device->path + !!device->usb + !!device->gpu;
    if (!said)
        problem_add(reader->problems, device->described.place, "add path: /dev/fuse",
                    "a device needs a path, usb or gpu");
    else if (said > 1)
        problem_add(reader->problems, device->described.place, "keep one of them",
                    "a device is said by a path, by usb or by gpu, not by several of them");
    else if (device->gpu && device->target)
        problem_add(
            reader->problems, field_place(&device_table, device, field_by_key(&device_table, "target")),
            "remove it: its devices are in /dev as on the host", "'target': a gpu has several devices");
}

void set_part(const struct reader *reader, const struct table *table, void *item, const char *key,
              const char *text, const struct node *node)
{
    const struct node part = {.type = NODE_SCALAR,
                              .place = node->place,
                              .text = text,
                              .length = strlen(text),
                              .plain = true,
                              .was_interpolated = true, /* an empty part is an empty text */
                              .broken = node->broken};
    read_field(reader, table, field_by_key(table, key), &part, item);
}

void not_of_shape(const struct reader *reader, const struct field *row, const struct node *node)
{
    problem_add(reader->problems, node->place,
                arena_printf(reader->arena, "write %s: %s", row->key, row->example),
                "'%s': expected %s, found %s", row->key, row->shorthand, node_describe(reader->arena, node));
}

static void read_mount(const struct reader *reader, const struct field *row, const struct node *node,
                       void *item)
{
    char *volume = arena_strdup(reader->arena, node->text);
    char *path = strchr(volume, ':');
    if (!path) {
        not_of_shape(reader, row, node);
        return;
    }
    *path++ = '\0';
    char *mode = strchr(path, ':');
    if (mode)
        *mode++ = '\0';
    if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0) {
        not_of_shape(reader, row, node);
        return;
    }
    set_part(reader, row->nested, item, "volume", volume, node);
    set_part(reader, row->nested, item, "path", path, node);
    if (mode)
        set_part(reader, row->nested, item, "read_only", strcmp(mode, "ro") == 0 ? "true" : "false", node);
}

static void read_bind(const struct reader *reader, const struct field *row, const struct node *node,
                      void *item)
{
    char *source = arena_strdup(reader->arena, node->text);
    char *path = strchr(source, ':'), *mode = path ? strchr(path + 1, ':') : NULL;
    if (!path || (mode && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0)) {
        not_of_shape(reader, row, node);
        return;
    }
    *path++ = '\0';
    if (mode)
        *mode++ = '\0';
    set_part(reader, row->nested, item, "source", source, node);
    set_part(reader, row->nested, item, "path", path, node);
    if (mode)
        set_part(reader, row->nested, item, "read_only", strcmp(mode, "ro") == 0 ? "true" : "false", node);
}
