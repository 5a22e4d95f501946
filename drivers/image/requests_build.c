/* Tables of what builds are asked for, and the names that both sides know: linked into both programs. */
#include <errno.h>
#include <string.h>

#include "drivers/image/build.h"
#include "lib/digest.h"
#include "lib/error.h"

#define ROW(number, member, kind, ...)                                                                       \
    {                                                                                                        \
        .id = (number), .key = #member, .type = (kind), .offset = offsetof(struct REQUEST, member),          \
        __VA_ARGS__                                                                                          \
    }
#define TABLE(title, rows_)                                                                                  \
    {                                                                                                        \
        .name = (title), .size = sizeof(struct REQUEST), TABLE_ROWS(rows_)                                   \
    }

#define REQUEST build_place
static const struct field build_place_rows[] = {
    ROW(1, image, FIELD_TEXT),
    ROW(2, below, FIELD_TEXTS),
    ROW(3, key, FIELD_TEXT),
    ROW(4, name, FIELD_TEXT),
};
const struct table build_place_table = TABLE("build-place", build_place_rows);
#undef REQUEST

#define REQUEST build_source
static const struct field build_source_rows[] = {
    ROW(1, key, FIELD_TEXT),
    ROW(2, folder, FIELD_TEXT),
    ROW(3, from, FIELD_STRUCT, .nested = &build_place_table),
    ROW(4, text, FIELD_TEXT),
    ROW(5, path, FIELD_TEXT),
    ROW(6, excluded, FIELD_TEXTS),
    ROW(7, included, FIELD_TEXTS),
    ROW(8, digest, FIELD_TEXT),
    ROW(9, skipped, FIELD_NUMBER),
    ROW(10, url, FIELD_TEXT),
    ROW(11, fetched, FIELD_TEXT),
};
const struct table build_source_table = TABLE("build-source", build_source_rows);
#undef REQUEST

#define REQUEST build_copy
static const struct field build_copy_rows[] = {
    ROW(1, place, FIELD_STRUCT, .nested = &build_place_table),
    ROW(2, what, FIELD_TEXT),
    ROW(3, sources, FIELD_LIST, .nested = &build_source_table, .flags = FIELD_ORDERED),
    ROW(4, target, FIELD_TEXT),
    ROW(5, owner, FIELD_TEXT),
    ROW(6, mode, FIELD_TEXT),
    ROW(7, unpack, FIELD_BOOL),
    ROW(8, epoch, FIELD_TEXT),
    ROW(9, parents, FIELD_BOOL),
    ROW(10, unpack_fetched, FIELD_BOOL),
};
const struct table build_copy_table = TABLE("build-copy", build_copy_rows);
#undef REQUEST

#define REQUEST build_folder
static const struct field build_folder_rows[] = {
    ROW(1, place, FIELD_STRUCT, .nested = &build_place_table),
    ROW(2, what, FIELD_TEXT),
    ROW(3, path, FIELD_TEXT),
    ROW(4, owner, FIELD_TEXT),
    ROW(5, epoch, FIELD_TEXT),
};
const struct table build_folder_table = TABLE("build-folder", build_folder_rows);
#undef REQUEST

#define REQUEST build_mount
static const struct field build_mount_rows[] = {
    ROW(1, key, FIELD_TEXT),        ROW(2, type, FIELD_TEXT),
    ROW(3, target, FIELD_TEXT),     ROW(4, id, FIELD_TEXT),
    ROW(5, sharing, FIELD_TEXT),    ROW(6, from, FIELD_STRUCT, .nested = &build_place_table),
    ROW(7, folder, FIELD_TEXT),     ROW(8, path, FIELD_TEXT),
    ROW(9, file, FIELD_TEXT),       ROW(10, mode, FIELD_TEXT),
    ROW(11, uid, FIELD_NUMBER),     ROW(12, gid, FIELD_NUMBER),
    ROW(13, writable, FIELD_BOOL),  ROW(14, size, FIELD_NUMBER),
    ROW(17, env, FIELD_TEXT),       ROW(15, excluded, FIELD_TEXTS),
    ROW(16, included, FIELD_TEXTS),
};
const struct table build_mount_table = TABLE("build-mount", build_mount_rows);
#undef REQUEST

#define REQUEST build_run
static const struct field build_run_rows[] = {
    ROW(1, place, FIELD_STRUCT, .nested = &build_place_table),
    ROW(2, what, FIELD_TEXT),
    ROW(3, argv, FIELD_TEXTS),
    ROW(4, env, FIELD_PAIRS),
    ROW(5, user, FIELD_TEXT),
    ROW(6, directory, FIELD_TEXT),
    ROW(7, init, FIELD_BOOL),
    ROW(8, definition, FIELD_STRUCT, .nested = &container_definition_table),
    ROW(9, start, FIELD_STRUCT, .nested = &container_start_table),
    ROW(10, ports, FIELD_LIST, .nested = &port_mark_table, .flags = FIELD_ORDERED),
    ROW(11, files, FIELD_LIST, .nested = &root_file_table, .flags = FIELD_ORDERED),
    ROW(12, mounts, FIELD_LIST, .nested = &build_mount_table, .flags = FIELD_ORDERED),
    ROW(13, keep, FIELD_NUMBER),
    ROW(14, epoch, FIELD_TEXT),
    ROW(15, image, FIELD_TEXT),
    ROW(16, guards, FIELD_LIST, .nested = &rule_guard_table, .flags = FIELD_ORDERED),
};
const struct table build_run_table = TABLE("build-run", build_run_rows);
#undef REQUEST

#define REQUEST build_shell
static const struct field build_shell_rows[] = {
    ROW(1, run, FIELD_STRUCT, .nested = &build_run_table),
    ROW(2, argv, FIELD_TEXTS),
    ROW(3, pid, FIELD_NUMBER),
    ROW(4, term, FIELD_TEXT),
};
const struct table build_shell_table = TABLE("build-shell", build_shell_rows);
#undef REQUEST

#define REQUEST build_shelled
static const struct field build_shelled_rows[] = {
    ROW(1, status, FIELD_NUMBER),
};
const struct table build_shelled_table = TABLE("build-shelled", build_shelled_rows);
#undef REQUEST

#define REQUEST build_commit
static const struct field build_commit_rows[] = {
    ROW(1, name, FIELD_TEXT),   ROW(2, place, FIELD_STRUCT, .nested = &build_place_table),
    ROW(3, config, FIELD_TEXT), ROW(4, origin, FIELD_TEXT),
    ROW(5, epoch, FIELD_TEXT),  ROW(6, uses, FIELD_TEXTS),
};
const struct table build_commit_table = TABLE("build-commit", build_commit_rows);
#undef REQUEST

#define REQUEST build_serve
static const struct field build_serve_rows[] = {
    ROW(1, made, FIELD_TEXTS),
    ROW(2, cached, FIELD_TEXTS),
};
const struct table build_serve_table = TABLE("build-serve", build_serve_rows);
#undef REQUEST

#define REQUEST build_address
static const struct field build_address_rows[] = {
    ROW(1, url, FIELD_TEXT),
    ROW(2, digest, FIELD_TEXT),
    ROW(3, guarded, FIELD_BOOL),
    ROW(4, offline, FIELD_BOOL),
    ROW(5, downloads, FIELD_STRUCT, .nested = &downloads_table),
};
const struct table build_address_table = TABLE("build-address", build_address_rows);
#undef REQUEST

#define REQUEST build_fetched
static const struct field build_fetched_rows[] = {
    ROW(1, digest, FIELD_TEXT),
};
const struct table build_fetched_table = TABLE("build-fetched", build_fetched_rows);
#undef REQUEST

#define REQUEST build_drop
static const struct field build_drop_rows[] = {
    ROW(1, steps, FIELD_TEXTS),    ROW(2, failed, FIELD_TEXTS), ROW(3, caches, FIELD_TEXTS),
    ROW(4, contexts, FIELD_TEXTS), ROW(5, logs, FIELD_TEXTS),   ROW(6, fetched, FIELD_BOOL),
};
const struct table build_drop_table = TABLE("build-drop", build_drop_rows);
#undef REQUEST

/* ---- names ---- */

char *build_container_name(const struct paths *paths, struct arena *arena, const char *key)
{
    return arena_printf(arena, "Build-%.24s%s%s", key, *paths->tag ? "." : "", paths->tag);
}

int build_check_key(const char *key, struct error *error)
{
    if (!key || strlen(key) != DIGEST_TEXT_SIZE - 1 ||
        strspn(key, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1)
        return error_set(error, -EINVAL, "\"%s\" is not the key of a step", key ? key : "");
    return 0;
}

char *build_log_name(struct arena *arena, const char *image, const char *key)
{
    return arena_printf(arena, "%s.%s", paths_file_name(arena, image), key);
}

char *build_cache_file(struct arena *arena, const char *id)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t length = strlen(id);
    if (length && length <= 64 && strspn(id, legal) == length && *id != '.')
        return arena_strdup(arena, id);
    char digest[DIGEST_TEXT_SIZE];
    digest_of(id, length, digest);
    return arena_printf(arena, "id-%s", digest);
}
