/* Archives into folders, entry by entry.
 *
 * Rules, stricter than tar(1)'s because an image has no reason to break them: names are relative and lead nowhere
 * but down; nothing lies beyond a symlink; no name but a folder's comes twice; ids are 0-65535. Every parent is
 * opened with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, every entry is made new (O_EXCL and its likes), so that
 * neither order nor tricks of an archive reach what an earlier entry laid. Device nodes, sockets and attributes of
 * namespaces that mean something to the host (trusted.*, security.* but capabilities) are skipped and counted. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/arena.h"
#include "lib/error.h"

#define READ_SIZE     ((size_t)128 * 1024)
#define ENTRIES_LIMIT 2000000
#define BYTES_LIMIT   ((int64_t)64 << 30)
#define DEPTH_LIMIT   128
/* A bomb: this much more than was read, once it is worth a look. Real root file systems stay below 20. */
#define RATIO_LIMIT ((int64_t)200)
#define RATIO_FROM  ((int64_t)256 << 20)

struct folder_time {
    const char *path;
    struct timespec time;
};

struct unpacker {
    struct archive *archive;
    int root;
    struct arena *arena;
    struct folder_time *folders; /* their times are set last: making what is in them changes them */
    size_t folder_count;
    struct unpacked unpacked;
    int64_t size; /* of the archive's file */
    int percent;
    void (*progress)(int percent);
    char path[PATH_MAX]; /* clean name of the present entry; "" is the root */
    struct error *error;
};

static int fail(struct unpacker *unpacker, int code)
{
    return error_errno(unpacker->error, code, "entry \"%.160s\"", unpacker->path);
}

static int refuse(struct unpacker *unpacker, const char *reason)
{
    return error_set(unpacker->error, -EINVAL, "entry \"%.160s\" %s", unpacker->path, reason);
}

static int open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* The folder that holds the present entry, its missing parents made. `name` is what follows. */
static int open_parent(struct unpacker *unpacker, const char **name)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(unpacker->path, '/');
    size_t length = slash ? (size_t)(slash - unpacker->path) : 0;
    memcpy(parent, unpacker->path, length);
    parent[length] = '\0';
    *name = unpacker->path + (slash ? length + 1 : 0);
    int fd = open_beneath(unpacker->root, parent, O_RDONLY | O_DIRECTORY);
    for (size_t at = 0; fd < 0 && errno == ENOENT && at <= length; at++) {
        if (parent[at] != '/' && parent[at] != '\0')
            continue;
        char kept = parent[at];
        parent[at] = '\0';
        int here = open_beneath(unpacker->root, parent, O_RDONLY | O_DIRECTORY);
        if (here < 0 && errno == ENOENT && mkdirat(unpacker->root, parent, 0755) < 0)
            return fail(unpacker, -errno);
        if (here >= 0)
            close(here);
        parent[at] = kept;
        fd = at == length ? open_beneath(unpacker->root, parent, O_RDONLY | O_DIRECTORY) : -1;
        errno = at == length ? errno : ENOENT;
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EXDEV))
        return refuse(unpacker, "lies beyond something that is not a folder");
    return fd < 0 ? fail(unpacker, -errno) : fd;
}

static int check_budget(struct unpacker *unpacker, int64_t more)
{
    if (more > BYTES_LIMIT || unpacker->unpacked.bytes > BYTES_LIMIT - more)
        return refuse(unpacker, "makes the image larger than 64 GiB");
    int64_t total = unpacker->unpacked.bytes + more, read = archive_filter_bytes(unpacker->archive, -1);
    if (total > RATIO_FROM && total / RATIO_LIMIT > read)
        return refuse(unpacker, "unpacks to more than 200 times its size");
    return 0;
}

static int archive_failed(struct unpacker *unpacker)
{
    const char *text = archive_error_string(unpacker->archive);
    return error_set(unpacker->error, -EBADMSG, "entry \"%.160s\": %s", unpacker->path,
                     text ? text : "damaged archive");
}

static int write_piece(int fd, const char *bytes, size_t size, int64_t offset)
{
    while (size) {
        ssize_t done = pwrite(fd, bytes, size, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        offset += done;
        size -= (size_t)done;
    }
    return 0;
}

static void tell(struct unpacker *unpacker)
{
    int64_t read = archive_filter_bytes(unpacker->archive, -1);
    int percent = unpacker->size > 0 ? (int)(read * 100 / unpacker->size) : 0;
    percent = percent > 100 ? 100 : percent;
    if (percent <= unpacker->percent)
        return;
    unpacker->percent = percent;
    unpacker->progress(percent);
}

static int write_content(struct unpacker *unpacker, int fd, int64_t size)
{
    for (;;) {
        const void *bytes;
        size_t length;
        int64_t offset;
        int status = archive_read_data_block(unpacker->archive, &bytes, &length, &offset);
        if (status == ARCHIVE_EOF)
            break;
        if (status != ARCHIVE_OK)
            return archive_failed(unpacker);
        if (offset < 0 || offset > size || (int64_t)length > size - offset)
            return refuse(unpacker, "holds more than it says");
        int result = check_budget(unpacker, (int64_t)length);
        if (result < 0)
            return result;
        if ((result = write_piece(fd, bytes, length, offset)) < 0)
            return fail(unpacker, result);
        unpacker->unpacked.bytes += (int64_t)length;
        tell(unpacker);
    }
    return ftruncate(fd, size) < 0 ? fail(unpacker, -errno) : 0; /* a hole at the end */
}

static bool xattr_is_kept(const char *name, size_t size)
{
    /* Version 2 of file capabilities, 20 bytes: version 3 names a user namespace of another host. */
    return strncmp(name, "user.", 5) == 0 || (strcmp(name, "security.capability") == 0 && size == 20) ||
           strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

static int set_xattrs(struct unpacker *unpacker, struct archive_entry *entry, int fd)
{
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!xattr_is_kept(name, size))
            unpacker->unpacked.skipped++;
        else if (fsetxattr(fd, name, value, size, 0) < 0)
            return fail(unpacker, -errno);
    }
    return 0;
}

static struct timespec time_of(struct archive_entry *entry)
{
    return (struct timespec){.tv_sec = archive_entry_mtime(entry),
                             .tv_nsec = archive_entry_mtime_nsec(entry)};
}

/* Owner first: chown(2) clears setuid and file capabilities. */
static int set_attributes(struct unpacker *unpacker, struct archive_entry *entry, int fd)
{
    const struct timespec times[2] = {time_of(entry), time_of(entry)};
    if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0 ||
        fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
        return fail(unpacker, -errno);
    int result = set_xattrs(unpacker, entry, fd);
    if (result == 0)
        futimens(fd, times); /* a time that the file system cannot hold harms nobody */
    return result;
}

static int unpack_regular(struct unpacker *unpacker, struct archive_entry *entry, int parent,
                          const char *name)
{
    int64_t size = archive_entry_size(entry);
    if (size < 0)
        return refuse(unpacker, "has a negative size");
    int result = check_budget(unpacker, archive_entry_sparse_count(entry) ? 0 : size);
    if (result < 0)
        return result;
    _cleanup_close_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? refuse(unpacker, "comes twice") : fail(unpacker, -errno);
    result = write_content(unpacker, fd, size);
    return result < 0 ? result : set_attributes(unpacker, entry, fd);
}

static int unpack_folder(struct unpacker *unpacker, struct archive_entry *entry, int parent, const char *name)
{
    if (*name && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return fail(unpacker, -errno);
    _cleanup_close_ int fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? refuse(unpacker, "comes twice") : fail(unpacker, -errno);
    struct folder_time *folder = arena_append(unpacker->arena, unpacker->folders, unpacker->folder_count);
    *folder = (struct folder_time){arena_strdup(unpacker->arena, unpacker->path), time_of(entry)};
    return set_attributes(unpacker, entry, fd);
}

static int unpack_symlink(struct unpacker *unpacker, struct archive_entry *entry, int parent,
                          const char *name)
{
    const struct timespec times[2] = {time_of(entry), time_of(entry)};
    const char *target = archive_entry_symlink(entry);
    if (!target || !*target || strlen(target) >= PATH_MAX)
        return refuse(unpacker, "is a symlink without a usable target");
    if (symlinkat(target, parent, name) < 0)
        return errno == EEXIST ? refuse(unpacker, "comes twice") : fail(unpacker, -errno);
    if (fchownat(parent, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
                 AT_SYMLINK_NOFOLLOW) < 0)
        return fail(unpacker, -errno);
    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static int unpack_hardlink(struct unpacker *unpacker, struct archive_entry *entry, int parent,
                           const char *name)
{
    char target[PATH_MAX];
    struct stat status;
    int result = name_clean(archive_entry_hardlink(entry), target, unpacker->error);
    if (result < 0)
        return error_wrap(unpacker->error, result, "entry \"%.160s\": hard link", unpacker->path);
    /* O_PATH with O_NOFOLLOW would be ELOOP under RESOLVE_NO_SYMLINKS for a symlink: only files are linked. */
    _cleanup_close_ int fd = open_beneath(unpacker->root, target, O_PATH | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return refuse(unpacker, "is a hard link to what is not an earlier file of the archive");
    if (linkat(fd, "", parent, name, AT_EMPTY_PATH) < 0)
        return errno == EEXIST ? refuse(unpacker, "comes twice") : fail(unpacker, -errno);
    return 0;
}

static int unpack_fifo(struct unpacker *unpacker, struct archive_entry *entry, int parent, const char *name)
{
    if (mknodat(parent, name, S_IFIFO | 0600, 0) < 0)
        return errno == EEXIST ? refuse(unpacker, "comes twice") : fail(unpacker, -errno);
    if (fchownat(parent, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
                 AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(parent, name, archive_entry_perm(entry) & 07777, 0) < 0)
        return fail(unpacker, -errno);
    return 0;
}

static int unpack_entry(struct unpacker *unpacker, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    if (!name)
        return error_set(unpacker->error, -EILSEQ, "an entry's name is not UTF-8");
    int result = name_clean(name, unpacker->path, unpacker->error);
    if (result < 0)
        return result;
    size_t depth = 0;
    for (const char *at = unpacker->path; (at = strchr(at, '/')); at++)
        depth++;
    if (depth > DEPTH_LIMIT)
        return refuse(unpacker, "lies too deep");
    int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
    if (uid < 0 || uid > 65535 || gid < 0 || gid > 65535)
        return refuse(unpacker, "has an owner outside 0-65535");
    if (++unpacker->unpacked.entries > ENTRIES_LIMIT)
        return refuse(unpacker, "is one of more than 2 million");
    bool linked = archive_entry_hardlink(entry) != NULL;
    if (!*unpacker->path && (linked || archive_entry_filetype(entry) != AE_IFDIR))
        return refuse(unpacker, "is the root, and not a folder");
    _cleanup_close_ int parent = open_parent(unpacker, &name);
    if (parent < 0)
        return parent;
    if (linked)
        return unpack_hardlink(unpacker, entry, parent, name);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return unpack_regular(unpacker, entry, parent, name);
    case AE_IFDIR:
        return unpack_folder(unpacker, entry, parent, name);
    case AE_IFLNK:
        return unpack_symlink(unpacker, entry, parent, name);
    case AE_IFIFO:
        return unpack_fifo(unpacker, entry, parent, name);
    default:
        unpacker->unpacked.skipped++;
        return 0;
    }
}

static int unpack_all(struct unpacker *unpacker)
{
    for (;;) {
        struct archive_entry *entry;
        int status = archive_read_next_header(unpacker->archive, &entry);
        if (status == ARCHIVE_EOF)
            break;
        if (status != ARCHIVE_OK) /* also a warning: what the reader only guesses at is refused */
            return archive_failed(unpacker);
        int result = unpack_entry(unpacker, entry);
        if (result < 0)
            return result;
        tell(unpacker);
    }
    if (unpacker->unpacked.entries == 0)
        return error_set(unpacker->error, -EINVAL, "the archive is empty");
    for (size_t i = unpacker->folder_count; i-- > 0;) {
        const struct timespec times[2] = {unpacker->folders[i].time, unpacker->folders[i].time};
        _cleanup_close_ int fd =
            open_beneath(unpacker->root, unpacker->folders[i].path, O_RDONLY | O_DIRECTORY);
        if (fd >= 0)
            futimens(fd, times);
    }
    return 0;
}

int unpack(int archive, int root, void (*progress)(int percent), struct unpacked *unpacked,
           struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct stat status;
    struct unpacker unpacker = {
        .archive = archive_read_new(), .root = root, .arena = arena, .progress = progress, .error = error};
    if (!unpacker.archive || fstat(archive, &status) < 0) {
        archive_read_free(unpacker.archive);
        return error_set(error, -ENOMEM, "cannot begin to read the archive");
    }
    unpacker.size = S_ISREG(status.st_mode) ? status.st_size : 0;
    archive_read_support_format_tar(unpacker.archive);
    archive_read_support_filter_gzip(unpacker.archive);
    archive_read_support_filter_xz(unpacker.archive);
    archive_read_support_filter_zstd(unpacker.archive);
    int result = 0;
    if (archive_read_open_fd(unpacker.archive, archive, READ_SIZE) != ARCHIVE_OK)
        result = archive_failed(&unpacker);
    if (result == 0)
        result = unpack_all(&unpacker);
    archive_read_free(unpacker.archive);
    if (result == 0)
        *unpacked = unpacker.unpacked;
    return result;
}
