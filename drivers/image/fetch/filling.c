/* Entries of an archive into a folder, whatever the archive is.
 *
 * Rules, stricter than tar(1)'s because an image has no reason to break them: names are relative and lead nowhere
 * but down; nothing lies beyond a symlink; no name but a folder's comes twice; ids are 0-65535. Every parent is
 * opened with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, every entry is made new (O_EXCL and its likes), so that
 * neither order nor tricks of an archive reach what an earlier entry laid. Device nodes, sockets and attributes of
 * namespaces that mean something to the host (trusted.*, security.* but capabilities) are skipped and counted.
 *
 * A layer lies upon others, and is written by other programs than roots are: a name may begin with '/', a parent may be
 * a symlink that a lower one has, followed within the target, and what is there already gives way (layer.c). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/arena.h"
#include "lib/error.h"

/* How much there may be of an image, or of the context of a build. */
#define ENTRIES_LIMIT ((int64_t)2000000)
#define BYTES_LIMIT   ((int64_t)64 << 30)
#define SMALL_ENTRIES ((int64_t)100000)
#define SMALL_BYTES   ((int64_t)1 << 30)

void filling_begin(struct filling *filling, struct arena *arena)
{
    filling->arena = arena;
    filling->parent = -1;
}

void filling_clear(struct filling *filling)
{
    cleanup_close(&filling->parent);
    map_clear(&filling->made);
}

int filling_fail(struct filling *filling, int code)
{
    return error_errno(filling->error, code, "entry \"%.160s\"", filling->path);
}

int filling_refuse(struct filling *filling, const char *reason)
{
    return error_set(filling->error, -EINVAL, "entry \"%.160s\" %s", filling->path, reason);
}

static int open_at(int folder, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, folder, *path ? path : ".", &how, sizeof(how));
}

int filling_open(const struct filling *filling, const char *path, int flags)
{
    return open_at(filling->root, path, flags,
                   filling->layer ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static int open_one(int folder, const char *name)
{
    return open_at(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* The deepest folder on the way to `path` that is there; `*rest` is where the missing part begins. */
static int open_deepest(struct filling *filling, char *path, char **rest)
{
    char *end = path + strlen(path);
    for (;;) {
        char kept = *end;
        *end = '\0';
        int fd = filling_open(filling, path, O_RDONLY | O_DIRECTORY);
        *end = kept;
        *rest = end;
        if (fd >= 0 || errno != ENOENT || end == path)
            return fd;
        while (end > path && *--end != '/')
            ;
    }
}

static int make_parents(struct filling *filling, int folder, char *path, char *rest)
{
    _cleanup_close_ int at = folder;
    while (*rest) {
        char *name = rest + (*rest == '/');
        rest = name + strcspn(name, "/");
        char kept = *rest;
        *rest = '\0';
        int made = mkdirat(at, name, 0755), next = made == 0 ? open_one(at, name) : -1;
        if (next >= 0 && filling->layer)
            layer_made(filling, path);
        *rest = kept;
        if (next < 0)
            return -1;
        close(at);
        at = next;
    }
    return TAKE_FD(at);
}

int filling_open_parent(struct filling *filling, const char *path, bool make, const char **name)
{
    char parent[PATH_MAX], *rest;
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(parent, path, length);
    parent[length] = '\0';
    *name = path + (slash ? length + 1 : 0);
    int fd = open_deepest(filling, parent, &rest);
    if (fd >= 0 && *rest) {
        if (!make) {
            close(fd);
            return -ENOENT;
        }
        fd = make_parents(filling, fd, parent, rest);
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EXDEV))
        return filling_refuse(filling, "lies beyond something that is not a folder");
    return fd < 0 ? filling_fail(filling, -errno) : fd;
}

/* Entries come folder by folder. Nothing that is made or removed later takes the held one's place: a layer's mark may
 * only remove what lies beside or below the mark. */
static int reach_parent(struct filling *filling, const char **name)
{
    const char *slash = strrchr(filling->path, '/');
    size_t length = slash ? (size_t)(slash - filling->path) : 0;
    if (filling->parent >= 0 && strncmp(filling->parent_path, filling->path, length) == 0 &&
        filling->parent_path[length] == '\0') {
        *name = filling->path + (slash ? length + 1 : 0);
        return 0;
    }
    cleanup_close(&filling->parent);
    int fd = filling_open_parent(filling, filling->path, true, name);
    if (fd < 0)
        return fd;
    filling->parent = fd;
    memcpy(filling->parent_path, filling->path, length);
    filling->parent_path[length] = '\0';
    return 0;
}

static int check_budget(struct filling *filling, int64_t size)
{
    const int64_t limit = filling->small ? SMALL_BYTES : BYTES_LIMIT;
    if (size > limit - filling->promised)
        return filling_refuse(filling, filling->small ? "makes the context larger than 1 GiB"
                                                      : "makes the image larger than 64 GiB");
    filling->promised += size;
    return 0;
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

static void tell(struct filling *filling)
{
    int percent = filling->reader.percent(filling->reader.context);
    percent = percent > 100 ? 100 : percent;
    if (percent <= filling->percent)
        return;
    filling->percent = percent;
    filling->progress(percent);
}

static int write_content(struct filling *filling, int fd, int64_t size)
{
    int64_t written = 0;
    for (;;) {
        const void *bytes;
        size_t length;
        int64_t offset;
        int result = filling->reader.piece(filling->reader.context, &bytes, &length, &offset, filling->error);
        if (result < 0)
            return error_wrap(filling->error, result, "entry \"%.160s\"", filling->path);
        if (result == 0)
            break;
        if (offset < 0 || offset > size || (int64_t)length > size - offset)
            return filling_refuse(filling, "holds more than it says");
        if (fd >= 0 && (result = write_piece(fd, bytes, length, offset)) < 0)
            return filling_fail(filling, result);
        filling->unpacked.bytes += (int64_t)length;
        written = offset + (int64_t)length;
        tell(filling);
    }
    return fd >= 0 && written != size && ftruncate(fd, size) < 0 ? filling_fail(filling, -errno)
                                                                 : 0; /* a hole at the end */
}

static bool xattr_is_kept(const struct attribute *attribute)
{
    /* Version 2 of file capabilities, 20 bytes: version 3 names a user namespace of another host. */
    return strncmp(attribute->name, "user.", 5) == 0 ||
           (strcmp(attribute->name, "security.capability") == 0 && attribute->size == 20) ||
           strcmp(attribute->name, "system.posix_acl_access") == 0 ||
           strcmp(attribute->name, "system.posix_acl_default") == 0;
}

static int set_xattrs(struct filling *filling, const struct entry *entry, int fd)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        const struct attribute *attribute = &entry->attributes[i];
        if (!xattr_is_kept(attribute))
            filling->unpacked.skipped++;
        else if (fsetxattr(fd, attribute->name, attribute->value, attribute->size, 0) < 0)
            return filling_fail(filling, -errno);
    }
    return 0;
}

/* Owner first: chown(2) clears setuid and file capabilities. */
static int set_attributes(struct filling *filling, const struct entry *entry, int fd)
{
    const struct timespec times[2] = {entry->time, entry->time};
    if (fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) < 0 || fchmod(fd, entry->mode & 07777) < 0)
        return filling_fail(filling, -errno);
    int result = set_xattrs(filling, entry, fd);
    if (result == 0)
        futimens(fd, times); /* a time that the file system cannot hold harms nobody */
    return result;
}

static int exists(struct filling *filling)
{
    return errno == EEXIST ? filling_refuse(filling, "comes twice") : filling_fail(filling, -errno);
}

static int make_regular(struct filling *filling, const struct entry *entry, const char *name)
{
    if (entry->size < 0)
        return filling_refuse(filling, "has a negative size");
    int result = check_budget(filling, entry->size);
    if (result < 0)
        return result;
    _cleanup_close_ int fd =
        openat(filling->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return exists(filling);
    result = write_content(filling, fd, entry->size);
    return result < 0 ? result : set_attributes(filling, entry, fd);
}

static int make_folder(struct filling *filling, const struct entry *entry, const char *name)
{
    if (*name && mkdirat(filling->parent, name, 0700) < 0 && errno != EEXIST)
        return filling_fail(filling, -errno);
    _cleanup_close_ int fd = open_one(filling->parent, name);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? filling_refuse(filling, "comes twice")
                                                  : filling_fail(filling, -errno);
    struct folder_time *folder = arena_append(filling->arena, filling->folders, filling->folder_count);
    *folder = (struct folder_time){arena_strdup(filling->arena, filling->path), entry->time};
    return set_attributes(filling, entry, fd);
}

static bool link_is_usable(const struct entry *entry)
{
    return entry->link && *entry->link && strlen(entry->link) < PATH_MAX;
}

static int make_symlink(struct filling *filling, const struct entry *entry, const char *name)
{
    const struct timespec times[2] = {entry->time, entry->time};
    if (!link_is_usable(entry))
        return filling_refuse(filling, "is a symlink without a usable target");
    if (symlinkat(entry->link, filling->parent, name) < 0)
        return exists(filling);
    if (fchownat(filling->parent, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return filling_fail(filling, -errno);
    utimensat(filling->parent, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* Layers begin names at their root, some with its slash. */
static int clean(const struct filling *filling, const char *name, char *cleaned)
{
    if (filling->layer && *name == '/')
        name += strspn(name, "/");
    return name_clean(filling->layer && !*name ? "." : name, cleaned, filling->error);
}

/* By its parent and its name: a link by the descriptor of the file takes a capability over the host (before Linux 6.10). */
static int make_hardlink(struct filling *filling, const struct entry *entry, const char *name)
{
    static const char reason[] = "is a hard link to what is not an earlier file of the archive";
    char target[PATH_MAX];
    const char *target_name;
    struct stat status;
    if (!entry->link)
        return filling_refuse(filling, reason);
    int result = clean(filling, entry->link, target);
    if (result < 0)
        return error_wrap(filling->error, result, "entry \"%.160s\": hard link", filling->path);
    struct error *told = filling->error;
    filling->error = NULL; /* whatever it is, it is said below */
    _cleanup_close_ int folder = filling_open_parent(filling, target, false, &target_name);
    filling->error = told;
    if (folder < 0 || !*target_name || fstatat(folder, target_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(status.st_mode))
        return filling_refuse(filling, reason);
    return linkat(folder, target_name, filling->parent, name, 0) < 0 ? exists(filling) : 0;
}

static int make_fifo(struct filling *filling, const struct entry *entry, const char *name)
{
    if (mknodat(filling->parent, name, S_IFIFO | 0600, 0) < 0)
        return exists(filling);
    if (fchownat(filling->parent, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(filling->parent, name, entry->mode & 07777, 0) < 0)
        return filling_fail(filling, -errno);
    return 0;
}

static int check(struct filling *filling, const struct entry *entry)
{
    if (!entry->name || mbstowcs(NULL, entry->name, 0) == (size_t)-1)
        return error_set(filling->error, -EILSEQ, "an entry's name is not UTF-8");
    int result = clean(filling, entry->name, filling->path);
    if (result < 0)
        return result;
    size_t depth = 0;
    for (const char *at = filling->path; (at = strchr(at, '/')); at++)
        depth++;
    if (depth > DEPTH_LIMIT)
        return filling_refuse(filling, "lies too deep");
    if (entry->uid < 0 || entry->uid > 65535 || entry->gid < 0 || entry->gid > 65535)
        return filling_refuse(filling, "has an owner outside 0-65535");
    if (++filling->unpacked.entries > (filling->small ? SMALL_ENTRIES : ENTRIES_LIMIT))
        return filling_refuse(filling, filling->small ? "is one of more than 100000"
                                                      : "is one of more than 2 million");
    if (!*filling->path && entry->type != ENTRY_FOLDER)
        return filling_refuse(filling, "is the root, and not a folder");
    return 0;
}

static int make(struct filling *filling, const struct entry *entry, const char *name)
{
    switch (entry->type) {
    case ENTRY_FILE:
        return make_regular(filling, entry, name);
    case ENTRY_FOLDER:
        return make_folder(filling, entry, name);
    case ENTRY_SYMLINK:
        return make_symlink(filling, entry, name);
    case ENTRY_HARDLINK:
        return make_hardlink(filling, entry, name);
    case ENTRY_FIFO:
        return make_fifo(filling, entry, name);
    default:
        filling->unpacked.skipped++;
        return 0;
    }
}

static int obey(struct filling *filling)
{
    const char *name;
    _cleanup_close_ int parent = filling_open_parent(filling, filling->path, false, &name);
    if (parent < 0)
        return parent == -ENOENT ? 0 : parent;
    return layer_obey(filling, parent, name);
}

/* What the makers refuse, without making it; a tree that has no name twice has no other way to be wrong. */
static int check_only(struct filling *filling, const struct entry *entry)
{
    int result = 0;
    for (size_t i = 0; i < entry->attribute_count; i++)
        filling->unpacked.skipped += !xattr_is_kept(&entry->attributes[i]);
    if (entry->type == ENTRY_FILE && entry->size < 0)
        return filling_refuse(filling, "has a negative size");
    if (entry->type == ENTRY_SYMLINK && !link_is_usable(entry))
        return filling_refuse(filling, "is a symlink without a usable target");
    if (entry->type == ENTRY_FILE && (result = check_budget(filling, entry->size)) == 0)
        result = write_content(filling, -1, entry->size);
    filling->unpacked.skipped += entry->type == ENTRY_OTHER;
    return result;
}

static bool is_mark(const struct filling *filling)
{
    const char *slash = strrchr(filling->path, '/');
    return filling->layer && layer_is_mark(slash ? slash + 1 : filling->path);
}

int filling_add(struct filling *filling, const struct entry *entry)
{
    const char *name = NULL;
    int result = check(filling, entry);
    if (result == 0 && is_mark(filling))
        return obey(filling);
    if (result == 0 && filling->checks && (result = check_only(filling, entry)) == 0)
        tell(filling);
    if (result == 0 && !filling->checks)
        result = reach_parent(filling, &name);
    if (result < 0 || filling->checks)
        return result;
    if (filling->layer && entry->type != ENTRY_OTHER)
        result = layer_make_room(filling, entry, filling->parent, name);
    if (result == 0)
        result = make(filling, entry, name);
    if (result == 0)
        tell(filling);
    return result;
}

int filling_finish(struct filling *filling)
{
    if (filling->checks)
        return 0;
    if (filling->unpacked.entries == 0 && !filling->layer)
        return error_set(filling->error, -EINVAL, "the archive is empty");
    for (size_t i = filling->folder_count; i-- > 0;) {
        const struct timespec times[2] = {filling->folders[i].time, filling->folders[i].time};
        _cleanup_close_ int fd = filling_open(filling, filling->folders[i].path, O_RDONLY | O_DIRECTORY);
        if (fd >= 0)
            futimens(fd, times);
    }
    return 0;
}
