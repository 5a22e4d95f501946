#include "drivers/image/view_context.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/folder.h"
#include "lib/map.h"

#define NO_SOURCE "%s is neither a file, a folder nor a symbolic link"

struct look {
    const struct context_filter *filter;
    struct arena *arena;
    struct context_source *source;
    struct digest *digest;
    size_t skip;         /* bytes of a path that name the source itself */
    char path[PATH_MAX]; /* of the present entry, relative to the context; "" is the context */
    struct error *error;
};

static int open_below(int folder, const char *path, int flags)
{
    /* The kernel takes no more than these beside O_PATH. */
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, *path ? path : ".", &how, sizeof(how));
}

int context_open(const char *folder, struct error *error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(error, -errno, "%s", folder) : fd;
}

static int fail(const struct look *look, int code)
{
    return error_errno(look->error, code, "%s", *look->path ? look->path : ".");
}

static bool is_left_out(const struct look *look)
{
    return look->filter && *look->path && look->filter->leaves_out(look->filter->context, look->path);
}

static void add_number(const struct look *look, uint64_t number)
{
    unsigned char raw[8];
    for (size_t i = 0; i < sizeof(raw); i++)
        raw[i] = (unsigned char)(number >> (8 * i));
    digest_add(look->digest, raw, sizeof(raw));
}

static void add_text(const struct look *look, const char *text, size_t length)
{
    add_number(look, length);
    digest_add(look->digest, text, length);
}

/* Never made part of whoever calls it for every folder on the way down: its buffer would be on the stack for each. */
__attribute__((noinline)) static int add_content(const struct look *look, int fd, int64_t size)
{
    char bytes[64 * 1024];
    int64_t total = 0;
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(look, -errno);
        if (got == 0)
            break;
        digest_add(look->digest, bytes, (size_t)got);
        total += got;
    }
    look->source->bytes += total;
    return total == size ? 0 : fail(look, -EBUSY); /* somebody still writes to it */
}

static int add_link(const struct look *look, int parent, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(parent, name, target, sizeof(target));
    if (length < 0)
        return fail(look, -errno);
    add_text(look, target, (size_t)length);
    return 0;
}

static int look_at_entry(struct look *look, int parent, const char *name, unsigned depth, bool outside);

/* `outside`: the folder itself is left out, and is looked into for exceptions. */
static int look_into(struct look *look, int folder, unsigned depth, bool outside)
{
    const size_t length = strlen(look->path);
    struct texts names = {0};
    if (depth > CONTEXT_DEPTH)
        return error_set(look->error, -EMLINK, "%s lies too deep", look->path);
    _cleanup_arena_ struct arena *arena = arena_new();
    int result = folder_names(folder, arena, &names.items, &names.count);
    if (result < 0)
        return fail(look, result);
    names_sort(names.items, &names.count);
    for (size_t i = 0; i < names.count && result == 0; i++) {
        if (length + strlen(names.items[i]) + 2 > sizeof(look->path))
            return fail(look, -ENAMETOOLONG);
        snprintf(look->path + length, sizeof(look->path) - length, "%s%s", length ? "/" : "", names.items[i]);
        result = look_at_entry(look, folder, names.items[i], depth + 1, outside);
        look->path[length] = '\0';
    }
    return result;
}

static void note_choice(struct look *look, bool left_out, bool outside)
{
    struct texts *into = left_out ? &look->source->excluded : &look->source->included;
    if (left_out != outside)
        *arena_append(look->arena, into->items, into->count) = arena_strdup(look->arena, look->path);
}

/* What every entry that is taken is known by. */
static int note_entry(struct look *look, const struct stat *status)
{
    if (++look->source->entries > CONTEXT_ENTRIES)
        return error_set(look->error, -EMLINK, "there are more than %d files", CONTEXT_ENTRIES);
    const char *own = look->path + look->skip;
    own += *own == '/';
    add_text(look, own, strlen(own));
    add_number(look, S_ISLNK(status->st_mode) ? S_IFLNK : status->st_mode);
    if (S_ISREG(status->st_mode))
        add_number(look, (uint64_t)status->st_size);
    else if (!S_ISDIR(status->st_mode) && !S_ISLNK(status->st_mode))
        return error_set(look->error, *own ? -EMEDIUMTYPE : -EINVAL, NO_SOURCE,
                         *look->path ? look->path : ".");
    return 0;
}

/* A file or folder that is open, which is what its status is of. */
static int look_at_open(struct look *look, int fd, unsigned depth, bool outside)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(look, -errno);
    const bool left_out = is_left_out(look), is_folder = S_ISDIR(status.st_mode);
    note_choice(look, left_out, outside);
    if (left_out)
        return is_folder && look->filter->has_exceptions ? look_into(look, fd, depth, true) : 0;
    int result = note_entry(look, &status);
    if (result < 0)
        return result;
    return is_folder ? look_into(look, fd, depth, false) : add_content(look, fd, status.st_size);
}

/* `name` is one in the folder: whoever exchanges it meanwhile for a link gets an error, and leads nowhere. */
static int look_at_entry(struct look *look, int parent, const char *name, unsigned depth, bool outside)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(look, -errno);
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        const bool skipped = is_left_out(look) && !(S_ISDIR(status.st_mode) && look->filter->has_exceptions);
        if (skipped) {
            note_choice(look, true, outside);
            return 0;
        }
        _cleanup_close_ int fd =
            openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? fail(look, -errno) : look_at_open(look, fd, depth, outside);
    }
    if (S_ISSOCK(status.st_mode)) /* there are none in images, and who copies the folder passes them by */
        return 0;
    const bool left_out = is_left_out(look);
    note_choice(look, left_out, outside);
    if (left_out)
        return 0;
    int result = note_entry(look, &status);
    return result < 0 ? result : add_link(look, parent, name);
}

/* ---- a source ---- */

/* An open file or folder of the context, links followed. */
static int open_source(int folder, const char *path, struct error *error)
{
    int fd = open_below(folder, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0 && errno == EXDEV)
        return error_set(error, -EXDEV, "%s leads out of the context", path);
    if (fd < 0 && errno == ENXIO) /* a socket, which cannot be opened, or a device that is not there */
        return error_set(error, -EINVAL, NO_SOURCE, path);
    return fd < 0 ? error_errno(error, -errno, "%s", path) : fd;
}

/* Where in the context it is: what of its own name follows the context's. */
static int find_path(int folder, int fd, const char *path, char real[static PATH_MAX], struct error *error)
{
    char own[64], base[PATH_MAX], full[PATH_MAX];
    snprintf(own, sizeof(own), "/proc/self/fd/%d", folder);
    ssize_t base_length = readlink(own, base, sizeof(base) - 1);
    snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(own, full, sizeof(full) - 1);
    if (base_length == 1) /* "/" */
        base_length = 0;
    if (length < base_length || base_length < 0 || memcmp(base, full, (size_t)base_length) != 0)
        return error_set(error, -EXDEV, "%s leads out of the context", path);
    full[length] = '\0';
    const char *below = full + base_length;
    snprintf(real, PATH_MAX, "%s", below + (*below == '/'));
    return 0;
}

int context_read(int folder, const char *path, size_t limit, struct buffer *text, struct error *error)
{
    char own[64];
    struct stat status;
    _cleanup_close_ int fd = open_source(folder, path, error);
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return error_set(error, -EINVAL, "%s is not a regular file", path);
    snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
    int result = buffer_read_file(text, AT_FDCWD, own, limit, error);
    return result < 0 ? error_set(error, result, "%s cannot be read, or is too large", path) : 0;
}

int context_look(int folder, const char *path, const struct context_filter *filter, struct arena *arena,
                 struct context_source *source, struct error *error)
{
    struct stat status;
    *source = (struct context_source){0};
    struct look look = {.filter = filter, .arena = arena, .source = source, .error = error};
    _cleanup_close_ int fd = open_source(folder, path, error);
    int result = fd < 0 ? fd : find_path(folder, fd, path, look.path, error);
    if (result < 0)
        return result;
    if (fstat(fd, &status) < 0)
        return fail(&look, -errno);
    look.skip = strlen(look.path);
    source->path = arena_strdup(arena, look.path);
    source->is_folder = S_ISDIR(status.st_mode);
    _cleanup_digest_ struct digest *digest = digest_new();
    look.digest = digest;
    result = look_at_open(&look, fd, 0, false);
    if (result == 0 && !source->entries)
        return error_set(error, -ENOENT, "%s is left out by the ignore file", path);
    if (result < 0)
        return result;
    char text[DIGEST_TEXT_SIZE];
    digest_finish(digest, text);
    source->digest = arena_strdup(arena, text);
    return 0;
}

/* ---- again ---- */

struct choices {
    struct map excluded, included;
};

/* As the nearest of the paths says that it is, or is in. */
static bool was_left_out(void *context, const char *path)
{
    const struct choices *choices = context;
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = part; slash; slash = strrchr(part, '/')) {
        if (slash != part)
            *slash = '\0';
        if (map_get(&choices->excluded, part))
            return true;
        if (map_get(&choices->included, part))
            return false;
    }
    return false;
}

static void add_paths(struct map *map, const struct texts *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        map_add(map, paths->items[i], map);
}

int context_look_again(int folder, const char *path, const struct texts *excluded,
                       const struct texts *included, struct arena *arena, struct context_source *source,
                       struct error *error)
{
    struct choices choices = {0};
    const struct context_filter filter = {
        .leaves_out = was_left_out, .has_exceptions = included->count > 0, .context = &choices};
    add_paths(&choices.excluded, excluded);
    add_paths(&choices.included, included);
    int result = context_look(folder, path, &filter, arena, source, error);
    map_clear(&choices.excluded);
    map_clear(&choices.included);
    return result;
}

/* ---- patterns ---- */

struct matching {
    bool (*matches)(void *context, const char *pattern, const char *name);
    void *context;
    const struct context_filter *filter;
    struct arena *arena;
    struct texts *paths;
    struct error *error;
};

static int match_in(const struct matching *matching, int folder, const char *before, const char *pattern,
                    bool by_chance);

static int match_rest(const struct matching *matching, int folder, const char *path, const char *rest,
                      bool by_chance)
{
    if (rest)
        return match_in(matching, folder, path, rest, by_chance);
    struct stat status;
    const struct context_filter *filter = matching->filter;
    _cleanup_close_ int fd = open_below(folder, path, O_PATH | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(matching->error, -errno, "%s", path);
    const bool hidden = filter && filter->leaves_out(filter->context, path) &&
                        !(filter->has_exceptions && S_ISDIR(status.st_mode));
    if (!hidden && !(by_chance && S_ISSOCK(status.st_mode)))
        *arena_append(matching->arena, matching->paths->items, matching->paths->count) = path;
    return 0;
}

/* `before` is what of the path is known, "" at first. `by_chance`: a wildcard found it, and links
 * are not followed then: they may lead anywhere. */
static int match_in(const struct matching *matching, int folder, const char *before, const char *pattern,
                    bool by_chance)
{
    const size_t length = strcspn(pattern, "/");
    const char *part = arena_strndup(matching->arena, pattern, length),
               *rest = pattern[length] ? pattern + length + 1 : NULL;
    struct texts names = {0};
    _cleanup_close_ int fd =
        open_below(folder, before, O_RDONLY | O_DIRECTORY | (by_chance ? O_NOFOLLOW : 0));
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || (by_chance && (errno == EXDEV || errno == ELOOP))))
        return 0;
    if (fd < 0 && errno == EXDEV)
        return error_set(matching->error, -EXDEV, "%s leads out of the context", before);
    int result = fd < 0 ? -errno : folder_names(fd, matching->arena, &names.items, &names.count);
    if (result < 0)
        return error_errno(matching->error, result, "%s", *before ? before : ".");
    names_sort(names.items, &names.count);
    for (size_t i = 0; i < names.count && result == 0; i++)
        if (matching->matches(matching->context, part, names.items[i]))
            result = match_rest(matching, folder,
                                *before ? arena_join(matching->arena, before, '/', names.items[i])
                                        : names.items[i],
                                rest, strpbrk(part, "*?[\\") != NULL);
    return result;
}

int context_match(int folder, const char *pattern,
                  bool (*matches)(void *context, const char *pattern, const char *name), void *context,
                  const struct context_filter *filter, struct arena *arena, struct texts *paths,
                  struct error *error)
{
    const struct matching matching = {.matches = matches,
                                      .context = context,
                                      .filter = filter,
                                      .arena = arena,
                                      .paths = paths,
                                      .error = error};
    int result = match_in(&matching, folder, "", pattern, false);
    if (result == 0)
        names_sort(paths->items, &paths->count);
    return result;
}
