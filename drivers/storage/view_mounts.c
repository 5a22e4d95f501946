/* Reads mount tables and tells our mounts by what they are made of: overlays by their upper and lower folders,
 * volumes by device and path within the file system, which a bind mount keeps in every mount namespace. */
#include "drivers/storage/view_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buffer.h"
#include "lib/error.h"

#define TABLE_LIMIT ((size_t)64 * 1024 * 1024)

/* The kernel writes space, tab, newline, backslash and '#' as \ooo. */
static char *unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in; out++) {
        if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && strspn(in + 2, "01234567") >= 2) {
            *out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
    return text;
}

/* "36 35 98:0 /root /point options [optional fields] - type source super-options" */
static bool parse_line(char *line, struct mount_entry *entry)
{
    char *rest = strstr(line, " - ");
    if (!rest)
        return false;
    *rest = '\0';
    char *save = NULL, *tail = NULL;
    char *id = strtok_r(line, " ", &save);
    char *parent = strtok_r(NULL, " ", &save);
    char *device = strtok_r(NULL, " ", &save);
    char *root = strtok_r(NULL, " ", &save);
    char *point = strtok_r(NULL, " ", &save);
    char *flags = strtok_r(NULL, " ", &save);
    char *type = strtok_r(rest + 3, " ", &tail);
    char *source = strtok_r(NULL, " ", &tail);
    if (!parent || !device || !root || !point || !flags || !type || !source)
        return false;
    entry->id = atoi(id);
    if (sscanf(device, "%u:%u", &entry->major, &entry->minor) != 2)
        return false;
    entry->root = unescape(root);
    entry->point = unescape(point);
    entry->type = type;
    entry->options = tail ? tail : "";
    return true;
}

int mounts_read(const char *table, struct arena *arena, struct mount_entries *entries, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = buffer_read_file(&text, AT_FDCWD, table, TABLE_LIMIT, error);
    if (result < 0)
        return result;
    char *copy = arena_strndup(arena, text.bytes ? text.bytes : "", text.length), *save = NULL;
    struct mount_entries found = {0};
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct mount_entry entry = {0};
        if (parse_line(line, &entry))
            *arena_append(arena, found.items, found.count) = entry;
    }
    *entries = found;
    return 0;
}

/* The value of an option of an overlay that may be there several times, or NULL. */
static char *nth_option_value(struct arena *arena, const struct mount_entry *entry, const char *key, size_t n)
{
    if (strcmp(entry->type, "overlay") != 0)
        return NULL;
    for (const char *at = entry->options; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t length = strlen(key);
        if (strncmp(at, key, length) == 0 && n-- == 0)
            return unescape(arena_strndup(arena, at + length, strcspn(at + length, ",")));
    }
    return NULL;
}

static char *option_value(struct arena *arena, const struct mount_entry *entry, const char *key)
{
    return nth_option_value(arena, entry, key, 0);
}

/* NAME of "STORE/FOLDER/NAME/END", where STORE is ours or our idmapped copy of it below the mounts' folder. */
static const char *name_in_store(const struct paths *paths, struct arena *arena, const char *path,
                                 const char *folder, const char *end)
{
    size_t store = strlen(paths->store), mounts = strlen(paths->mounts);
    const char *rest;
    if (strncmp(path, paths->store, store) == 0 && path[store] == '/')
        rest = path + store;
    else if (strncmp(path, paths->mounts, mounts) == 0 && path[mounts] == '/')
        rest = strchr(path + mounts + 1, '/');
    else
        return NULL;
    if (!rest || strncmp(rest + 1, folder, strlen(folder)) != 0 || rest[1 + strlen(folder)] != '/')
        return NULL;
    const char *name = rest + 2 + strlen(folder);
    size_t length = strcspn(name, "/");
    return length && strcmp(name + length, end) == 0 ? arena_strndup(arena, name, length) : NULL;
}

const char *mount_layer(const struct paths *paths, struct arena *arena, const struct mount_entry *entry)
{
    const char *upper = option_value(arena, entry, "upperdir=");
    const char *layer = upper ? name_in_store(paths, arena, upper, "layers", "/upper") : NULL;
    return layer || !upper ? layer : name_in_store(paths, arena, upper, "layers", "/disk/upper");
}

/* Told by "../../images/DIGEST/root", which only an overlay of ours has, or by a path into the store. */
static void add_image(const struct paths *paths, struct arena *arena, const char *lower, bool is_ours,
                      struct texts *images)
{
    static const char beside[] = "../../images/";
    bool is_beside = strncmp(lower, beside, strlen(beside)) == 0;
    const char *image =
        is_beside ? arena_strndup(arena, lower + strlen(beside), strcspn(lower + strlen(beside), "/"))
                  : name_in_store(paths, arena, lower, "images", "/root");
    if (image && (is_ours || !is_beside))
        *arena_append(arena, images->items, images->count) = image;
}

void mount_images(const struct paths *paths, struct arena *arena, const struct mount_entry *entry,
                  struct texts *images)
{
    const bool is_ours = mount_layer(paths, arena, entry);
    char *all = option_value(arena, entry, "lowerdir="), *lower;
    while ((lower = strsep(&all, ":")))
        add_image(paths, arena, lower, is_ours, images);
    for (size_t i = 0; (lower = nth_option_value(arena, entry, "lowerdir+=", i)); i++)
        add_image(paths, arena, lower, is_ours, images);
}

int mount_origin_of(const char *folder, struct arena *arena, struct mount_origin *origin, struct error *error)
{
    struct statx status;
    *origin = (struct mount_origin){0};
    if (statx(AT_FDCWD, folder, 0, STATX_TYPE | STATX_MNT_ID, &status) < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", folder);
    struct mount_entries own = {0};
    int result = mounts_read("/proc/self/mountinfo", arena, &own, error);
    if (result < 0)
        return result;
    _cleanup_free_ char *real = realpath(folder, NULL);
    if (!real)
        return error_errno(error, -errno, "%s", folder);
    for (size_t i = 0; i < own.count; i++) {
        const struct mount_entry *entry = &own.items[i];
        size_t length = strcmp(entry->point, "/") == 0 ? 0 : strlen(entry->point);
        if ((uint64_t)entry->id != status.stx_mnt_id || strncmp(real, entry->point, length) != 0)
            continue;
        const char *base = strcmp(entry->root, "/") == 0 ? "" : entry->root;
        *origin = (struct mount_origin){.found = true,
                                        .major = entry->major,
                                        .minor = entry->minor,
                                        .root = arena_printf(arena, "%s%s", base, real + length),
                                        .real = arena_strdup(arena, real)};
        return 0;
    }
    return error_set(error, -ENOENT, "%s lies on no mount of this process", folder);
}

/* The file behind a loop device, as the kernel names it; cut off where there is none. */
static const char *backing_file(struct arena *arena, const struct mount_entry *entry)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *path =
        arena_printf(arena, "/sys/dev/block/%u:%u/loop/backing_file", entry->major, entry->minor);
    if (buffer_read_file(&text, AT_FDCWD, path, PATH_MAX, NULL) < 0 || !text.length)
        return NULL;
    return arena_strndup(arena, text.bytes, strcspn(text.bytes, "\n"));
}

/* NAME of "BASE/NAME/END". */
static const char *name_below(struct arena *arena, const char *path, const char *base, const char *end)
{
    size_t length = strlen(base);
    if (strncmp(path, base, length) != 0 || path[length] != '/')
        return NULL;
    const char *name = path + length + 1;
    length = strcspn(name, "/");
    return strcmp(name + length, end) == 0 ? arena_strndup(arena, name, length) : NULL;
}

static const char *name_at(const struct mount_origin *store, struct arena *arena,
                           const struct mount_entry *entry, const char *end)
{
    return store->found && entry->major == store->major && entry->minor == store->minor
               ? name_below(arena, entry->root, store->root, end)
               : NULL;
}

const char *mount_volume(const struct mount_origin *volumes, struct arena *arena,
                         const struct mount_entry *entry)
{
    if (!volumes->found)
        return NULL;
    if (entry->major == LOOP_MAJOR && strcmp(entry->root, "/") == 0) {
        const char *file = backing_file(arena, entry);
        return file ? name_below(arena, file, volumes->real, "/image") : NULL;
    }
    return name_at(volumes, arena, entry, "/data");
}

const char *mount_copied_layer(const struct mount_origin *layers, struct arena *arena,
                               const struct mount_entry *entry)
{
    if (layers->found && entry->major == LOOP_MAJOR && strcmp(entry->root, "/root") == 0) {
        const char *file = backing_file(arena, entry);
        return file ? name_below(arena, file, layers->real, "/image") : NULL;
    }
    return name_at(layers, arena, entry, "/root");
}
