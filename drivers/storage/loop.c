#include "drivers/storage/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/error.h"

#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t) /* number of blocks; in no header of the kernel's */
#define TRIES              100

static int open_device(const char *name, int flags)
{
    char path[300];
    snprintf(path, sizeof(path), "/dev/%s", name);
    return open(path, flags | O_CLOEXEC);
}

/* Whether the device `name` below `blocks` stands for a file that is called as ours are, whatever becomes of them: image,
 * image.new, "image (deleted)". The rest of the path depends on who looks from where. A path too long to be told may be
 * any. */
static bool may_stand_for_ours(int blocks, const char *name)
{
    char attribute[300], path[PATH_MAX + 1];
    snprintf(attribute, sizeof(attribute), "%s/loop/backing_file", name);
    _cleanup_close_ int fd = openat(blocks, attribute, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *file = strrchr(path, '/');
    return fd >= 0 && (!file || strncmp(file + 1, "image", strlen("image")) == 0);
}

static bool stands_for(int device, const struct stat *image)
{
    struct loop_info64 info;
    return ioctl(device, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == image->st_dev &&
           info.lo_inode == image->st_ino;
}

/* The device that stands for the file already, opened for reading; -1: there is none. A second one would be a second file
 * system on the same bytes, and destroy them. Devices of others are not opened: they may wait for the last to close. */
static int find_device(const struct stat *image)
{
    int found = -1;
    DIR *directory = opendir("/sys/block");
    for (struct dirent *item; directory && found < 0 && (item = readdir(directory));) {
        if (strncmp(item->d_name, "loop", 4) != 0 || !may_stand_for_ours(dirfd(directory), item->d_name))
            continue;
        found = open_device(item->d_name, O_RDONLY);
        if (found < 0 || stands_for(found, image))
            continue;
        close(found);
        found = -1;
    }
    if (directory)
        closedir(directory);
    return found;
}

/* What is written, past the host's cache where the file system below can do that; a block is then as large as ext4's. */
static int bind_device(int device, int image, uint32_t how)
{
    struct loop_config config = {.fd = (uint32_t)image,
                                 .block_size = LOOP_BLOCK,
                                 .info = {.lo_flags = LO_FLAGS_AUTOCLEAR | how, .lo_file_name = "fpsync"}};
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
        return 0;
    if (errno != EINVAL || how != LO_FLAGS_DIRECT_IO)
        return -errno;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    return ioctl(device, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
}

/* Somebody else may take the free one before us. */
static int new_device(int image, uint32_t how, struct error *error)
{
    _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return error_errno(error, -errno, "/dev/loop-control");
    int result = -EBUSY;
    for (int tries = 0; tries < TRIES && result == -EBUSY; tries++) {
        char name[32];
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(name, sizeof(name), "loop%d", number);
        _cleanup_close_ int device = number < 0 ? -1 : open_device(name, O_RDWR);
        result = device < 0 ? -errno : bind_device(device, image, how);
        if (result == 0)
            return TAKE_FD(device);
    }
    return error_errno(error, result, "cannot have a loop device");
}

static int open_bound(int image, uint32_t how, struct error *error)
{
    struct stat status;
    if (fstat(image, &status) < 0)
        return error_errno(error, -errno, "cannot look at a file");
    int device = find_device(&status);
    return device >= 0 ? device : new_device(image, how, error);
}

/* A context of the file system on the device. */
static int open_system(int device, const char *type, struct error *error)
{
    struct loop_info64 info;
    char source[32];
    if (ioctl(device, LOOP_GET_STATUS64, &info) < 0)
        return error_errno(error, -errno, "cannot look at a loop device");
    snprintf(source, sizeof(source), "/dev/loop%u", info.lo_number);
    _cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
    return context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0
               ? error_errno(error, -errno, "cannot mount the %s file system in its file", type)
               : TAKE_FD(context);
}

int loop_mount(int image, uint64_t attributes, struct error *error)
{
    _cleanup_close_ int device = open_bound(image, LO_FLAGS_DIRECT_IO, error);
    _cleanup_close_ int context = device < 0 ? device : open_system(device, "ext4", error);
    if (context < 0)
        return context;
    if (fsconfig(context, FSCONFIG_SET_FLAG, "discard", NULL, 0) < 0 || /* what is deleted is given back */
        /* The file is zero where nothing was written, and may not change below a backup while nobody writes. */
        fsconfig(context, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return error_errno(error, -errno, "cannot mount the ext4 file system in its file");
    _cleanup_close_ int tree = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes & ~MOUNT_ATTR_RDONLY);
    if (tree < 0)
        return error_errno(error, -errno, "cannot mount the ext4 file system in its file");
    return TAKE_FD(tree);
}

/* Through the host's cache: squashfs keeps what it has decompressed, and reads its tables again and again. */
int loop_mount_squashfs(int image, struct error *error)
{
    _cleanup_close_ int device = open_bound(image, LO_FLAGS_READ_ONLY, error);
    _cleanup_close_ int context = device < 0 ? device : open_system(device, "squashfs", error);
    if (context < 0)
        return context;
    /* "ro", or the kernel refuses to share what it has mounted of the device already. */
    if (fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return error_errno(error, -errno, "cannot mount the squashfs in its file");
    _cleanup_close_ int tree = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
    return tree < 0 ? error_errno(error, -errno, "cannot mount the squashfs in its file") : TAKE_FD(tree);
}

int loop_grow(int image, struct error *error)
{
    struct stat status;
    struct statfs system;
    _cleanup_close_ int device = open_bound(image, LO_FLAGS_DIRECT_IO, error);
    if (device < 0)
        return device;
    if (ioctl(device, LOOP_SET_CAPACITY) < 0)
        return error_errno(error, -errno, "cannot make a loop device larger");
    _cleanup_close_ int tree = loop_mount(image, 0, error);
    if (tree < 0)
        return tree;
    _cleanup_close_ int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || fstat(image, &status) < 0 || fstatfs(root, &system) < 0)
        return error_errno(error, -errno, "cannot look at a file system in a file");
    uint64_t blocks = (uint64_t)status.st_size / (uint64_t)system.f_bsize;
    if (ioctl(root, EXT4_IOC_RESIZE_FS, &blocks) < 0)
        return error_errno(error, -errno, "cannot make its file system larger while it is mounted");
    if (syncfs(root) < 0) /* so that the file says it, too: view_sized.h */
        return error_errno(error, -errno, "cannot write a larger file system");
    return 0;
}

int loop_is_bound(int image)
{
    struct stat status;
    _cleanup_close_ int device = fstat(image, &status) < 0 ? -1 : find_device(&status);
    return device >= 0;
}
