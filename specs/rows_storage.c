/* Rows of volumes and layers, and of a container's mounts. */
#include "specs/rows.h"

static const char *const volume_types[] = {"dir", "loop", "btrfs", NULL};
const char *const retains[] = {"gc", "keep", "none", NULL};

static const struct field volume_rows[] = {
    {.id = 1,
     .key = "size",
     .type = FIELD_NUMBER,
     .form = FORM_SIZE,
     AT(volume, size),
     .class = CLASS_LIVE,
     .minimum = 16 * MEBIBYTE,
     .maximum = 16 * MEBIBYTE * MEBIBYTE,
     .example = "2GiB",
     .help = "How much fits in; without it as much as the store has. It can grow, and not shrink."},
    {.id = 2,
     .key = "type",
     .type = FIELD_TEXT,
     AT(volume, type),
     .class = CLASS_FIXED,
     .standard = "dir",
     .words = volume_types,
     .example = "loop",
     .help =
         "What it is made of: dir, a folder of the store; loop, an ext4 file system in a file, which it is "
         "when it has a size; btrfs, a subvolume where the store is btrfs."},
    {.id = 3,
     .key = "fill",
     .type = FIELD_BOOL,
     AT(volume, fill),
     .class = CLASS_RECORD,
     .standard = "true",
     .example = "false",
     .help = "Whether it is filled, while it is new, with what the image of its container has at its path."},
    {.id = 4,
     .key = "retain",
     .type = FIELD_TEXT,
     AT(volume, retain),
     .class = CLASS_RECORD,
     .standard = "gc",
     .words = retains,
     .example = "keep",
     .help =
         "What becomes of the data when it is declared no more: gc, kept until fpsync gc; keep, never freed; "
         "none, thrown away, and at every start of its container, too."},
    {.id = 9,
     .key = "was",
     .type = FIELD_TEXT,
     .form = FORM_REFERENCE,
     AT(volume, was),
     .class = CLASS_LIVE,
     .flags = FIELD_ONCE,
     .example = "uploads",
     .help = "The name that it had before: its data go on under this one, while they are mounted. Once that "
             "is done the line says nothing any more."},
    {.id = 8,
     .key = "allow",
     .type = FIELD_TEXTS,
     .form = FORM_NAME,
     AT(volume, allow),
     .class = CLASS_RECORD,
     .example = "[shop, blog]",
     .help = "Other projects whose containers may mount it."},
};
const struct table volume_table = {.name = "volume",
                                   .size = sizeof(struct volume),
                                   TABLE_ROWS(volume_rows),
                                   .help = "Data with a life of its own, mounted into containers."};

const char *const image_changes[] = {"auto", "restack", "keep", "reset", NULL};

static const struct field layer_rows[] = {
    {.id = 1,
     .key = "image",
     .type = FIELD_TEXT,
     .form = FORM_REFERENCE,
     AT(layer, image),
     .class = CLASS_RECREATE,
     .flags = FIELD_REQUIRED,
     .example = "base",
     .help = "The image below the layer."},
    {.id = 3,
     .key = "on_image_change",
     .type = FIELD_TEXT,
     AT(layer, on_image_change),
     .class = CLASS_RECORD,
     .standard = "auto",
     .words = image_changes,
     .example = "keep",
     .help =
         "What becomes of it when its image changed, at the next start: auto and restack put it on the new "
         "image, auto not if it holds a package database or the system below is another one; keep stays on "
         "the old image; reset keeps it as a snapshot and begins anew."},
    {.id = 2,
     .key = "retain",
     .type = FIELD_TEXT,
     AT(layer, retain),
     .class = CLASS_RECORD,
     .standard = "gc",
     .words = retains,
     .example = "keep",
     .help = "What becomes of it when it is declared no more: as for volumes."},
    {.id = 9,
     .key = "was",
     .type = FIELD_TEXT,
     .form = FORM_REFERENCE,
     AT(layer, was),
     .class = CLASS_RECREATE,
     .flags = FIELD_ONCE,
     .example = "web-data",
     .help = "The name that it had before: its data go on under this one. Once that is done the line says "
             "nothing any more."},
};
const struct table layer_table = {.name = "layer",
                                  .size = sizeof(struct layer),
                                  TABLE_ROWS(layer_rows),
                                  .help =
                                      "What one container writes, above its image. A container that names no "
                                      "layer has one of its own name."};

static const struct field mount_rows[] = {
    {.id = 1,
     .key = "path",
     .type = FIELD_TEXT,
     .form = FORM_GUEST_PATH,
     AT(mount, path),
     .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED,
     .example = "/srv/data",
     .help = "Where it is mounted in the container."},
    {.id = 2,
     .key = "volume",
     .type = FIELD_TEXT,
     .form = FORM_REFERENCE,
     AT(mount, volume),
     .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED,
     .example = "data",
     .help = "The volume."},
    {.id = 3,
     .key = "read_only",
     .type = FIELD_BOOL,
     AT(mount, read_only),
     .class = CLASS_LIVE,
     .standard = "false",
     .example = "true",
     .help = "Whether it can only be read there; root in the container cannot change that."},
};
const struct table mount_table = {.name = "container.volumes",
                                  .size = sizeof(struct mount),
                                  TABLE_ROWS(mount_rows),
                                  .help = "A volume mounted in the container."};
