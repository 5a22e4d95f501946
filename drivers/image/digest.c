/* The digest of a tree: what makes two images the same image.
 *
 * Entries in byte order of their paths, each as NUL-separated fields of fixed order with lengths before whatever
 * has none of its own, so that no two trees give the same bytes. Times are left out, and hard links count as the
 * files they are: a copy of a tree has its digest. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "drivers/image/make.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/folder.h"

#define PROGRESS_EVERY 500 /* milliseconds */
#define XATTR_SIZE     ((size_t)64 * 1024)

struct walk {
    const struct call *call;
    struct digest *digest;
    int64_t bytes, entries, told;
    char path[PATH_MAX];
    struct error *error;
};

static int fail(struct walk *walk, int code)
{
    return error_errno(walk->error, code, "cannot read %s of the image", *walk->path ? walk->path : "/");
}

static int tell(struct walk *walk)
{
    int result = call_check(walk->call);
    if (result < 0)
        return fail(walk, result);
    int64_t now = now_milliseconds();
    if (!walk->call->progress || now - walk->told < PROGRESS_EVERY)
        return 0;
    char line[96];
    snprintf(line, sizeof(line), "digesting: %lld files, %lld MiB", (long long)walk->entries,
             (long long)(walk->bytes >> 20));
    walk->call->progress(walk->call->context, line);
    walk->told = now;
    return 0;
}

static void add_number(struct walk *walk, uint64_t number)
{
    unsigned char raw[8];
    for (size_t i = 0; i < 8; i++)
        raw[i] = (unsigned char)(number >> (8 * i));
    digest_add(walk->digest, raw, sizeof(raw));
}

static void add_text(struct walk *walk, const char *text, size_t length)
{
    add_number(walk, length);
    digest_add(walk->digest, text, length);
}

/* By name, as the order in which they are listed is the file system's own. `link` is /proc/self/fd/N of an O_PATH
 * descriptor and, as such, is resolved to exactly what was opened, a symlink included. */
static int add_xattrs(struct walk *walk, struct arena *arena, const char *link)
{
    char *names = arena_alloc(arena, XATTR_SIZE), *value = arena_alloc(arena, XATTR_SIZE);
    const char **sorted = NULL;
    size_t count = 0;
    ssize_t length = listxattr(link, names, XATTR_SIZE);
    if (length < 0 && errno != ENOTSUP)
        return fail(walk, -errno);
    for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
        *arena_append(arena, sorted, count) = name;
    names_sort(sorted, &count);
    add_number(walk, count);
    for (size_t i = 0; i < count; i++) {
        ssize_t size = getxattr(link, sorted[i], value, XATTR_SIZE);
        if (size < 0)
            return fail(walk, -errno);
        add_text(walk, sorted[i], strlen(sorted[i]));
        add_text(walk, value, (size_t)size);
    }
    return 0;
}

/* Never made part of whoever calls it for every folder on the way down: its buffer would be on the stack for each. */
__attribute__((noinline)) static int add_content(struct walk *walk, const char *link, int64_t size)
{
    char bytes[64 * 1024];
    int64_t total = 0;
    _cleanup_close_ int fd = open(link, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail(walk, -errno);
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(walk, -errno);
        if (got == 0)
            break;
        digest_add(walk->digest, bytes, (size_t)got);
        total += got;
        walk->bytes += got;
        int result = tell(walk);
        if (result < 0)
            return result;
    }
    return total == size ? 0 : fail(walk, -EBUSY); /* somebody still writes to it */
}

static int walk_folder(struct walk *walk, int folder);

static int walk_entry(struct walk *walk, int parent, const char *name)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct stat status;
    char link[64], target[PATH_MAX];
    _cleanup_close_ int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(walk, -errno);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    walk->entries++;
    add_text(walk, walk->path, strlen(walk->path));
    add_number(walk, status.st_mode);
    add_number(walk, status.st_uid);
    add_number(walk, status.st_gid);
    bool device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
    add_number(walk, device ? makedev(major(status.st_rdev), minor(status.st_rdev)) : 0);
    int result = S_ISLNK(status.st_mode) ? 0 : add_xattrs(walk, arena, link);
    if (result < 0)
        return result;
    if (S_ISREG(status.st_mode)) {
        add_number(walk, (uint64_t)status.st_size);
        return add_content(walk, link, status.st_size);
    }
    if (S_ISLNK(status.st_mode)) {
        ssize_t length = readlinkat(fd, "", target, sizeof(target));
        if (length < 0)
            return fail(walk, -errno);
        add_text(walk, target, (size_t)length);
    }
    if (!S_ISDIR(status.st_mode))
        return tell(walk);
    _cleanup_close_ int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? fail(walk, -errno) : walk_folder(walk, folder);
}

static int walk_folder(struct walk *walk, int folder)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char **names = NULL;
    size_t count = 0, length = strlen(walk->path);
    int result = folder_names(folder, arena, &names, &count);
    if (result < 0)
        return fail(walk, result);
    names_sort(names, &count);
    for (size_t i = 0; result == 0 && i < count; i++) {
        int room = snprintf(walk->path + length, sizeof(walk->path) - length, "/%s", names[i]);
        if ((size_t)room >= sizeof(walk->path) - length)
            result = fail(walk, -ENAMETOOLONG);
        else
            result = walk_entry(walk, folder, names[i]);
    }
    walk->path[length] = '\0';
    return result;
}

int image_digest(int root, const struct call *call, char digest[static DIGEST_TEXT_SIZE], int64_t *bytes,
                 struct error *error)
{
    _cleanup_digest_ struct digest *sum = digest_new();
    struct walk *walk = arena_new_of(call->arena, struct walk);
    *walk = (struct walk){.call = call, .digest = sum, .told = now_milliseconds(), .error = error};
    int result = walk_entry(walk, root, ".");
    if (result < 0)
        return result;
    digest_finish(sum, digest);
    *bytes = walk->bytes;
    return 0;
}

static void add_part(struct digest *sum, const char *text)
{
    char length[24];
    int size = snprintf(length, sizeof(length), "%zu ", text ? strlen(text) : 0);
    digest_add(sum, length, (size_t)size);
    digest_add(sum, text ? text : "", text ? strlen(text) : 0);
}

void image_name_digest(const char *lower, const char *tree, const char *config, const char *epoch,
                       char digest[static DIGEST_TEXT_SIZE])
{
    _cleanup_digest_ struct digest *sum = NULL;
    if (!lower && !config && !epoch) {
        memcpy(digest, tree, DIGEST_TEXT_SIZE);
        return;
    }
    sum = digest_new();
    add_part(sum, "fpsync image 1");
    add_part(sum, lower);
    add_part(sum, tree);
    add_part(sum, config);
    if (epoch)
        add_part(sum, epoch);
    digest_finish(sum, digest);
}
