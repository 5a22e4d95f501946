/* Tables of the storage family's requests: how the main program hands them to a worker. */
#include "drivers/storage/storage.h"

#define ROW(number, member, kind, ...)                                                                       \
    {                                                                                                        \
        .id = (number), .key = #member, .type = (kind), .offset = offsetof(struct REQUEST, member),          \
        __VA_ARGS__                                                                                          \
    }

#define REQUEST data_reference
static const struct field data_reference_rows[] = {
    ROW(1, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, left, FIELD_BOOL),
};
const struct table data_reference_table = {
    .name = "data-reference", .size = sizeof(struct data_reference), TABLE_ROWS(data_reference_rows)};
#undef REQUEST

#define REQUEST volume_source
static const struct field volume_source_rows[] = {
    ROW(1, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, type, FIELD_TEXT),
    ROW(3, size, FIELD_NUMBER),
};
const struct table volume_source_table = {
    .name = "volume-source", .size = sizeof(struct volume_source), TABLE_ROWS(volume_source_rows)};
#undef REQUEST

#define REQUEST data_rename
static const struct field data_rename_rows[] = {
    ROW(1, from, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, to, FIELD_TEXT, .flags = FIELD_REQUIRED),
};
const struct table data_rename_table = {
    .name = "data-rename", .size = sizeof(struct data_rename), TABLE_ROWS(data_rename_rows)};
#undef REQUEST

#define REQUEST root_file
static const struct field root_file_rows[] = {
    ROW(1, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, content, FIELD_TEXT),
    ROW(3, mode, FIELD_NUMBER),
};
const struct table root_file_table = {
    .name = "root-file", .size = sizeof(struct root_file), TABLE_ROWS(root_file_rows)};
#undef REQUEST

#define REQUEST root_volume
static const struct field root_volume_rows[] = {
    ROW(1, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, read_only, FIELD_BOOL),
    ROW(4, type, FIELD_TEXT),
    ROW(5, size, FIELD_NUMBER),
    ROW(6, fill, FIELD_BOOL),
    ROW(7, fresh, FIELD_BOOL),
    ROW(8, fills, FIELD_TEXTS),
};
const struct table root_volume_table = {
    .name = "root-volume", .size = sizeof(struct root_volume), TABLE_ROWS(root_volume_rows)};
#undef REQUEST

#define REQUEST root_bind
static const struct field root_bind_rows[] = {
    ROW(1, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, source, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, read_only, FIELD_BOOL),
};
const struct table root_bind_table = {
    .name = "root-bind", .size = sizeof(struct root_bind), TABLE_ROWS(root_bind_rows)};
#undef REQUEST

#define REQUEST root_mount
static const struct field root_mount_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, layer, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(4, id_base, FIELD_NUMBER),
    ROW(5, volumes, FIELD_LIST, .nested = &root_volume_table),
    ROW(6, files, FIELD_LIST, .nested = &root_file_table),
    ROW(7, with_init, FIELD_BOOL),
    ROW(8, copy, FIELD_BOOL),
    ROW(9, from, FIELD_TEXT),
    ROW(10, binds, FIELD_LIST, .nested = &root_bind_table),
    ROW(12, fresh, FIELD_BOOL),
    ROW(13, disk, FIELD_NUMBER),
    ROW(14, lends_sys, FIELD_BOOL),
    ROW(15, lends_names, FIELD_BOOL),
};
const struct table root_mount_table = {
    .name = "root-mount", .size = sizeof(struct root_mount), TABLE_ROWS(root_mount_rows)};
#undef REQUEST

#define REQUEST data_guest
static const struct field data_guest_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, init_pid, FIELD_NUMBER),
    ROW(3, init_start, FIELD_NUMBER),
};
const struct table data_guest_table = {
    .name = "data-guest", .size = sizeof(struct data_guest), TABLE_ROWS(data_guest_rows)};
#undef REQUEST

#define REQUEST data_change
static const struct field data_change_rows[] = {
    ROW(1, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, token, FIELD_TEXT),
    ROW(3, image, FIELD_TEXT),
    ROW(4, name, FIELD_TEXT),
    ROW(5, kept, FIELD_BOOL),
    ROW(6, whole, FIELD_BOOL),
    ROW(7, fresh, FIELD_BOOL),
    ROW(8, from, FIELD_TEXT),
    ROW(9, guests, FIELD_LIST, .nested = &data_guest_table),
};
const struct table data_change_table = {
    .name = "data-change", .size = sizeof(struct data_change), TABLE_ROWS(data_change_rows)};
#undef REQUEST

#define REQUEST data_changed
static const struct field data_changed_rows[] = {
    ROW(1, name, FIELD_TEXT),
    ROW(2, image, FIELD_TEXT),
};
const struct table data_changed_table = {
    .name = "data-changed", .size = sizeof(struct data_changed), TABLE_ROWS(data_changed_rows)};
#undef REQUEST

#define REQUEST archive_part
static const struct field archive_part_rows[] = {
    ROW(1, name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, layers, FIELD_TEXTS),
    ROW(3, volumes, FIELD_TEXTS),
    ROW(4, guests, FIELD_LIST, .nested = &data_guest_table),
};
const struct table archive_part_table = {
    .name = "archive-part", .size = sizeof(struct archive_part), TABLE_ROWS(archive_part_rows)};
#undef REQUEST

#define REQUEST archive
static const struct field archive_rows[] = {
    ROW(1, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, guests, FIELD_LIST, .nested = &data_guest_table),
    ROW(3, parts, FIELD_LIST, .nested = &archive_part_table),
};
const struct table archive_table = {
    .name = "archive", .size = sizeof(struct archive), TABLE_ROWS(archive_rows)};
#undef REQUEST

#define REQUEST layer_check
static const struct field layer_check_rows[] = {
    ROW(1, file, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, from, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, to, FIELD_TEXT, .flags = FIELD_REQUIRED),
};
const struct table layer_check_table = {
    .name = "layer-check", .size = sizeof(struct layer_check), TABLE_ROWS(layer_check_rows)};
#undef REQUEST

#define REQUEST root_write
static const struct field root_write_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, id_base, FIELD_NUMBER),
    ROW(3, files, FIELD_LIST, .nested = &root_file_table),
};
const struct table root_write_table = {
    .name = "root-write", .size = sizeof(struct root_write), TABLE_ROWS(root_write_rows)};
#undef REQUEST

#define REQUEST root_reference
static const struct field root_reference_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
};
const struct table root_reference_table = {
    .name = "root-reference", .size = sizeof(struct root_reference), TABLE_ROWS(root_reference_rows)};
#undef REQUEST

#define REQUEST volume_attach
static const struct field volume_attach_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, init_pid, FIELD_NUMBER),
    ROW(3, init_start, FIELD_NUMBER),
    ROW(4, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(5, file, FIELD_TEXT),
    ROW(6, read_only, FIELD_BOOL),
    ROW(7, type, FIELD_TEXT),
    ROW(8, size, FIELD_NUMBER),
    ROW(9, digest, FIELD_TEXT),
    ROW(10, fill, FIELD_BOOL),
    ROW(11, fills, FIELD_TEXTS),
};
const struct table volume_attach_table = {
    .name = "volume-attach", .size = sizeof(struct volume_attach), TABLE_ROWS(volume_attach_rows)};
#undef REQUEST

#define REQUEST bind_attach
static const struct field bind_attach_rows[] = {
    ROW(1, lxc_name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, init_pid, FIELD_NUMBER),
    ROW(3, init_start, FIELD_NUMBER),
    ROW(4, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(5, source, FIELD_TEXT),
    ROW(6, read_only, FIELD_BOOL),
    ROW(7, plain, FIELD_BOOL),
};
const struct table bind_attach_table = {
    .name = "bind-attach", .size = sizeof(struct bind_attach), TABLE_ROWS(bind_attach_rows)};
#undef REQUEST
