/* The storage family on the real kernel: needs root, and says so by skipping. Everything happens below one
 * temporary root and in a mount namespace of the test's own, once with a private "/" and once with a shared one,
 * as systemd makes it. A busybox container is started from a merged root by liblxc itself. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/guest/idmap.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/volume.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define DIGEST  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BASE    0x70000000
#define BUSYBOX "/bin/busybox"

static struct arena *arena;
static struct paths paths;
static struct call call;
static struct error error;
static char root[64];
static struct lxc_container *running; /* stopped also when a test fails */

#define assert_done(call_)                                                                                   \
    do {                                                                                                     \
        error = (struct error){0};                                                                           \
        if ((call_) < 0)                                                                                     \
            fail_msg("%s: %s", #call_, error.text);                                                          \
    } while (0)

static char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *at(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_printf(arena, "%s/%s", root, text);
}

/* Control groups are the whole machine's: the name must be ours alone. */
static const char *live_name(void)
{
    return arena_printf(arena, "live-%s", root + strlen(root) - 6);
}

static void make_folder(const char *path)
{
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
    assert_int_equal(chmod(path, 0755), 0);
}

static void make_file(const char *path, const char *content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    fchmod(fd, mode);
    close(fd);
}

static char *content_of(const char *path)
{
    struct buffer text = {0};
    if (buffer_read_file(&text, AT_FDCWD, path, 1 << 20, NULL) < 0)
        return NULL;
    char *copy = arena_strndup(arena, text.bytes, text.length);
    buffer_clear(&text);
    return copy;
}

static void assert_owner(const char *path, unsigned uid)
{
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(status.st_uid, uid);
    assert_int_equal(status.st_gid, uid);
}

/* How many mounts this namespace has below the root. */
static int mounts_below(void)
{
    char *table = content_of("/proc/self/mountinfo");
    int count = 0;
    for (char *line = table; (line = strstr(line, root)); line += strcspn(line, "\n"))
        count++;
    return count;
}

static void make_image(void)
{
    char *image = at("var/lib/fpsync/images/" DIGEST);
    make_folder(at("var"));
    make_folder(at("var/lib"));
    make_folder(at("var/lib/fpsync"));
    make_folder(at("var/lib/fpsync/images"));
    make_folder(image);
    static const char *const folders[] = {"",     "/bin", "/sbin", "/etc",      "/proc", "/sys",
                                          "/dev", "/tmp", "/srv",  "/srv/seed", NULL};
    for (size_t i = 0; folders[i]; i++)
        make_folder(arena_printf(arena, "%s/root%s", image, folders[i]));
    int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
    int to = open(arena_printf(arena, "%s/root/bin/busybox", image), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(from >= 0 && to >= 0);
    while (copy_file_range(from, NULL, to, NULL, 1 << 20, 0) > 0)
        ;
    fchmod(to, 0755);
    close(from);
    close(to);
    assert_int_equal(symlink("busybox", arena_printf(arena, "%s/root/bin/sh", image)), 0);
    make_file(arena_printf(arena, "%s/root/etc/hosts", image), "image\n", 0644);
    make_file(arena_printf(arena, "%s/root/srv/seed/one", image), "seed\n", 0640);
    assert_int_equal(chown(arena_printf(arena, "%s/root/srv/seed/one", image), 33, 33), 0);
    assert_int_equal(symlink(at("canary"), arena_printf(arena, "%s/root/evil", image)), 0);
    make_file(arena_printf(arena, "%s/complete", image), "bytes 12\n", 0600);
    make_folder(at("canary"));
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    call = (struct call){.arena = arena, .cancel = -1};
    strcpy(root, "/tmp/fpst-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0711) < 0)
        return -1;
    if (paths_make(root, arena, &paths, &error) < 0)
        return -1;
    make_image();
    return 0;
}

static void stop_running(void)
{
    if (!running)
        return;
    running->stop(running);
    running->wait(running, "STOPPED", 10);
    lxc_container_put(running);
    running = NULL;
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) /* its monitor: we are its subreaper */
        ;
    /* A monitor cannot remove the control group that it is in. */
    glob_t found;
    if (glob(arena_printf(arena, "/sys/fs/cgroup/{*/,}lxc.monitor.%s", live_name()), GLOB_BRACE, NULL,
             &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            for (int tries = 0; tries < 100 && rmdir(found.gl_pathv[i]) < 0 && errno == EBUSY; tries++)
                poll(NULL, 0, 2); /* the kernel lets go of the dead a moment after they were waited for */
    globfree(&found);
}

static int tear_down(void **state)
{
    (void)state;
    stop_running();
    char *table = content_of("/proc/self/mountinfo");
    for (int tries = 0; tries < 50 && table && strstr(table, root);
         tries++, table = content_of("/proc/self/mountinfo")) {
        char point[256];
        const char *found = strstr(table, root);
        snprintf(point, sizeof(point), "%.*s", (int)strcspn(found, " "), found);
        umount2(point, MNT_DETACH);
    }
    int result = tree_remove(AT_FDCWD, root, &error);
    if (result < 0)
        print_error("%s\n", error.text);
    arena_free(arena);
    return result;
}

static struct root_mount *request_of(const char *name, const char *layer)
{
    struct root_mount *request = described_new(arena, &root_mount_table);
    request->lxc_name = name;
    request->digest = DIGEST;
    request->layer = layer;
    request->id_base = BASE;
    return request;
}

static void add_volume(struct root_mount *request, const char *path, const char *file)
{
    struct root_volume *volume = described_new(arena, &root_volume_table);
    volume->path = path;
    volume->file = file;
    volume->type = "dir";
    volume->fill = true;
    *arena_append(arena, request->volumes.items, request->volumes.count) = volume;
}

static void add_file(struct root_mount *request, const char *path, const char *content)
{
    struct root_file *file = described_new(arena, &root_file_table);
    file->path = path;
    file->content = content;
    file->mode = 0644;
    *arena_append(arena, request->files.items, request->files.count) = file;
}

static void unmount(const char *name)
{
    struct root_reference reference = {.lxc_name = name};
    assert_done(storage_effects.unmount_root(&paths, &reference, &call, &error));
}

static void test_root_comes_and_goes(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/data/inner", "shop_inner");
    add_volume(request, "/data", "shop_data");
    add_file(request, "/etc/hosts", "127.0.0.1 web\n");
    add_file(request, "/run/new/deep", "deep\n");
    for (int round = 0; round < 2; round++) { /* the second finds it mounted */
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_string_equal(content_of(at("run/fpsync/mounts/web/root/etc/hosts")), "127.0.0.1 web\n");
        assert_int_equal(mounts_below(), 3);
    }
    assert_owner(at("run/fpsync/mounts/web/root/bin/busybox"), BASE);
    assert_owner(at("run/fpsync/mounts/web/root/etc/hosts"), BASE);
    assert_owner(at("run/fpsync/mounts/web/root/data/inner"), BASE);
    assert_owner(at("var/lib/fpsync/layers/shop_web/upper/etc/hosts"), 0);
    assert_owner(at("var/lib/fpsync/layers/shop_web/upper/run/new"), 0);
    assert_string_equal(content_of(at("var/lib/fpsync/images/" DIGEST "/root/etc/hosts")), "image\n");

    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.image_count, 1);
    assert_int_equal(seen.images[0].bytes, 12);
    assert_int_equal(seen.layer_count, 1);
    assert_int_equal(seen.volume_count, 2);
    assert_int_equal(seen.root_count, 1);
    assert_string_equal(seen.roots[0].lxc_name, "web");

    unmount("web");
    unmount("web");
    assert_int_equal(mounts_below(), 0);
    assert_int_equal(access(at("run/fpsync/mounts/web"), F_OK), -1);
}

/* As a user of the host whose group is `gid`. */
static bool passes(const char *path, gid_t gid)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        _exit(access(path, F_OK) < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_not_equal(WEXITSTATUS(status), 2);
    return status == 0;
}

/* What a guest's root makes setuid would be so for them, too. */
static void test_users_of_the_host_stay_out(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        struct root_mount *request = request_of("web", arena_printf(arena, "shop_web%d", kind));
        request->id_base = kind & 1 ? 0 : BASE;
        request->copy = kind & 2;
        request->disk = kind & 4 ? 32 * 1024 * 1024 : 0;
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_false(passes(at("run/fpsync/mounts/web/root/bin/busybox"), 65534));
        assert_false(passes(at("run/fpsync/mounts/web/root/bin/busybox"), 0));
        assert_int_equal(passes(at("run/fpsync/mounts/web/root/bin/busybox"), BASE), request->id_base != 0);
        unmount("web");
    }
}

/* A root that was mounted when its place was the mount point: seen, written to and taken down as it is. */
static void test_root_of_an_earlier_release(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/root", "shop_root");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    char *place = at("run/fpsync/mounts/web"), *aside = at("aside");
    make_folder(aside);
    struct identity guest = {0};
    assert_done(identity_take(&guest, BASE, &error));
    assert_int_equal(mkdir(at("run/fpsync/mounts/web/root/root/mine"), 0755), 0);
    identity_drop(&guest);
    assert_int_equal(mount(at("run/fpsync/mounts/web/root"), aside, NULL, MS_BIND | MS_REC, NULL), 0);
    unmount("web");
    assert_int_equal(mkdir(place, 0755), 0);
    assert_int_equal(mount(aside, place, NULL, MS_BIND | MS_REC, NULL), 0);
    assert_int_equal(umount2(aside, MNT_DETACH), 0);
    assert_int_equal(symlink("web", at("run/fpsync/uppers/shop_web")), 0);

    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.root_count, 1);
    assert_int_equal(storage_effects.mount_root(&paths, request_of("b", "shop_web"), &call, &error), -EBUSY);
    struct root_write write = {.lxc_name = "web", .id_base = BASE};
    write.files.items =
        (void *[]){&(struct root_file){.path = "/etc/later", .content = "later\n", .mode = 0644}};
    write.files.count = 1;
    assert_done(storage_effects.write_root(&paths, &write, &call, &error));
    assert_string_equal(content_of(at("run/fpsync/mounts/web/etc/later")), "later\n");
    for (int round = 0; round < 2; round++) {
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_string_equal(content_of(at("run/fpsync/mounts/web/root/etc/later")), "later\n");
        assert_int_equal(access(at("run/fpsync/mounts/web/root/root/mine"), F_OK), 0);
        assert_int_equal(mounts_below(), 2);
    }
    unmount("web");
    assert_int_equal(mounts_below(), 0);
    assert_int_equal(access(place, F_OK), -1);
}

static void test_layer_is_never_mounted_twice(void **state)
{
    (void)state;
    assert_done(storage_effects.mount_root(&paths, request_of("a", "x_one"), &call, &error));
    assert_int_equal(storage_effects.mount_root(&paths, request_of("b", "x_one"), &call, &error), -EBUSY);
    assert_int_equal(mounts_below(), 1);
    struct data_reference layer = {.file = "x_one"};
    assert_int_equal(storage_effects.delete_layer(&paths, &layer, &call, &error), -EBUSY);
    unmount("a");
    assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
    assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
    assert_int_equal(access(at("var/lib/fpsync/layers/x_one"), F_OK), -1);
}

static void test_symlinks_stay_inside(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/srv/vol", "shop_vol");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    /* The guest leaves links to the host where we will write and mount next time. */
    char *merged = at("run/fpsync/mounts/web/root");
    struct identity guest = {0};
    assert_done(identity_take(&guest, BASE, &error));
    assert_int_equal(symlink(at("canary"), arena_printf(arena, "%s/out", merged)), 0);
    assert_int_equal(symlink("../../../../../../..", arena_printf(arena, "%s/up", merged)), 0);
    unlink(arena_printf(arena, "%s/etc/hosts", merged));
    assert_int_equal(symlink(at("canary/hosts"), arena_printf(arena, "%s/etc/hosts", merged)), 0);
    identity_drop(&guest);
    add_volume(request, "/evil/vol", "shop_evil");
    add_volume(request, arena_printf(arena, "/up%s/canary/vol", root), "shop_up");
    add_file(request, "/out/file", "x");
    add_file(request, "/etc/hosts", "mine\n");
    int result = storage_effects.mount_root(&paths, request, &call, &error);
    if (result == 0) { /* links were followed within the container's root, where their targets were made */
        assert_string_equal(content_of(at("run/fpsync/mounts/web/root/etc/hosts")), "mine\n");
        unmount("web");
    } else { /* dangling in the container: refused */
        assert_int_equal(mounts_below(), 0);
    }
    assert_int_equal(rmdir(at("canary")), 0); /* still empty */
    make_folder(at("canary"));
}

/* As a guest makes them: deeper than one may have files open, or than a path may be long. */
static void test_deep_tree_goes(void **state)
{
    (void)state;
    make_folder(at("deep"));
    int folder = open(at("deep"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int level = 0; level < 5000; level++) {
        assert_int_equal(mkdirat(folder, "level", 0700), 0);
        assert_int_equal(mkdirat(folder, ".tmp-del-0", 0700), 0); /* a name that removal itself gives */
        int below = openat(folder, "level", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        close(folder);
        folder = below;
    }
    close(folder);
    assert_done(tree_remove(AT_FDCWD, at("deep"), &error));
    assert_int_equal(access(at("deep"), F_OK), -1);
}

static void test_what_cannot_go_keeps_nothing_else(void **state)
{
    (void)state;
    make_folder(at("store"));
    make_folder(at("store/.tmp-del-held"));
    make_folder(at("store/.tmp-del-held/mounted"));
    make_folder(at("store/wanted"));
    assert_int_equal(mount("none", at("store/.tmp-del-held/mounted"), "tmpfs", 0, NULL), 0);
    assert_done(tree_remove_from_store(at("store"), "wanted", &error));
    assert_int_equal(access(at("store/wanted"), F_OK), -1);
    assert_int_equal(access(at("store/.tmp-del-wanted"), F_OK), -1);
    assert_int_equal(access(at("store/.tmp-del-held/mounted"), F_OK), 0);
    assert_int_equal(umount(at("store/.tmp-del-held/mounted")), 0);
}

static void set_project(int folder, unsigned project)
{
    struct fsxattr attributes;
    assert_int_equal(ioctl(folder, FS_IOC_FSGETXATTR, &attributes), 0);
    attributes.fsx_projid = project;
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    assert_int_equal(ioctl(folder, FS_IOC_FSSETXATTR, &attributes), 0);
}

/* A folder of one project takes none of another's: neither are those in the way of what lies deep below. */
static void test_deep_projects_go(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ext4 -q -O project,quota", "xfs -q -f"};
    int mounted = -1;
    make_folder(at("disk"));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && mounted != 0; i++)
        mounted = system(arena_printf(arena, /* NOLINT(cert-env33-c) */
                                      "exec 2>&-; /usr/bin/truncate -s 320M %s/file && /sbin/mkfs.%s %s/file "
                                      "&& /usr/bin/mount -o loop %s/file %s/disk",
                                      root, kinds[i], root, root, root));
    if (mounted != 0)
        skip(); /* neither of them has projects here */
    make_folder(at("disk/top"));
    int folder = open(at("disk/top"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned level = 0; level < 250; level++) {
        set_project(folder, level + 1);
        assert_int_equal(mkdirat(folder, "level", 0700), 0);
        int below = openat(folder, "level", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        close(folder);
        folder = below;
    }
    close(folder);
    error = (struct error){0};
    int result = tree_remove(AT_FDCWD, at("disk/top"), &error);
    assert_int_equal(umount2(at("disk"), MNT_DETACH), 0);
    if (result < 0)
        fail_msg("%s", error.text);
}

/* Who forgets a name has to know that nothing of it is left; and what stays is in the way of nobody who has it next. */
static void test_what_stays_is_told_again(void **state)
{
    (void)state;
    make_folder(at("store"));
    make_folder(at("store/.tmp-del-held"));
    make_folder(at("store/.tmp-del-held/mounted"));
    assert_int_equal(mount("none", at("store/.tmp-del-held/mounted"), "tmpfs", 0, NULL), 0);
    assert_int_equal(tree_remove_leftovers(at("store"), "held", &error), -EBUSY);
    make_folder(at("store/held"));
    assert_int_equal(tree_remove_from_store(at("store"), "held", &error), -EBUSY);
    assert_int_equal(access(at("store/held"), F_OK), -1);
    assert_int_equal(access(at("store/.tmp-del-held.1"), F_OK), -1);
    assert_int_equal(access(at("store/.tmp-del-held/mounted"), F_OK), 0);
    assert_int_equal(umount(at("store/.tmp-del-held/mounted")), 0);
    make_folder(at("store/.tmp-del-held.7"));
    make_folder(at("store/held"));
    assert_done(tree_remove_leftovers(at("store"), "held", &error));
    assert_int_equal(access(at("store/.tmp-del-held"), F_OK), -1);
    assert_int_equal(access(at("store/.tmp-del-held.7"), F_OK), -1);
    assert_int_equal(access(at("store/held"), F_OK), 0);
}

static void test_leftovers_are_seen(void **state)
{
    (void)state;
    struct observed_leftovers left;
    make_folder(at("var/lib/fpsync/volumes"));
    make_folder(at("var/lib/fpsync/volumes/.tmp-del-shop_data"));
    make_folder(at("var/lib/fpsync/volumes/.tmp-del-shop_data.3"));
    assert_done(storage_view.dump_leftovers(&paths, arena, &left, &error));
    assert_int_equal(left.count, 1);
    assert_string_equal(left.items[0].kind, "volume");
    assert_string_equal(left.items[0].file, "shop_data");
    const struct data_reference request = {.file = "shop_data"};
    assert_done(storage_effects.delete_volume(&paths, &request, &call, &error));
    assert_done(storage_view.dump_leftovers(&paths, arena, &left, &error));
    assert_int_equal(left.count, 0);
}

static void test_new_volume_is_filled_once(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/srv/seed", "shop_seed");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_string_equal(content_of(at("run/fpsync/mounts/web/root/srv/seed/one")), "seed\n");
    assert_owner(at("run/fpsync/mounts/web/root/srv/seed/one"), BASE + 33);
    assert_owner(at("var/lib/fpsync/volumes/shop_seed/data/one"), 33);
    assert_int_equal(unlink(at("run/fpsync/mounts/web/root/srv/seed/one")), 0);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_null(content_of(at("run/fpsync/mounts/web/root/srv/seed/one")));
    unmount("web");
}

static void test_privileged_root(void **state)
{
    (void)state;
    struct root_mount *request = request_of("priv", "shop_priv");
    request->id_base = 0;
    add_file(request, "/etc/hosts", "p\n");
    add_volume(request, "/vol", "shop_pvol");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_owner(at("run/fpsync/mounts/priv/root/etc/hosts"), 0);
    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    unmount("priv");
}

/* fpsync-init is taken from beside the running program: any file of that name will do here. */
static void test_init_is_provided(void **state)
{
    (void)state;
    char own[512];
    struct statvfs status;
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(length > 0);
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    char *program = arena_printf(arena, "%s/fpsync-init", own);
    bool ours = symlink(BUSYBOX, program) == 0;
    struct root_mount *request = request_of("web", "shop_web");
    request->with_init = true;
    int result = storage_effects.mount_root(&paths, request, &call, &error);
    if (ours)
        unlink(program);
    if (result < 0)
        fail_msg("%s", error.text);
    char *init = at("run/fpsync/mounts/web/root/.fpsync/init");
    assert_int_equal(access(init, X_OK), 0);
    assert_int_equal(statvfs(init, &status), 0);
    assert_true(status.f_flag & ST_RDONLY);
    assert_int_equal(mounts_below(), 2);
    unmount("web");
}

/* No name that the language allows may look like one of the store's own. */
static void test_names_are_free(void **state)
{
    (void)state;
    static const char *const files[] = {"tmp-a_b", "tmp-del-x_y", "lock_work"};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        const struct data_reference layer = {.file = files[i]};
        struct observed_storage seen;
        assert_done(storage_effects.create_layer(&paths, &layer, &call, &error));
        assert_done(storage_effects.mount_root(&paths, request_of(files[i], files[i]), &call, &error));
        assert_done(storage_view.dump(&paths, &call, &seen, &error));
        assert_int_equal(seen.layer_count, 1);
        assert_string_equal(seen.layers[0].file, files[i]);
        assert_int_equal(seen.root_count, 1);
        assert_string_equal(seen.roots[0].lxc_name, files[i]);
        unmount(files[i]);
        assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
    }
}

static void test_bad_requests(void **state)
{
    (void)state;
    struct root_mount *request = request_of("../x", "shop_web");
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -EINVAL);
    request = request_of("x", "../etc");
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -EINVAL);
    request = request_of("x", "shop_web");
    request->digest = "../../etc";
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -EINVAL);
    request = request_of("x", "shop_web");
    request->digest = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -ENOENT);
    request = request_of("x", "shop_web");
    add_volume(request, "/a/../b", "shop_v");
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -EINVAL);
    assert_int_equal(mounts_below(), 0);
}

/* ---- a real container ---- */

static int64_t start_of(int64_t pid)
{
    char *at_ = strrchr(content_of(arena_printf(arena, "/proc/%lld/stat", (long long)pid)), ')');
    for (int field = 2; field < 22; field++)
        at_ = strchr(at_ + 1, ' ');
    return strtoll(at_ + 1, NULL, 10);
}

static struct lxc_container *start(const char *name, bool privileged)
{
    make_folder(at("var/lib/lxc"));
    struct lxc_container *container = lxc_container_new(name, paths.lxc);
    assert_non_null(container);
    running = container;
    assert_true(container->set_config_item(container, "lxc.rootfs.path",
                                           arena_printf(arena, "dir:%s/%s/" PATHS_ROOT, paths.mounts, name)));
    if (!privileged) {
        assert_true(
            container->set_config_item(container, "lxc.idmap", arena_printf(arena, "u 0 %d 65536", BASE)));
        assert_true(
            container->set_config_item(container, "lxc.idmap", arena_printf(arena, "g 0 %d 65536", BASE)));
    }
    assert_true(container->set_config_item(container, "lxc.net.0.type", "empty"));
    assert_true(container->set_config_item(container, "lxc.mount.auto", "proc:mixed"));
    assert_true(container->set_config_item(container, "lxc.apparmor.profile", "unconfined"));
    assert_true(container->set_config_item(container, "lxc.log.file", at("lxc.log")));
    assert_true(container->set_config_item(container, "lxc.log.level", "ERROR"));
    assert_true(container->want_daemonize(container, true));
    const char *const command[] = {BUSYBOX, "sleep", "1000", NULL};
    /* In a child: liblxc moves whoever starts a container into its monitor's control group. */
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(!container->start(container, 0, (char *const *)command));
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail_msg("container does not start: %s", content_of(at("lxc.log")));
    return container;
}

static int run_inside(struct lxc_container *container, const char *const *argv)
{
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    lxc_attach_command_t command = {.program = (char *)argv[0], .argv = (char **)argv};
    pid_t pid = -1;
    int status = -1;
    if (container->attach(container, lxc_attach_run_command, &command, &options, &pid) < 0)
        return -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static size_t volumes_inside(int64_t pid)
{
    struct observed_storage storage;
    struct observed_guest_mounts seen;
    const char *places[] = {"/srv/first", "/srv/second", "/srv/seed", "/srv/again", "/none/such"};
    assert_done(storage_view.dump(&paths, &call, &storage, &error));
    storage_view.look_mounts(&storage, pid, &(struct texts){.items = places, .count = 5}, arena, &seen);
    return seen.count;
}

static void live_volumes(bool privileged)
{
    struct root_mount *request = request_of(live_name(), "shop_live");
    request->id_base = privileged ? 0 : BASE;
    add_volume(request, "/srv/first", "shop_first");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    struct lxc_container *container = start(live_name(), privileged);
    struct volume_attach *attach = described_new(arena, &volume_attach_table);
    attach->lxc_name = live_name();
    attach->init_pid = container->init_pid(container);
    attach->init_start = start_of(attach->init_pid);
    attach->path = "/srv/second";
    attach->file = "shop_second";
    assert_int_equal(volumes_inside(attach->init_pid), 1);

    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_int_equal(volumes_inside(attach->init_pid), 2);
    const char *const touch[] = {BUSYBOX, "touch", "/srv/first/a", "/srv/second/b", NULL};
    assert_int_equal(run_inside(container, touch), 0);
    assert_owner(at("var/lib/fpsync/volumes/shop_first/data/a"), 0);
    assert_owner(at("var/lib/fpsync/volumes/shop_second/data/b"), 0);

    /* A link of the guest's, and a path that it has as a link to the host's tree. */
    const char *const link[] = {BUSYBOX, "ln", "-s", "../../../../tmp", "/srv/link", NULL};
    assert_int_equal(run_inside(container, link), 0);
    attach->path = "/srv/link/third";
    attach->file = "shop_third";
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_int_equal(access("/tmp/third", F_OK), -1);
    attach->path = "/tmp/third";
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));

    struct data_reference volume = {.file = "shop_second"};
    assert_int_equal(storage_effects.delete_volume(&paths, &volume, &call, &error), -EBUSY);
    attach->path = "/srv/second";
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));
    attach->path = "/srv/first"; /* there since the start */
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));
    assert_int_equal(volumes_inside(attach->init_pid), 0);
    assert_done(storage_effects.delete_volume(&paths, &volume, &call, &error));

    attach->path = "/srv/second";
    attach->init_start++;
    assert_int_equal(storage_effects.attach_volume(&paths, attach, &call, &error), -ESRCH);
    struct data_reference layer = {.file = "shop_live"};
    assert_int_equal(storage_effects.delete_layer(&paths, &layer, &call, &error), -EBUSY);
    stop_running();
    unmount(live_name());
    assert_int_equal(mounts_below(), 0);
    assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
}

static void test_live_volumes(void **state)
{
    (void)state;
    live_volumes(false);
}

static void test_live_volumes_privileged(void **state)
{
    (void)state;
    live_volumes(true);
}

/* ---- what volumes are made of ---- */

static struct volume_attach *attach_request(struct lxc_container *container, const char *path,
                                            const char *file)
{
    struct volume_attach *attach = described_new(arena, &volume_attach_table);
    attach->lxc_name = live_name();
    attach->init_pid = container->init_pid(container);
    attach->init_start = start_of(attach->init_pid);
    attach->path = path;
    attach->file = file;
    attach->type = "dir";
    attach->fill = true;
    attach->digest = DIGEST;
    return attach;
}

static long kibibytes_at(const char *path)
{
    struct statvfs status;
    assert_int_equal(statvfs(path, &status), 0);
    return (long)(status.f_blocks * status.f_frsize / 1024);
}

/* How many loop devices stand for files below the root. */
static int loops_of_root(void)
{
    glob_t found;
    int count = 0;
    if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const char *file = content_of(found.gl_pathv[i]);
            count += file && strncmp(file, root, strlen(root)) == 0;
        }
    globfree(&found);
    return count;
}

/* The last process of a container lets go of its mounts a moment after it was waited for. */
static void assert_no_loops(void)
{
    for (int tries = 0; tries < 500 && loops_of_root(); tries++)
        poll(NULL, 0, 10);
    assert_int_equal(loops_of_root(), 0);
}

static void set_size(struct root_mount *request, size_t index, int64_t size)
{
    struct root_volume *volume = request->volumes.items[index];
    volume->type = "loop";
    volume->size = size;
}

static void test_sized_volume(void **state)
{
    (void)state;
    const int64_t mebibyte = 1 << 20;
    struct volume_source source = {.file = "shop_seed", .type = "loop", .size = 32 * mebibyte};
    assert_done(storage_effects.create_volume(&paths, &source, &call, &error));
    assert_no_loops();
    struct root_mount *request = request_of(live_name(), "shop_live");
    add_volume(request, "/srv/seed", "shop_seed");
    set_size(request, 0, source.size);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_int_equal(loops_of_root(), 1);
    char *inside = at("run/fpsync/mounts/%s/root/srv/seed", live_name());
    assert_string_equal(content_of(arena_printf(arena, "%s/one", inside)), "seed\n"); /* filled */
    struct stat status;
    assert_int_equal(stat(inside, &status), 0);
    assert_non_null(strstr(
        content_of(arena_printf(arena, "/proc/fs/ext4/loop%u/options", (unsigned)minor(status.st_dev))),
        "noinit_itable")); /* the kernel changes nothing in it by itself */
    assert_owner(arena_printf(arena, "%s/one", inside), BASE + 33);
    assert_int_equal(access(arena_printf(arena, "%s/lost+found", inside), F_OK), -1);
    assert_in_range(kibibytes_at(inside), 20 * 1024, 32 * 1024);

    struct lxc_container *container = start(live_name(), false);
    struct volume_attach *attach = attach_request(container, "/srv/again", "shop_seed");
    attach->type = "loop";
    attach->size = source.size;
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_int_equal(loops_of_root(), 1); /* one file system, mounted twice */
    assert_int_equal(volumes_inside(attach->init_pid), 2);
    const char *const fill_it[] = {BUSYBOX,    "dd", "if=/dev/zero", "of=/srv/again/big", "bs=1M",
                                   "count=64", NULL};
    assert_int_not_equal(run_inside(container, fill_it), 0);
    source.size = 128 * mebibyte;
    if (prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1) { /* live */
        assert_done(storage_effects.create_volume(&paths, &source, &call, &error));
        assert_in_range(kibibytes_at(inside), 100 * 1024, 128 * 1024);
        assert_int_equal(run_inside(container, fill_it), 0);
    } else {
        assert_int_equal(storage_effects.create_volume(&paths, &source, &call, &error), -EPERM);
    }

    struct data_reference volume = {.file = "shop_seed"};
    assert_int_equal(storage_effects.delete_volume(&paths, &volume, &call, &error), -EBUSY);
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));
    stop_running();
    unmount(live_name());
    assert_int_equal(mounts_below(), 0);
    assert_no_loops();
    set_size(request, 0, source.size);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error)); /* filled no second time */
    assert_int_equal(access(arena_printf(arena, "%s/big", inside), F_OK), 0);
    assert_in_range(kibibytes_at(inside), 100 * 1024, 128 * 1024);
    unmount(live_name());
    assert_no_loops();
    assert_done(storage_effects.delete_volume(&paths, &volume, &call, &error));
    assert_int_equal(access(at("var/lib/fpsync/volumes/shop_seed"), F_OK), -1);
}

/* A loop device of somebody else's, who hears of everyone that opens it. */
static void test_sized_volume_leaves_others_alone(void **state)
{
    (void)state;
    char device[32], event[512];
    const struct volume_source source = {.file = "shop_data", .type = "loop", .size = 16 << 20};
    make_file(at("another"), "", 0600);
    assert_int_equal(truncate(at("another"), 1 << 20), 0);
    _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    _cleanup_close_ int file = open(at("another"), O_RDWR | O_CLOEXEC);
    snprintf(device, sizeof(device), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
    _cleanup_close_ int loop = open(device, O_RDWR | O_CLOEXEC);
    const struct loop_config config = {.fd = (uint32_t)file, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    assert_int_equal(ioctl(loop, LOOP_CONFIGURE, &config), 0);
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(inotify_add_watch(watch, device, IN_OPEN) >= 0);
    assert_done(storage_effects.create_volume(&paths, &source, &call, &error));
    int folder = volume_open(&paths, "shop_data", &error);
    assert_true(folder >= 0);
    close(folder);
    assert_int_equal(read(watch, event, sizeof(event)), -1);
    assert_int_equal(errno, EAGAIN);
}

/* Larger than its file system: what a crash after the file had grown leaves behind. */
static void test_sized_volume_grows_late(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/data", "shop_data");
    set_size(request, 0, 16 << 20);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    unmount("web");
    assert_no_loops();
    make_file(at("var/lib/fpsync/volumes/shop_data/image.new"), "half made", 0600);
    assert_int_equal(truncate(at("var/lib/fpsync/volumes/shop_data/image"), 64 << 20), 0);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_in_range(kibibytes_at(at("run/fpsync/mounts/web/root/data")), 50 * 1024, 64 * 1024);
    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.volume_count, 1);
    assert_string_equal(seen.volumes[0].type, "loop");
    assert_int_equal(seen.volumes[0].size, 64 << 20);
    assert_in_range(storage_view.measure(paths.volumes, "shop_data"), 1, 63 << 20);
    unmount("web");
}

static int64_t size_of_disk(const char *layer)
{
    struct observed_disk disk = {0};
    storage_view.look_disk(&paths, layer, 0, &disk);
    return disk.size;
}

/* What a crash leaves of a growing layer is seen, and put right by the next mount. */
static void test_limited_layer_grows_late(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    request->disk = 16 << 20;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    unmount("web");
    assert_no_loops();
    assert_int_equal(size_of_disk("shop_web"), 16 << 20);
    assert_int_equal(truncate(at("var/lib/fpsync/layers/shop_web/image"), 64 << 20), 0);
    assert_int_equal(size_of_disk("shop_web"), 16 << 20);
    request->disk = 64 << 20;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    assert_int_equal(size_of_disk("shop_web"), 64 << 20);
    assert_in_range(kibibytes_at(at("run/fpsync/mounts/web/root")), 50 * 1024, 64 * 1024);
    unmount("web");
}

/* Out of a file and back: no hole is filled, and what is given up leaves nothing. */
static void test_sparse_files_move(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    request->disk = 32 << 20;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    struct identity guest = {0};
    assert_done(identity_take(&guest, BASE, &error));
    char *file = at("run/fpsync/mounts/web/root/sparse");
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && pwrite(fd, "middle", 6, 100 << 20) == 6 && ftruncate(fd, 1L << 30) == 0);
    close(fd);
    identity_drop(&guest);
    unmount("web");
    assert_no_loops();

    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    call.cancel = ends[0];
    request->disk = 0;
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), -ECANCELED);
    call.cancel = -1;
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(access(at("var/lib/fpsync/layers/shop_web/disk"), F_OK), 0);
    assert_int_equal(access(at("var/lib/fpsync/layers/shop_web/plain.new"), F_OK), -1);

    for (int round = 0; round < 3; round++) {
        struct stat status;
        char text[6];
        request->disk = round == 1 ? 32 << 20 : 0;
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        fd = open(file, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0 && fstat(fd, &status) == 0);
        assert_int_equal(status.st_size, 1L << 30);
        assert_in_range(status.st_blocks, 1, 2048);
        assert_int_equal(pread(fd, text, sizeof(text), 100 << 20), sizeof(text));
        assert_memory_equal(text, "middle", sizeof(text));
        close(fd);
        unmount("web");
    }
    assert_no_loops();
}

/* A copy that is thrown away is one still: snapshots keep its file, and nothing of an overlay comes into it. */
static void test_fresh_limited_copy(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    request->disk = 32 << 20;
    request->copy = request->fresh = true;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    unmount("web");
    make_folder(at("var/lib/fpsync/layers/shop_web/snapshots"));
    make_file(at("var/lib/fpsync/layers/shop_web/snapshots/mine"), "made 1\nwhole 1\n", 0600);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    unmount("web");
    int folder = open(at("var/lib/fpsync/layers/shop_web"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int inside = disk_open(folder, &error);
    assert_true(inside >= 0);
    assert_int_equal(faccessat(inside, "root/bin", F_OK, 0), 0);
    assert_int_equal(faccessat(inside, "upper", F_OK, 0), -1);
    close(inside);
    close(folder);
    assert_no_loops();
}

static void test_volume_is_left_empty(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/srv/seed", "shop_seed");
    ((struct root_volume *)request->volumes.items[0])->fill = false;
    for (int round = 0; round < 2; round++) {
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_null(content_of(at("run/fpsync/mounts/web/root/srv/seed/one")));
        unmount("web");
        ((struct root_volume *)request->volumes.items[0])->fill = true; /* it is not new any more */
    }
}

static void test_live_volume_is_filled(void **state)
{
    (void)state;
    assert_done(storage_effects.mount_root(&paths, request_of(live_name(), "shop_live"), &call, &error));
    struct lxc_container *container = start(live_name(), false);
    struct volume_attach *attach = attach_request(container, "/srv/seed", "shop_seed");
    make_folder(at("var/lib/fpsync/volumes"));
    make_folder(at("var/lib/fpsync/volumes/shop_seed"));
    make_folder(at("var/lib/fpsync/volumes/shop_seed/data.new")); /* of a run that was killed */
    make_file(at("var/lib/fpsync/volumes/shop_seed/data.new/one"), "half\n", 0600);
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    const char *const compare[] = {BUSYBOX, "grep", "-qx", "seed", "/srv/seed/one", NULL};
    assert_int_equal(run_inside(container, compare), 0);
    assert_owner(at("var/lib/fpsync/volumes/shop_seed/data/one"), 33);
}

/* Thrown away at every start, unless somebody else has it. */
static void test_fresh_at_every_start(void **state)
{
    (void)state;
    struct root_mount *request = request_of("web", "shop_web");
    add_volume(request, "/srv/seed", "shop_seed");
    add_volume(request, "/sized", "shop_sized");
    set_size(request, 1, 16 << 20);
    for (size_t i = 0; i < 2; i++)
        ((struct root_volume *)request->volumes.items[i])->fresh = true;
    request->fresh = true;
    static const char *const files[] = {"srv/seed/mine", "sized/mine", "etc/mine"};
    for (int round = 0; round < 3; round++) {
        assert_done(storage_effects.mount_root(&paths, request, &call, &error));
        assert_string_equal(content_of(at("run/fpsync/mounts/web/root/srv/seed/one")), "seed\n");
        struct identity guest = {0};
        assert_done(identity_take(&guest, BASE, &error));
        for (size_t i = 0; i < 3; i++) {
            char *file = at("run/fpsync/mounts/web/root/%s", files[i]);
            assert_int_equal(access(file, F_OK), -1);
            make_file(file, "x", 0644);
        }
        identity_drop(&guest);
    }
    struct root_mount *other = request_of("other", "shop_other");
    add_volume(other, "/mine", "shop_seed");
    ((struct root_volume *)other->volumes.items[0])->fresh = true;
    assert_done(storage_effects.mount_root(&paths, other, &call, &error));
    assert_int_equal(access(at("run/fpsync/mounts/other/root/mine/mine"), F_OK), 0);
    unmount("other");
    unmount("web");
    assert_no_loops();
}

/* Whoever comes next could not see a mount that is detached, and would throw away what somebody is about to have. */
static void test_used_volume_is_held_until_mounted(void **state)
{
    (void)state;
    const struct volume_source source = {.file = "shop_held", .type = "dir"};
    const struct volume_filling filling = {.path = "/srv"};
    int held = -1;
    int tree = volume_use(&paths, &source, &filling, true, false, -1, &call, &held, &error);
    int other = open(at("var/lib/fpsync/volumes/shop_held"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(tree >= 0 && held >= 0 && other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(held);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    close(tree);
}

/* Read-only is final for root inside, whichever way the volume came in; and both ways lead back to writable. */
static bool can_write(struct lxc_container *container, const char *path)
{
    const char *const remount[] = {BUSYBOX, "mount", "-o", "remount,bind,rw", path, NULL};
    const char *const touch[] = {BUSYBOX, "touch", arena_printf(arena, "%s/file", path), NULL};
    run_inside(container, remount);
    return run_inside(container, touch) == 0;
}

static void read_only_volumes(bool privileged)
{
    static const char *const places[] = {"/srv/first", "/srv/second"};
    struct root_mount *request = request_of(live_name(), "shop_live");
    request->id_base = privileged ? 0 : BASE;
    add_volume(request, places[0], "shop_first");
    ((struct root_volume *)request->volumes.items[0])->read_only = true;
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    struct lxc_container *container = start(live_name(), privileged);
    for (size_t i = 0; i < 2; i++) {
        struct volume_attach *attach = described_new(arena, &volume_attach_table);
        attach->lxc_name = live_name();
        attach->init_pid = container->init_pid(container);
        attach->init_start = start_of(attach->init_pid);
        attach->path = places[i];
        attach->file = i == 0 ? "shop_first" : "shop_second";
        for (int round = 0; round < 5; round++) {
            struct observed_storage storage;
            struct observed_guest_mounts seen;
            attach->read_only = round % 2 == 0;
            assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
            assert_int_equal(can_write(container, places[i]), !attach->read_only);
            assert_done(storage_view.dump(&paths, &call, &storage, &error));
            storage_view.look_mounts(&storage, attach->init_pid,
                                     &(struct texts){.items = (const char **)&places[i], .count = 1}, arena,
                                     &seen);
            assert_int_equal(seen.count, 1);
            assert_string_equal(seen.items[0].path, places[i]);
            assert_string_equal(seen.items[0].volume, attach->file);
            assert_int_equal(seen.items[0].read_only, attach->read_only);
        }
    }
    stop_running();
    unmount(live_name());
    assert_int_equal(mounts_below(), 0);
}

static void test_read_only_volumes(void **state)
{
    (void)state;
    read_only_volumes(false);
}

static void test_read_only_volumes_privileged(void **state)
{
    (void)state;
    read_only_volumes(true);
}

/* A root that was unmounted on the host under a running container: its layer still counts as in use, and no
 * other container's namespaces keep a root alive that is gone here. */
static void test_other_containers_pin_nothing(void **state)
{
    (void)state;
    assert_done(storage_effects.mount_root(&paths, request_of("first", "shop_first"), &call, &error));
    assert_done(storage_effects.mount_root(&paths, request_of(live_name(), "shop_live"), &call, &error));
    start(live_name(), false);
    unmount("first");
    struct data_reference layer = {.file = "shop_first"};
    assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
    unmount(live_name());
    layer.file = "shop_live";
    assert_int_equal(storage_effects.delete_layer(&paths, &layer, &call, &error), -EBUSY);
    stop_running();
    assert_done(storage_effects.delete_layer(&paths, &layer, &call, &error));
}

/* Somebody unmounts the root of a running container on the host. The guest keeps its root and its volumes; only what
 * was mounted before its start can then not be detached before its next. */
static void test_root_unmounted_under_a_guest(void **state)
{
    (void)state;
    struct root_mount *request = request_of(live_name(), "shop_live");
    add_volume(request, "/srv/first", "shop_first");
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    struct lxc_container *container = start(live_name(), false);
    int64_t pid = container->init_pid(container);
    assert_int_equal(umount2(at("run/fpsync/mounts/%s/root", live_name()), MNT_DETACH), 0);
    struct observed_storage seen;
    assert_done(storage_view.dump(&paths, &call, &seen, &error));
    assert_int_equal(seen.root_count, 0);
    assert_int_equal(volumes_inside(pid), 1);
    struct volume_attach *attach = described_new(arena, &volume_attach_table);
    attach->lxc_name = live_name();
    attach->init_pid = pid;
    attach->init_start = start_of(pid);
    attach->path = "/srv/first";
    attach->file = "shop_first";
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_int_equal(volumes_inside(pid), 1);
    assert_int_equal(storage_effects.detach_volume(&paths, attach, &call, &error), -EBUSY);
    assert_non_null(strstr(error.text, "until its next start"));
    attach->path = "/srv/second";
    attach->file = "shop_second";
    assert_done(storage_effects.attach_volume(&paths, attach, &call, &error));
    assert_done(storage_effects.detach_volume(&paths, attach, &call, &error));
    assert_int_equal(volumes_inside(pid), 1);
    stop_running();
    unmount(live_name());
    assert_int_equal(mounts_below(), 0);
    assert_done(storage_effects.mount_root(&paths, request, &call, &error));
    unmount(live_name());
}

/* HARDENING S9: a guest's process swaps a folder for a link to the host while volumes go in and out. */
static void swap_forever(const char *folder)
{
    char real[256], link[256];
    struct identity guest = {0};
    identity_take(&guest, BASE, NULL);
    snprintf(real, sizeof(real), "%s/racy", folder);
    snprintf(link, sizeof(link), "%s/lure", folder);
    mkdir(real, 0755);
    if (symlink("/tmp", link) < 0)
        _exit(1);
    while (getppid() != 1)
        syscall(SYS_renameat2, AT_FDCWD, real, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
    _exit(0);
}

static void test_race_with_a_guest(void **state)
{
    (void)state;
    assert_done(storage_effects.mount_root(&paths, request_of(live_name(), "shop_live"), &call, &error));
    struct lxc_container *container = start(live_name(), false);
    struct volume_attach *attach = described_new(arena, &volume_attach_table);
    attach->lxc_name = live_name();
    attach->init_pid = container->init_pid(container);
    attach->init_start = start_of(attach->init_pid);
    attach->path = "/racy/fpsync-race/deep";
    attach->file = "shop_race";
    pid_t pid = fork();
    if (pid == 0)
        swap_forever(at("run/fpsync/mounts/%s/root", live_name()));
    int64_t end = now_milliseconds() + 1500;
    int attached = 0;
    while (now_milliseconds() < end) {
        attached += storage_effects.attach_volume(&paths, attach, &call, NULL) == 0;
        storage_effects.detach_volume(&paths, attach, &call, NULL);
        assert_int_equal(access("/tmp/fpsync-race", F_OK), -1);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(attached > 0);
    stop_running();
    unmount(live_name());
    assert_int_equal(mounts_below(), 0);
}

static int run_group(const char *name, unsigned long propagation)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_root_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep_tree_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep_projects_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_go_keeps_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_stays_is_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leftovers_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_users_of_the_host_stay_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_root_of_an_earlier_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_layer_is_never_mounted_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_symlinks_stay_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_volume_is_filled_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_privileged_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_init_is_provided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_volumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_volumes_privileged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sized_volume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sized_volume_leaves_others_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sized_volume_grows_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limited_layer_grows_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sparse_files_move, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fresh_limited_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_volume_is_left_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_volume_is_filled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fresh_at_every_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_used_volume_is_held_until_mounted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only_volumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only_volumes_privileged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_containers_pin_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_root_unmounted_under_a_guest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_race_with_a_guest, set_up, tear_down),
    };
    if (mount(NULL, "/", NULL, MS_REC | propagation, NULL) < 0)
        return 1;
    cmocka_set_test_filter(getenv("FPSYNC_TEST"));
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
        puts("1..1\nok 1 # SKIP needs root: mounts and containers are made");
        return 0;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 1;
    /* liblxc maps ids through newuidmap when it finds that, and that one wants /etc/subuid to list them. */
    setenv("PATH", "/nonexistent", 1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int failed = run_group("storage_private_root", MS_PRIVATE);
    return failed + run_group("storage_shared_root", MS_SHARED);
}
