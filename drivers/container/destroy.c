/* Removes a container's definition, never its data: layers and volumes are not below LXCPATH. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PROFILES      "apparmor" /* folder in which liblxc writes the profile that it loads */
#define PROFILE_LIMIT (1024 * 1024)
#define UNLOAD        "/sys/kernel/security/apparmor/.remove"

static int remove_files(const struct paths *paths, const char *name, const struct call *call,
                        struct error *error);

int container_destroy(const struct paths *paths, const struct container_reference *reference,
                      const struct call *call, struct error *error)
{
    const char *name = reference->lxc_name;
    struct observed_container present;
    int result = container_look(paths, name, call->arena, &present, error);
    if (result < 0)
        return result;
    if (present.defined && !present.ours)
        return error_set(error, -EPERM, "container %s is not fpsync's", name);
    if (present.running)
        return error_set(error, -EBUSY, "container %s is running", name);
    result = cgroups_remove(paths, name, error);
    if (result == 0)
        result = remove_files(paths, name, call, error);
    return result < 0 ? error_wrap(error, result, "container %s", name) : 0;
}

static int remove_names(int folder, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (unlinkat(folder, names[i], 0) < 0 && errno != ENOENT)
            return -errno;
    return 0;
}

/* Takes a profile, known by the file that it was loaded from, out of the kernel. Gone already is as good. */
static void unload_profile(int folder, const char *file)
{
    static const char start[] = "profile \"lxc-";
    _cleanup_buffer_ struct buffer text = {0};
    if (buffer_read_file(&text, folder, file, PROFILE_LIMIT, NULL) < 0 || !text.length)
        return;
    const char *profile = strstr(text.bytes, start);
    if (!profile)
        return;
    profile += strlen("profile \"");
    size_t length = strcspn(profile, "\"\n");
    _cleanup_close_ int fd = open(UNLOAD, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, profile, length) < 0)
        return; /* not loaded, or no AppArmor here */
}

/* A monitor that was killed has not removed its profile. */
static int remove_profiles(int folder)
{
    int fd = openat(folder, PROFILES, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    DIR *files = fdopendir(fd);
    if (!files) {
        close(fd);
        return -ENOMEM;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(files));) {
        if (entry->d_type != DT_REG)
            continue;
        unload_profile(fd, entry->d_name);
        if (unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
            result = -errno;
    }
    closedir(files);
    if (result == 0 && unlinkat(folder, PROFILES, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
        result = -errno;
    return result;
}

/* Only what we and liblxc put there, and the config, which proves the rest ours, last. Something that somebody else
 * laid beside it stays, and is told of. */
static int remove_files(const struct paths *paths, const char *name, const struct call *call,
                        struct error *error)
{
    static const char *const inner[] = {"argv", "argv.new", "directory", "directory.new",
                                        "exit", "user",     "user.new"};
    static const char *const outer[] = {"console.log", "console.log.1", "log",
                                        "partial",     "config.new",    CONTAINER_STOPPED};
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, name, "", path);
    _cleanup_close_ int folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot open %s", path);
    _cleanup_close_ int init =
        openat(folder, CONTAINER_HOST_DIR, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int result = init < 0 ? 0 : remove_names(init, inner, sizeof(inner) / sizeof(*inner));
    if (result == 0 && init >= 0 && unlinkat(folder, CONTAINER_HOST_DIR, AT_REMOVEDIR) < 0 &&
        errno != ENOTEMPTY)
        result = -errno;
    if (result == 0)
        result = remove_profiles(folder);
    if (result == 0)
        result = devices_remove(folder);
    if (result == 0)
        result = remove_names(folder, outer, sizeof(outer) / sizeof(*outer));
    if (result == 0 && unlinkat(folder, "config", 0) < 0 && errno != ENOENT)
        result = -errno;
    if (result < 0)
        return error_errno(error, result, "cannot empty %s", path);
    if (unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY)
        return error_errno(error, -errno, "cannot remove %s", path);
    if (call->progress) {
        char *line = arena_printf(call->arena, "%s holds files of others and stays", path);
        call->progress(call->context, line);
    }
    return 0;
}
