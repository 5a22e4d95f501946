/* Tables of the image family's requests and results: how the main program and a worker exchange them. */
#include "drivers/image/image.h"

#define ROW(number, member, kind, ...)                                                                       \
    {                                                                                                        \
        .id = (number), .key = #member, .type = (kind), .offset = offsetof(struct REQUEST, member),          \
        __VA_ARGS__                                                                                          \
    }

#define REQUEST image_make
static const struct field image_make_rows[] = {
    ROW(1, name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, source, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, packages, FIELD_TEXTS),
    ROW(4, remote, FIELD_STRUCT, .nested = &remote_table),
    ROW(5, pin, FIELD_TEXT),
    ROW(6, origin, FIELD_TEXT),
    ROW(7, offline, FIELD_BOOL),
    ROW(8, arch, FIELD_TEXT),
    ROW(9, downloads, FIELD_STRUCT, .nested = &downloads_table),
};
const struct table image_make_table = {
    .name = "image-make", .size = sizeof(struct image_make), TABLE_ROWS(image_make_rows)};
#undef REQUEST

#define REQUEST image_made
static const struct field image_made_rows[] = {
    ROW(1, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, bytes, FIELD_NUMBER),
    ROW(3, config, FIELD_TEXT),
    ROW(4, origin, FIELD_TEXT),
    ROW(5, lower, FIELD_TEXT),
};
const struct table image_made_table = {
    .name = "image-made", .size = sizeof(struct image_made), TABLE_ROWS(image_made_rows)};
#undef REQUEST

#define REQUEST image_reference
static const struct field image_reference_rows[] = {
    ROW(1, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, left, FIELD_BOOL),
    ROW(3, download, FIELD_BOOL),
};
const struct table image_reference_table = {
    .name = "image-reference", .size = sizeof(struct image_reference), TABLE_ROWS(image_reference_rows)};
#undef REQUEST

#define REQUEST image_export
static const struct field image_export_rows[] = {
    ROW(1, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, tag, FIELD_TEXT),
    ROW(4, compression, FIELD_TEXT),
};
const struct table image_export_table = {
    .name = "image-export", .size = sizeof(struct image_export), TABLE_ROWS(image_export_rows)};
#undef REQUEST

#define REQUEST image_exported
static const struct field image_exported_rows[] = {
    ROW(1, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, bytes, FIELD_NUMBER),
};
const struct table image_exported_table = {
    .name = "image-exported", .size = sizeof(struct image_exported), TABLE_ROWS(image_exported_rows)};
#undef REQUEST
