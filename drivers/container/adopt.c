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

static int write_bytes(int fd, const struct buffer *text)
{
    for (size_t at = 0; at < text->length;) {
        ssize_t written = write(fd, text->bytes + at, text->length - at);
        if (written < 0)
            return -errno;
        at += (size_t)written;
    }
    return fsync(fd) < 0 ? -errno : 0;
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
    int result = fd < 0 ? -errno : write_bytes(fd, text);
    if (result == 0 && (fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode & 07777) < 0 ||
                        rename(new, path) < 0))
        result = -errno;
    if (result == 0)
        return 0;
    if (fd >= 0)
        unlink(new);
    return error_errno(error, result, "container %s: cannot write %s", name, path);
}

/* "lxc.net.0.veth.pair = ..." of an interface that gets another host end, or a MAC of its own, for good. */
static bool is_replaced(const struct container_adopt *adopt, const char *line)
{
    line += strspn(line, " \t");
    for (size_t i = 0; i < adopt->nics.count; i++) {
        const struct nic *nic = adopt->nics.items[i];
        static const char *const items[] = {"veth.pair", "hwaddr"};
        for (size_t j = 0; j < sizeof(items) / sizeof(*items); j++) {
            char key[64];
            int length = snprintf(key, sizeof(key), "lxc.net.%lld.%s", (long long)nic->index, items[j]);
            if (strncmp(line, key, (size_t)length) == 0 && strchr(" \t=", line[length]))
                return true;
        }
    }
    return false;
}

static void add_nics(const struct container_adopt *adopt, struct buffer *text)
{
    for (size_t i = 0; i < adopt->nics.count; i++) {
        const struct nic *nic = adopt->nics.items[i];
        buffer_printf(text, "lxc.net.%lld.veth.pair = %s\n", (long long)nic->index, nic->ifname);
        buffer_printf(text, "lxc.net.%lld.hwaddr = %s\n", (long long)nic->index, nic->mac);
    }
}

static void add_marked(const struct container_adopt *adopt, char *before, struct buffer *text)
{
    buffer_printf(text, CONTAINER_MARK "%s %lld\n", adopt->uid, (long long)adopt->generation);
    for (char *next; before && *before; before = next) {
        next = strchr(before, '\n');
        if (next)
            *next++ = '\0';
        if (!is_replaced(adopt, before))
            buffer_printf(text, "%s\n", before);
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
    if (!mark.ours) {
        failed = write_file(paths, adopt->lxc_name, KEPT, &before, &status, error);
        add_marked(adopt, before.bytes, &after);
        if (failed == 0)
            failed = write_file(paths, adopt->lxc_name, "config", &after, &status, error);
        if (failed < 0)
            return failed;
    }
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

/* The config as its owner wrote it, kept since it was adopted, is of use only where it says something else. */
static void drop_kept(const struct paths *paths, const char *name, const struct buffer *now)
{
    char path[CONTAINER_PATH_SIZE];
    _cleanup_buffer_ struct buffer kept = {0};
    container_path(paths, name, KEPT, path);
    if (buffer_read_file(&kept, AT_FDCWD, path, CONFIG_LIMIT, NULL) >= 0 && kept.length == now->length &&
        memcmp(kept.bytes, now->bytes, now->length) == 0)
        unlink(path);
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
    if (!mark.ours)
        return 0;
    for (char *line = before.bytes, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        size_t length = next ? (size_t)(++next - line) : strlen(line);
        if (strncmp(line, CONTAINER_MARK, strlen(CONTAINER_MARK)) != 0 &&
            (length != strlen(GROUP_LINE) || strncmp(line, GROUP_LINE, length) != 0))
            buffer_add(&after, line, length);
    }
    failed = write_file(paths, reference->lxc_name, "config", &after, &status, error);
    if (failed == 0)
        drop_kept(paths, reference->lxc_name, &after);
    return failed;
}
