/* Trees into layers: a tar (pax) in the order of names, with the marks of OCI for what a delta takes away; or, of a delta
 * and its base, what both show together.
 *
 * Two writers of libarchive, one behind the other, so that both the tar and what is compressed are hashed on their way. */
#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/fetch/pack.h"
#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/folder.h"
#include "lib/json.h"
#include "lib/map.h"

#define PIECE_SIZE  ((size_t)256 * 1024)
#define LIST_SIZE   65536 /* of names and of a value (listxattr(2)) */
#define DEPTH_LIMIT 256
#define MARK        ".wh."
#define ACL_PREFIX  "system.posix_acl_"

struct packing {
    struct archive *tar, *file;
    struct digest *tar_digest, *file_digest;
    int fd;
    bool merges, devices, lists;
    int64_t time; /* -1: each entry has its own */
    struct arena *arena;
    struct map opaque; /* paths */
    struct map links;  /* device:inode -> the first name */
    struct packed packed;
    char *piece, *list;
    char path[PATH_MAX]; /* of the present entry; "" is the root */
    struct error *error;
};

static int fail(struct packing *packing, int code)
{
    return error_errno(packing->error, code, "entry \"%.160s\"", packing->path);
}

static int failed(struct packing *packing, struct archive *archive)
{
    const char *text = archive_error_string(archive);
    return error_set(packing->error, -EIO, "entry \"%.160s\": %s", packing->path,
                     text ? text : "cannot be written");
}

/* ---- the way out ---- */

static la_ssize_t write_file(struct archive *archive, void *context, const void *bytes, size_t size)
{
    struct packing *packing = context;
    int result = bytes_write(packing->fd, bytes, size);
    if (result < 0) {
        archive_set_error(archive, -result, "%s", strerror(-result));
        return -1;
    }
    digest_add(packing->file_digest, bytes, size);
    packing->packed.size += (int64_t)size;
    return (la_ssize_t)size;
}

static la_ssize_t write_tar(struct archive *archive, void *context, const void *bytes, size_t size)
{
    struct packing *packing = context;
    digest_add(packing->tar_digest, bytes, size);
    if (archive_write_data(packing->file, bytes, size) == (la_ssize_t)size)
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "%s", archive_error_string(packing->file));
    return -1;
}

static int add_compression(struct archive *file, const char *name)
{
    if (strcmp(name, "gzip") == 0) {
        archive_write_add_filter_gzip(file);
        return archive_write_set_filter_option(file, "gzip", "timestamp", NULL);
    }
    if (strcmp(name, "xz") == 0)
        return archive_write_add_filter_xz(file);
    if (strcmp(name, "zstd") == 0)
        return archive_write_add_filter_zstd(file);
    return strcmp(name, "none") == 0 ? archive_write_add_filter_none(file) : ARCHIVE_FATAL;
}

static int open_writers(struct packing *packing, const char *compression)
{
    struct archive_entry *whole = archive_entry_new();
    packing->file = archive_write_new();
    packing->tar = archive_write_new();
    if (!whole || !packing->file || !packing->tar)
        return error_set(packing->error, -ENOMEM, "cannot begin to write the layer");
    archive_entry_set_pathname(whole, "layer");
    archive_entry_set_filetype(whole, AE_IFREG);
    bool fine = add_compression(packing->file, compression) == ARCHIVE_OK &&
                archive_write_set_format_raw(packing->file) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(packing->file, 1) == ARCHIVE_OK &&
                archive_write_open(packing->file, packing, NULL, write_file, NULL) == ARCHIVE_OK &&
                archive_write_header(packing->file, whole) == ARCHIVE_OK;
    archive_entry_free(whole);
    if (!fine)
        return failed(packing, packing->file);
    fine = archive_write_set_format_pax_restricted(packing->tar) == ARCHIVE_OK &&
           archive_write_set_format_option(packing->tar, "pax", "xattrheader", "SCHILY") >= ARCHIVE_WARN &&
           archive_write_set_bytes_in_last_block(packing->tar, 1) == ARCHIVE_OK &&
           archive_write_open(packing->tar, packing, NULL, write_tar, NULL) == ARCHIVE_OK;
    return fine ? 0 : failed(packing, packing->tar);
}

static int close_writers(struct packing *packing)
{
    if (archive_write_close(packing->tar) != ARCHIVE_OK)
        return failed(packing, packing->tar);
    if (archive_write_close(packing->file) != ARCHIVE_OK)
        return failed(packing, packing->file);
    digest_finish(packing->tar_digest, packing->packed.tar);
    digest_finish(packing->file_digest, packing->packed.written);
    return 0;
}

/* ---- entries ---- */

static int write_header(struct packing *packing, struct archive_entry *entry)
{
    packing->packed.entries++;
    return archive_write_header(packing->tar, entry) == ARCHIVE_OK ? 0 : failed(packing, packing->tar);
}

static bool is_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
}

static void describe(const struct packing *packing, struct archive_entry *entry, const char *path,
                     const struct stat *status)
{
    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, status->st_mode);
    archive_entry_set_uid(entry, status->st_uid);
    archive_entry_set_gid(entry, status->st_gid);
    if (packing->time >= 0)
        archive_entry_set_mtime(entry, packing->time, 0);
    else
        archive_entry_set_mtime(entry, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
    if (is_device(status))
        archive_entry_set_rdev(entry, status->st_rdev);
    archive_entry_set_size(entry, S_ISREG(status->st_mode) ? status->st_size : 0);
}

/* Before Linux 6.2, who is in a user namespace reads all named ids of an access list through an id-mapped mount as nobody's;
 * a list with such could not be set again. The form is that of linux/posix_acl_xattr.h. */
static bool has_lost_ids(const char *name, const char *value, size_t length)
{
    struct posix_acl_xattr_entry entry;
    if (strncmp(name, ACL_PREFIX, strlen(ACL_PREFIX)) != 0)
        return false;
    for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(entry) <= length;
         at += sizeof(entry)) {
        memcpy(&entry, value + at, sizeof(entry));
        const uint16_t tag = le16toh(entry.e_tag);
        if ((tag == ACL_USER || tag == ACL_GROUP) && le32toh(entry.e_id) == (uint32_t)ACL_UNDEFINED_ID)
            return true;
    }
    return false;
}

/* In the order of their names: the kernel's is not the same everywhere. */
static int add_xattrs(struct packing *packing, struct archive_entry *entry, int fd)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char **names = NULL;
    size_t count = 0;
    ssize_t size = flistxattr(fd, packing->list, LIST_SIZE);
    if (size < 0)
        return errno == ENOTSUP ? 0 : fail(packing, -errno);
    for (char *at = packing->list; at < packing->list + size; at += strlen(at) + 1)
        if (packing->lists || strncmp(at, ACL_PREFIX, strlen(ACL_PREFIX)) != 0)
            *arena_append(arena, names, count) = arena_strdup(arena, at);
        else
            packing->packed.skipped++;
    names_sort(names, &count);
    for (size_t i = 0; i < count; i++) {
        ssize_t length = fgetxattr(fd, names[i], packing->list, LIST_SIZE);
        if (length < 0)
            return fail(packing, -errno);
        if (has_lost_ids(names[i], packing->list, (size_t)length))
            packing->packed.skipped++;
        else
            archive_entry_xattr_add_entry(entry, names[i], packing->list, (size_t)length);
    }
    return 0;
}

static int copy_content(struct packing *packing, int fd, int64_t size)
{
    while (size > 0) {
        size_t wanted = size < (int64_t)PIECE_SIZE ? (size_t)size : PIECE_SIZE;
        ssize_t got = read(fd, packing->piece, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(packing, got < 0 ? -errno : -EIO);
        if (archive_write_data(packing->tar, packing->piece, (size_t)got) != got)
            return failed(packing, packing->tar);
        size -= got;
        packing->packed.bytes += got;
    }
    return 0;
}

static int put_mark(struct packing *packing, const char *path)
{
    static const struct stat nothing = {.st_mode = S_IFREG | 0644};
    struct archive_entry *entry = archive_entry_new();
    describe(packing, entry, path, &nothing);
    int result = write_header(packing, entry);
    archive_entry_free(entry);
    return result;
}

/* "a/b" is gone: "a/.wh.b". */
static int put_whiteout(struct packing *packing)
{
    char path[PATH_MAX + sizeof(MARK)];
    const char *slash = strrchr(packing->path, '/');
    int folder = slash ? (int)(slash - packing->path) + 1 : 0;
    snprintf(path, sizeof(path), "%.*s" MARK "%s", folder, packing->path, packing->path + folder);
    return put_mark(packing, path);
}

static int put_opaque(struct packing *packing)
{
    char path[PATH_MAX + 2 * sizeof(MARK) + 4];
    if (packing->merges || !map_get(&packing->opaque, packing->path))
        return 0;
    snprintf(path, sizeof(path), "%s%s" MARK MARK ".opq", packing->path, *packing->path ? "/" : "");
    return put_mark(packing, path);
}

static bool is_link(struct packing *packing, struct archive_entry *entry, const struct stat *status)
{
    char key[64];
    if (!S_ISREG(status->st_mode) || status->st_nlink < 2)
        return false;
    snprintf(key, sizeof(key), "%llu:%llu", (unsigned long long)status->st_dev,
             (unsigned long long)status->st_ino);
    const char *first = map_get(&packing->links, key);
    if (!first) {
        map_add(&packing->links, key, arena_strdup(packing->arena, packing->path));
        return false;
    }
    archive_entry_set_hardlink(entry, first);
    archive_entry_set_size(entry, 0);
    return true;
}

/* `fd` of a file or a folder is open for reading, of anything else with O_PATH. */
static int put(struct packing *packing, struct archive_entry *entry, int fd, const struct stat *status)
{
    char target[PATH_MAX];
    describe(packing, entry, *packing->path ? packing->path : ".", status);
    if (is_link(packing, entry, status))
        return write_header(packing, entry);
    if (S_ISLNK(status->st_mode)) {
        ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);
        if (length < 0)
            return fail(packing, -errno);
        target[length] = '\0';
        archive_entry_set_symlink(entry, target);
    }
    bool open = S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
    int result = open ? add_xattrs(packing, entry, fd) : 0;
    if (result == 0)
        result = write_header(packing, entry);
    return result == 0 && S_ISREG(status->st_mode) ? copy_content(packing, fd, status->st_size) : result;
}

static int walk(struct packing *packing, const struct pack_trees *folders, int depth);

static bool is_whiteout(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static bool is_written(const struct packing *packing, const struct stat *status)
{
    return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode) || S_ISLNK(status->st_mode) ||
           S_ISFIFO(status->st_mode) || (packing->devices && is_device(status));
}

static int open_entry(int folder, const char *name, const struct stat *status)
{
    bool open = S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
    return openat(folder, name, (open ? O_RDONLY | O_NONBLOCK : O_PATH) | O_NOFOLLOW | O_CLOEXEC);
}

/* What the base has below a folder of the delta, which shows through: that is open for reading; -1: nothing. */
static int open_below(struct packing *packing, int base, const char *name)
{
    if (base < 0 || map_get(&packing->opaque, packing->path))
        return -1;
    return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `of`: the handle among `folders` whose entry it is. */
static int put_entry(struct packing *packing, const struct pack_trees *folders, int of, const char *name,
                     int depth)
{
    struct stat status;
    _cleanup_close_ int base = -1;
    if (fstatat(of, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(packing, -errno);
    if (is_whiteout(&status))
        return packing->merges ? 0 : put_whiteout(packing);
    if (!is_written(packing, &status)) {
        packing->packed.skipped++;
        return 0;
    }
    _cleanup_close_ int fd = open_entry(of, name, &status);
    struct archive_entry *entry = archive_entry_new();
    int result = fd < 0 || fstat(fd, &status) < 0 ? fail(packing, -errno) : put(packing, entry, fd, &status);
    archive_entry_free(entry);
    if (result < 0 || !S_ISDIR(status.st_mode))
        return result;
    if (of == folders->top)
        base = open_below(packing, folders->base, name);
    const struct pack_trees inner = {fd, base};
    return walk(packing, &inner, depth + 1);
}

/* What the delta has is what there is. */
static int put_at(struct packing *packing, const struct pack_trees *folders, const char *name, int depth)
{
    struct stat status;
    const bool above = folders->base < 0 || fstatat(folders->top, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
                       errno != ENOENT;
    return put_entry(packing, folders, above ? folders->top : folders->base, name, depth);
}

static int walk(struct packing *packing, const struct pack_trees *folders, int depth)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char **names = NULL;
    size_t count = 0, length = strlen(packing->path);
    if (depth > DEPTH_LIMIT)
        return fail(packing, -ELOOP);
    int result = put_opaque(packing);
    if (result < 0)
        return result;
    result = folder_names(folders->top, arena, &names, &count);
    if (result == 0 && folders->base >= 0)
        result = folder_names(folders->base, arena, &names, &count);
    if (result < 0)
        return fail(packing, result);
    names_sort(names, &count);
    for (size_t i = 0; result == 0 && i < count; i++) {
        int room = snprintf(packing->path + length, sizeof(packing->path) - length, "%s%s", length ? "/" : "",
                            names[i]);
        result = (size_t)room >= sizeof(packing->path) - length ? fail(packing, -ENAMETOOLONG)
                                                                : put_at(packing, folders, names[i], depth);
        packing->path[length] = '\0';
    }
    return result;
}

/* ---- all of it ---- */

static int take_request(struct packing *packing, const struct json *request)
{
    const struct json *paths = json_get(request, "opaque");
    for (size_t i = 0; i < json_length(paths); i++)
        if (json_as_text(json_at(paths, i)))
            map_add(&packing->opaque, json_as_text(json_at(paths, i)), packing);
    const char *compression = json_as_text(json_get(request, "compression"));
    const struct json *lists = json_get(request, "lists");
    packing->devices = json_as_bool(json_get(request, "devices"));
    packing->lists = !lists || json_as_bool(lists);
    packing->time = json_as_number(json_get(request, "time"), -1);
    return open_writers(packing, compression ? compression : "none");
}

static int put_all(struct packing *packing, const struct json *request, const struct pack_trees *trees)
{
    int result = take_request(packing, request);
    if (result == 0)
        result = put_at(packing, trees, ".", 0);
    return result < 0 ? result : close_writers(packing);
}

int pack(const char *request, const struct pack_trees *trees, int file, struct packed *packed,
         struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_json_ struct json *asked = NULL;
    int result = json_parse(request, strlen(request), &asked, error);
    if (result < 0)
        return result;
    struct packing *packing = arena_new_of(arena, struct packing);
    *packing = (struct packing){.fd = file,
                                .merges = trees->base >= 0,
                                .arena = arena,
                                .error = error,
                                .tar_digest = digest_new(),
                                .file_digest = digest_new(),
                                .piece = arena_alloc(arena, PIECE_SIZE),
                                .list = arena_alloc(arena, LIST_SIZE)};
    result = put_all(packing, asked, trees);
    archive_write_free(packing->tar);
    archive_write_free(packing->file);
    digest_free(packing->tar_digest);
    digest_free(packing->file_digest);
    map_clear(&packing->opaque);
    map_clear(&packing->links);
    if (result == 0)
        *packed = packing->packed;
    return result;
}
