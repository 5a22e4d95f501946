/* Takes over the definition of a container that LXC had before, and gives it back: the mark is put into its config, or
 * taken out, as text, so that every other byte, comments and includes too, stays as its owner wrote it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define CONFIG_LIMIT (1024 * 1024) /* bytes */
#define GROUP_LINE   "lxc.group = " CONTAINER_GROUP "\n"
#define KEPT         "config.adopted"
#define KEPT_FIRST   "config.adopted.first" /* what forgetting could not put back, of an earlier adoption */
#define BLANKS       " \t"

static int read_config(const struct paths *paths, const char *name, struct buffer *text, struct stat *status,
                       struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    int result = container_check_name(name, error);
    if (result < 0)
        return result;
    container_path(paths, name, "config", path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, status) < 0)
        return error_errno(error, -errno, "container %s: cannot open %s", name, path);
    if (!S_ISREG(status->st_mode))
        return error_set(error, -EINVAL, "container %s: %s is no file", name, path);
    result = buffer_read_file(text, AT_FDCWD, path, CONFIG_LIMIT, error);
    return result < 0 ? error_wrap(error, result, "container %s", name) : 0;
}

/* The new file has the mode and the owner of the old one. */
static int write_file(const struct paths *paths, const char *name, const char *file,
                      const struct buffer *text, const struct stat *like, struct error *error)
{
    char path[CONTAINER_PATH_SIZE], new[CONTAINER_PATH_SIZE];
    container_path(paths, name, file, path);
    container_path(paths, name, "config.new", new);
    unlink(new);
    _cleanup_close_ int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, text->bytes, text->length);
    if (result == 0 && (fsync(fd) < 0 || fchown(fd, like->st_uid, like->st_gid) < 0 ||
                        fchmod(fd, like->st_mode & 07777) < 0 || rename(new, path) < 0))
        result = -errno;
    if (result == 0)
        return 0;
    if (fd >= 0)
        unlink(new);
    return error_errno(error, result, "container %s: cannot write %s", name, path);
}

static bool is_key(const char *line, const char *key)
{
    size_t length = strlen(key);
    line += strspn(line, BLANKS);
    return strncmp(line, key, length) == 0 && strchr(BLANKS "=", line[length]);
}

/* "lxc.net.0.veth.pair = ..." of an interface that gets another host end, or a MAC of its own, for good. */
static bool is_replaced(const struct container_adopt *adopt, const char *line)
{
    for (size_t i = 0; i < adopt->nics.count; i++) {
        const struct nic *nic = adopt->nics.items[i];
        char pair[64], mac[64];
        snprintf(pair, sizeof(pair), "lxc.net.%lld.veth.pair", (long long)nic->index);
        snprintf(mac, sizeof(mac), "lxc.net.%lld.hwaddr", (long long)nic->index);
        if (is_key(line, pair) || is_key(line, mac))
            return true;
    }
    return false;
}

static void add_nics(const struct container_adopt *adopt, struct buffer *text)
{
    for (size_t i = 0; i < adopt->nics.count; i++) {
        const struct nic *nic = adopt->nics.items[i];
        if (!nic->macvlan) /* which has no end on the host */
            buffer_printf(text, "lxc.net.%lld.veth.pair = %s\n", (long long)nic->index, nic->ifname);
        buffer_printf(text, "lxc.net.%lld.hwaddr = %s\n", (long long)nic->index, nic->mac);
    }
}

static bool is_mark(const char *line)
{
    return strncmp(line, CONTAINER_MARK, strlen(CONTAINER_MARK)) == 0 ||
           (strncmp(line, GROUP_LINE, strlen(GROUP_LINE) - 1) == 0 &&
            strchr("\n", line[strlen(GROUP_LINE) - 1]));
}

static void add_marked(const struct container_adopt *adopt, const char *before, struct buffer *text)
{
    buffer_printf(text, CONTAINER_MARK "%s %lld\n", adopt->uid, (long long)adopt->generation);
    while (before && *before) {
        size_t length = strcspn(before, "\n");
        if (!is_mark(before) && !is_replaced(adopt, before)) {
            buffer_add(text, before, length);
            buffer_text(text, "\n");
        }
        before += length + (before[length] == '\n');
    }
    add_nics(adopt, text);
    buffer_text(text, GROUP_LINE);
}

static bool has_control(const char *text)
{
    return !text || text[strcspn(text, "\n\r")];
}

/* These become lines of text, past liblxc's setters. */
static int check(const struct container_adopt *adopt, struct error *error)
{
    bool bad = has_control(adopt->uid) || !*adopt->uid || strchr(adopt->uid, ' ');
    for (size_t i = 0; i < adopt->nics.count && !bad; i++) {
        const struct nic *nic = adopt->nics.items[i];
        bad = has_control(nic->ifname) || has_control(nic->mac);
    }
    return bad ? error_set(error, -EINVAL, "container %s: not to be marked so", adopt->lxc_name) : 0;
}

static bool is_equal(const struct buffer *left, const struct buffer *right)
{
    return left->length == right->length &&
           (!left->length || memcmp(left->bytes, right->bytes, left->length) == 0);
}

/* What lies there already is what its owner wrote; the config that is adopted now may be what fpsync made of it. */
static int keep_config(const struct paths *paths, const char *name, const struct buffer *config,
                       const struct stat *status, struct error *error)
{
    char kept[CONTAINER_PATH_SIZE], first[CONTAINER_PATH_SIZE];
    container_path(paths, name, KEPT, kept);
    container_path(paths, name, KEPT_FIRST, first);
    if (renameat2(AT_FDCWD, kept, AT_FDCWD, first, RENAME_NOREPLACE) < 0 && errno != ENOENT &&
        errno != EEXIST)
        return error_errno(error, -errno, "container %s: cannot keep %s", name, kept);
    return write_file(paths, name, KEPT, config, status, error);
}

int container_adopt(const struct paths *paths, const struct container_adopt *adopt, const struct call *call,
                    struct container_adopted *result, struct error *error)
{
    struct observed_container mark = {0};
    struct stat status;
    _cleanup_buffer_ struct buffer before = {0}, after = {0};
    int failed = read_config(paths, adopt->lxc_name, &before, &status, error);
    if (failed == 0)
        failed = check(adopt, error);
    if (failed < 0)
        return failed;
    if (before.length)
        container_read_mark(before.bytes, call->arena, &mark);
    if (mark.ours && strcmp(mark.uid, adopt->uid) != 0)
        return error_set(error, -EPERM, "container %s carries a mark of fpsync's already", adopt->lxc_name);
    add_marked(adopt, before.bytes, &after);
    if (!mark.ours)
        failed = keep_config(paths, adopt->lxc_name, &before, &status, error);
    if (failed == 0 && !is_equal(&before, &after))
        failed = write_file(paths, adopt->lxc_name, "config", &after, &status, error);
    if (failed < 0)
        return failed;
    struct observed_container present;
    failed = container_look(paths, adopt->lxc_name, call->arena, &present, error);
    if (failed < 0)
        return failed;
    *result = (struct container_adopted){.config_digest = present.config_digest,
                                         .init_pid = present.init_pid,
                                         .init_start = present.init_start,
                                         .boot = boot_id(call->arena)};
    return 0;
}

/* What adopting adds or replaces. */
static bool is_of_adoption(const char *line)
{
    size_t prefix = strlen("lxc.net.");
    line += strspn(line, BLANKS);
    if (is_mark(line))
        return true;
    if (strncmp(line, "lxc.net.", prefix) != 0)
        return false;
    line += prefix + strspn(line + prefix, "0123456789");
    return is_key(line, ".veth.pair") || is_key(line, ".hwaddr");
}

/* A host end that is called as ours are means nothing to who is none of ours. */
static bool is_port_of_ours(const struct paths *paths, const char *line)
{
    const char *pair = strstr(line, ".veth.pair"), *equals = pair ? strchr(pair, '=') : NULL;
    return is_of_adoption(line) && !is_mark(line) && equals && equals < line + strcspn(line, "\n") &&
           strncmp(equals + 1 + strspn(equals + 1, BLANKS), paths->port_prefix, strlen(paths->port_prefix)) ==
               0;
}

/* Without our mark and ports; `paths` NULL: without all that adopting may have changed. */
static void keep_lines(const struct buffer *from, const struct paths *paths, struct buffer *to)
{
    for (const char *line = from->length ? from->bytes : ""; *line;) {
        size_t length = strcspn(line, "\n");
        bool dropped = paths ? is_mark(line) || is_port_of_ours(paths, line) : is_of_adoption(line);
        length += line[length] == '\n';
        if (!dropped)
            buffer_add(to, line, length);
        line += length;
    }
}

/* The config as its owner wrote it, where nothing was changed since but what adopting changed. False: it was. */
static bool restore(const struct paths *paths, const char *name, const struct buffer *now,
                    const struct stat *status)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer kept = {0}, was = {0}, is = {0};
    container_path(paths, name, KEPT, path);
    if (buffer_read_file(&kept, AT_FDCWD, path, CONFIG_LIMIT, NULL) < 0)
        return false;
    keep_lines(&kept, NULL, &was);
    keep_lines(now, NULL, &is);
    struct error ignored;
    return is_equal(&was, &is) && write_file(paths, name, "config", &kept, status, &ignored) == 0 &&
           unlink(path) == 0;
}

int container_release(const struct paths *paths, const struct container_reference *reference,
                      const struct call *call, struct error *error)
{
    struct observed_container mark = {0};
    struct stat status;
    _cleanup_buffer_ struct buffer before = {0}, after = {0};
    struct error reason = {0};
    int failed = read_config(paths, reference->lxc_name, &before, &status, &reason);
    if (failed == -ENOENT || failed == -ENOTDIR)
        return 0;
    if (failed < 0)
        return error_set(error, failed, "%s", reason.text);
    if (before.length)
        container_read_mark(before.bytes, call->arena, &mark);
    if (!mark.ours || restore(paths, reference->lxc_name, &before, &status))
        return 0;
    keep_lines(&before, paths, &after);
    return write_file(paths, reference->lxc_name, "config", &after, &status, error);
}
