/* Which networks have a running dnsmasq, told from its pid file and from what the process itself is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>

#include "drivers/network/view_internal.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/units.h"

#define PID_FILE_LIMIT 64
#define CMDLINE_LIMIT  65536
#define NAMES_LIMIT    (16 * 1024 * 1024)

static const char *read_names(const char *folder, struct arena *arena);
static int read_pid(const char *path, int64_t *pid, struct error *error);
static bool process_is_resolver(int64_t pid, const char *pid_file, struct arena *arena);

char *resolver_folder(const struct paths *paths, struct arena *arena, const char *bridge)
{
    return arena_printf(arena, "%s/%s", paths->networks, bridge);
}

char *resolver_pid_file(const struct paths *paths, struct arena *arena, const char *bridge)
{
    return arena_printf(arena, "%s/%s/dnsmasq.pid", paths->networks, bridge);
}

char *unions_folder(const struct paths *paths, struct arena *arena, const char *bridge)
{
    return arena_printf(arena, "%s/%s/unions", paths->networks, bridge);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int unions_list(const char *folder, struct arena *arena, struct texts *out, struct error *error)
{
    DIR *files = opendir(folder);
    if (!files)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", folder);
    for (struct dirent *entry; (entry = readdir(files));) {
        const char *suffix = strstr(entry->d_name, UNION_SUFFIX);
        char *address = suffix ? arena_strndup(arena, entry->d_name, (size_t)(suffix - entry->d_name)) : NULL;
        uint32_t ignored;
        if (address && address_parse(address, &ignored) == 0)
            *arena_append(arena, out->items, out->count) = address;
    }
    closedir(files);
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), compare_texts);
    return 0;
}

static int view_unions(const struct paths *paths, struct arena *arena, struct observed_resolver *resolver,
                       struct error *error)
{
    const char *folder = unions_folder(paths, arena, resolver->bridge);
    struct texts there = {0};
    int result = unions_list(folder, arena, &there, error);
    for (size_t i = 0; i < there.count && result == 0; i++) {
        _cleanup_close_ int pidfd = -1;
        int64_t pid;
        result = resolver_find(arena_printf(arena, "%s/%s" UNION_SUFFIX, folder, there.items[i]), arena, &pid,
                               &pidfd, error);
        if (pid)
            *arena_append(arena, resolver->unions.items, resolver->unions.count) = there.items[i];
    }
    return result;
}

int view_resolvers(const struct paths *paths, struct arena *arena, struct observed_network *out,
                   struct error *error)
{
    DIR *folder = opendir(paths->networks);
    if (!folder)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", paths->networks);
    const char *prefix = bridge_prefix(paths, arena);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || !ifname_is_valid(entry->d_name))
            continue;
        _cleanup_close_ int pidfd = -1;
        struct observed_resolver resolver = {.bridge = arena_strdup(arena, entry->d_name)};
        result = resolver_find(resolver_pid_file(paths, arena, resolver.bridge), arena, &resolver.pid, &pidfd,
                               error);
        if (result < 0 || (result = view_unions(paths, arena, &resolver, error)) < 0)
            continue;
        const char *own = resolver_folder(paths, arena, resolver.bridge);
        if (access(arena_printf(arena, "%s/" RESOLVER_CHANGING, own), F_OK) < 0) {
            resolver.dhcp = read_names(arena_printf(arena, "%s/dhcp", own), arena);
            resolver.hosts = read_names(arena_printf(arena, "%s/hosts", own), arena);
        }
        *arena_append(arena, out->resolvers, out->resolver_count) = resolver;
    }
    closedir(folder);
    return result;
}

/* One file a network and not one a container: two reads tell whether all names are there. Whatever else lies in the
 * folder is read by dnsmasq as well. */
static const char *read_names(const char *folder, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *file = arena_printf(arena, "%s/" RESOLVER_NAMES, folder);
    if (!holds_only(folder, RESOLVER_NAMES) || buffer_read_file(&text, AT_FDCWD, file, NAMES_LIMIT, NULL) < 0)
        return NULL;
    return arena_strdup(arena, text.length ? text.bytes : "");
}

bool is_other(const struct dirent *entry, const char *kept)
{
    return *entry->d_name != '.' && (!kept || strcmp(entry->d_name, kept) != 0);
}

bool holds_only(const char *path, const char *name)
{
    DIR *folder = opendir(path);
    bool others = !folder;
    for (struct dirent *entry; !others && (entry = readdir(folder));)
        others = is_other(entry, name);
    if (folder)
        closedir(folder);
    return !others;
}

/* The pidfd is opened before the process is looked at, so that it cannot be another one afterwards. */
int resolver_find(const char *pid_file, struct arena *arena, int64_t *pid, int *pidfd, struct error *error)
{
    *pid = 0;
    *pidfd = -1;
    int64_t candidate;
    int result = read_pid(pid_file, &candidate, error);
    if (result < 0 || candidate == 0)
        return result;
    _cleanup_close_ int fd = pidfd_open((pid_t)candidate, 0);
    if (fd < 0)
        return errno == ESRCH || errno == EINVAL ? 0 : error_errno(error, -errno, "pid %d", (int)candidate);
    if (!process_is_resolver(candidate, pid_file, arena))
        return 0;
    *pid = candidate;
    *pidfd = TAKE_FD(fd);
    return 0;
}

static int read_pid(const char *path, int64_t *pid, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct error failure = {0};
    *pid = 0;
    int result = buffer_read_file(&text, AT_FDCWD, path, PID_FILE_LIMIT, &failure);
    if (result == -ENOENT || result == -EFBIG)
        return 0;
    if (result < 0)
        return error_set(error, result, "%s", failure.text);
    if (!text.length)
        return 0;
    text.bytes[strcspn(text.bytes, "\n")] = '\0';
    if (number_parse(text.bytes, pid) < 0 || *pid <= 1 || *pid > INT32_MAX)
        *pid = 0; /* half-written or foreign: no proof of a process */
    return 0;
}

static bool process_is_resolver(int64_t pid, const char *pid_file, struct arena *arena)
{
    char exe[PATH_MAX + 1];
    ssize_t length = readlink(arena_printf(arena, "/proc/%lld/exe", (long long)pid), exe, sizeof(exe) - 1);
    if (length < 0)
        return false;
    exe[length] = '\0';
    const char *name = strrchr(exe, '/');
    /* An upgraded program reads "/usr/sbin/dnsmasq (deleted)". */
    if (!name || strncmp(name, "/dnsmasq", 8) != 0 || (name[8] && name[8] != ' '))
        return false;
    _cleanup_buffer_ struct buffer arguments = {0};
    if (buffer_read_file(&arguments, AT_FDCWD, arena_printf(arena, "/proc/%lld/cmdline", (long long)pid),
                         CMDLINE_LIMIT, NULL) < 0 ||
        !arguments.length)
        return false;
    const char *wanted = arena_printf(arena, "--pid-file=%s", pid_file);
    for (const char *at = arguments.bytes; at < arguments.bytes + arguments.length; at += strlen(at) + 1)
        if (strcmp(at, wanted) == 0)
            return true;
    return false;
}
