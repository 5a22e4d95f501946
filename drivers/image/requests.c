/* Tables of the image family's requests and results: how the main program and a worker exchange them. */
#include <string.h>

#include "drivers/image/build.h"
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
    ROW(20, words, FIELD_TEXTS),
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

#define REQUEST image_listed
static const struct field image_listed_rows[] = {
    ROW(1, products, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, more, FIELD_NUMBER),
};
const struct table image_listed_table = {
    .name = "image-listed", .size = sizeof(struct image_listed), TABLE_ROWS(image_listed_rows)};
#undef REQUEST

#define REQUEST image_looked
static const struct field image_looked_rows[] = {
    ROW(1, origin, FIELD_TEXT, .flags = FIELD_REQUIRED),
};
const struct table image_looked_table = {
    .name = "image-looked", .size = sizeof(struct image_looked), TABLE_ROWS(image_looked_rows)};
#undef REQUEST

bool image_origin_is(const char *origin, const char *looked)
{
    const size_t length = strlen(looked);
    return strncmp(origin, looked, length) == 0 && (!origin[length] || origin[length] == ' ');
}

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

#define REQUEST image_publish
static const struct field image_publish_rows[] = {
    ROW(1, name, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, digest, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(3, path, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(4, format, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(5, arch, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(6, time, FIELD_TEXT),
    ROW(7, keep, FIELD_NUMBER),
    ROW(8, key, FIELD_TEXT),
    ROW(9, gpg, FIELD_TEXT),
    ROW(10, gpg_home, FIELD_TEXT),
    ROW(11, recipe_text, FIELD_TEXT),
    ROW(12, context, FIELD_TEXT),
    ROW(13, recipe, FIELD_TEXT),
    ROW(14, sources, FIELD_LIST, .nested = &build_source_table, .flags = FIELD_ORDERED),
    ROW(15, needs, FIELD_TEXTS),
};
const struct table image_publish_table = {
    .name = "image-publish", .size = sizeof(struct image_publish), TABLE_ROWS(image_publish_rows)};
#undef REQUEST

#define REQUEST image_published
static const struct field image_published_rows[] = {
    ROW(1, version, FIELD_TEXT, .flags = FIELD_REQUIRED),
    ROW(2, bytes, FIELD_NUMBER),
    ROW(3, changed, FIELD_BOOL),
};
const struct table image_published_table = {
    .name = "image-published", .size = sizeof(struct image_published), TABLE_ROWS(image_published_rows)};
#undef REQUEST
