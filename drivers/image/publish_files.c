/* The files of one version of an image in a published tree. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/packing.h"
#include "drivers/image/program.h"
#include "drivers/image/publish.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_image.h"
#include "lib/error.h"
#include "lib/json.h"

#define PART      ".part-" /* before the version, as long as its files are made */
#define NOBODY    65534
#define CACHE_AGE 86400 /* seconds that LXC's template takes its own copy for the newest */
#define SETPRIV                                                                                              \
    (char[]){"/usr/bin/setpriv"}, (char[]){"--reuid=65534"}, (char[]){"--regid=65534"},                      \
        (char[]){"--clear-groups"}, (char[]){"--no-new-privs"}, (char[])                                     \
    {                                                                                                        \
        "--bounding-set=-all"                                                                                \
    }

struct making {
    struct publishing *publishing;
    int folder; /* of the version */
    struct error *error;
};

/* ---- one file ---- */

static int make_file(const struct making *making, const char *name)
{
    int fd = openat(making->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 || fchmod(fd, 0644) < 0 ? error_errno(making->error, -errno, "%s", name) : fd;
}

static int add_to(struct digest *digest, int fd, const struct call *call)
{
    static char piece[256 * 1024];
    ssize_t got;
    for (int64_t at = 0; (got = pread(fd, piece, sizeof(piece), at)) > 0; at += got) {
        if (call_check(call) < 0)
            return call_check(call);
        digest_add(digest, piece, (size_t)got);
    }
    return got < 0 ? -errno : 0;
}

/* Syncs it and says what it is in the version. */
static int add_item(const struct making *making, const char *file, const char *key, const char *type)
{
    struct publishing *publishing = making->publishing;
    struct publish_item *item = &publishing->items[publishing->count++];
    struct stat status;
    *item = (struct publish_item){.file = file, .key = key, .type = type};
    _cleanup_close_ int fd = openat(making->folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || fsync(fd) < 0)
        return error_errno(making->error, -errno, "%s", file);
    _cleanup_digest_ struct digest *digest = digest_new();
    int result = add_to(digest, fd, publishing->call);
    digest_finish(digest, item->digest);
    item->size = status.st_size;
    return result < 0 ? error_errno(making->error, result, "%s", file) : 0;
}

/* ---- programs ---- */

struct hearing {
    char last[256];
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    snprintf(hearing->last, sizeof(hearing->last), "%s", line);
}

/* As nobody: names and contents of the tree are strangers'. */
static int run(const struct making *making, struct program *program, int input)
{
    struct hearing hearing = {.last = ""};
    const char *name = program->arguments[6];
    program->line = hear;
    program->context = &hearing;
    program->input = input;
    if (lseek(input, 0, SEEK_SET) < 0)
        return error_errno(making->error, -errno, "%s", name);
    if (access(name, X_OK) < 0)
        return error_set(making->error, -ENOENT,
                         "%s is not installed: apt install squashfs-tools-ng xz-utils", name);
    int result = program_run(program, making->publishing->call, making->error);
    return result > 0 ? error_set(making->error, -EIO, "%s: %s", name, hearing.last) : result;
}

/* Of several threads, always, so that its output is the same on every machine. */
static int compress(const struct making *making, int tar, const char *name)
{
    char *const arguments[] = {SETPRIV,
                               (char[]){"/usr/bin/xz"},
                               (char[]){"-6"},
                               (char[]){"--threads=4"},
                               (char[]){"--block-size=16MiB"},
                               (char[]){"--stdout"},
                               NULL};
    _cleanup_close_ int file = make_file(making, name);
    struct program program = {.arguments = arguments, .target = -1, .output = file};
    return file < 0 ? file : run(making, &program, tar);
}

/* It opens its file by name, as nobody. */
static int squash(const struct making *making, int tar, const char *name)
{
    const struct publishing *publishing = making->publishing;
    char defaults[64];
    snprintf(defaults, sizeof(defaults), "mtime=%lld", (long long)publishing->time % UINT32_MAX);
    char *const arguments[] = {SETPRIV,
                               (char[]){"/usr/bin/tar2sqfs"},
                               (char[]){"--compressor"},
                               (char[]){"zstd"},
                               (char[]){"--force"},
                               (char[]){"--quiet"},
                               (char[]){"--no-skip"},
                               (char[]){"--defaults"},
                               defaults,
                               (char[]){"/dev/fd/3"},
                               NULL};
    _cleanup_close_ int file = make_file(making, name);
    if (file < 0)
        return file;
    if (fchown(file, NOBODY, NOBODY) < 0)
        return error_errno(making->error, -errno, "%s", name);
    struct program program = {.arguments = arguments, .target = file};
    int result = run(making, &program, tar);
    return result == 0 && fchown(file, 0, 0) < 0 ? error_errno(making->error, -errno, "%s", name) : result;
}

/* ---- the root ---- */

static int find_opaque(int delta, struct json *list, struct error *error)
{
    return delta < 0 ? 0 : delta_list_opaque(delta, list, error);
}

/* A file without a name, as large as the root. */
static int make_tar(const struct making *making, bool lists)
{
    const struct publishing *publishing = making->publishing;
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    struct packed packed;
    int result =
        image_trees_open(publishing->paths->store, publishing->request->digest, &trees, making->error);
    if (result < 0)
        return result;
    _cleanup_json_ struct json *request = json_new_object();
    result = find_opaque(trees.delta, json_set(request, "opaque", json_new_array()), making->error);
    json_set(request, "compression", json_new_text("none"));
    json_set(request, "devices", json_new_bool(true));
    json_set(request, "lists", json_new_bool(lists));
    if (result < 0)
        return result;
    _cleanup_close_ int tar = openat(making->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (tar < 0)
        return error_errno(making->error, -errno, "cannot make a file in the tree");
    result = pack_trees(&trees, tar, request, publishing->call, &packed, making->error);
    if (result == 0 && packed.skipped && publishing->call->progress)
        publishing->call->progress(
            publishing->call->context,
            arena_printf(publishing->call->arena, "left out %lld sockets%s", (long long)packed.skipped,
                         lists ? ", and access lists that cannot be read"
                               : " and access control lists, which a squashfs cannot hold"));
    return result < 0 ? result : TAKE_FD(tar);
}

/* Each may take minutes, and says nothing by itself. */
static void tell(const struct making *making, const char *stage)
{
    const struct call *call = making->publishing->call;
    if (call->progress)
        call->progress(call->context, stage);
}

static int make_root(const struct making *making)
{
    const bool squashed = strcmp(making->publishing->request->format, "squashfs") == 0;
    tell(making, "packing the root");
    _cleanup_close_ int tar = make_tar(making, true);
    tell(making, "compressing it as rootfs.tar.xz");
    int result = tar < 0 ? tar : compress(making, tar, "rootfs.tar.xz");
    if (result == 0)
        result = add_item(making, "rootfs.tar.xz", squashed ? NULL : "root.tar.xz", "root.tar.xz");
    if (result < 0 || !squashed)
        return result;
    tell(making, "making rootfs.squashfs of it");
    _cleanup_close_ int plain = make_tar(making, false);
    result = plain < 0 ? plain : squash(making, plain, "rootfs.squashfs");
    return result == 0 ? add_item(making, "rootfs.squashfs", "root.squashfs", "squashfs") : result;
}

/* ---- small archives ---- */

static int pack_folder(const struct making *making, int from, const char *name)
{
    const struct image_trees trees = {.delta = -1, .base = from};
    struct packed packed;
    _cleanup_json_ struct json *request = json_new_object();
    json_set(request, "compression", json_new_text("xz"));
    json_set(request, "time", json_new_number(making->publishing->time));
    _cleanup_close_ int file = make_file(making, name);
    return file < 0 ? file
                    : pack_trees(&trees, file, request, making->publishing->call, &packed, making->error);
}

/* A folder that is filled, packed and removed. */
static int make_archive(const struct making *making, const char *name,
                        int (*fill)(const struct making *, int))
{
    const char *part = arena_printf(making->publishing->call->arena, PART "%s", name);
    if (mkdirat(making->folder, part, 0755) < 0)
        return error_errno(making->error, -errno, "%s", part);
    _cleanup_close_ int folder =
        openat(making->folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result = folder < 0 || fchmod(folder, 0755) < 0 ? error_errno(making->error, -errno, "%s", part)
                                                        : fill(making, folder);
    if (result == 0)
        result = pack_folder(making, folder, name);
    return result == 0 ? tree_remove(making->folder, part, making->error) : result;
}

static int write_text(const struct making *making, int folder, const char *name, const struct buffer *text)
{
    return publish_write(folder, name, text->length ? text->bytes : "", text->length, making->error);
}

static int fill_metadata(const struct making *making, int folder)
{
    const char *config = making->publishing->config_text;
    _cleanup_buffer_ struct buffer metadata = {0}, own = {0};
    publish_metadata(making->publishing, &metadata);
    buffer_text(&own, config ? config : "{}");
    int result = write_text(making, folder, "metadata.yaml", &metadata);
    return result == 0 ? write_text(making, folder, "fpsync.json", &own) : result;
}

static int fill_lxc(const struct making *making, int folder)
{
    _cleanup_buffer_ struct buffer system = {0}, user = {0}, message = {0}, expiry = {0}, excluded = {0},
                                   templates = {0};
    publish_lxc_config(making->publishing, false, &system);
    publish_lxc_config(making->publishing, true, &user);
    publish_lxc_message(making->publishing, &message);
    buffer_printf(&expiry, "%lld\n", (long long)making->publishing->time + CACHE_AGE);
    buffer_text(&excluded, "dev/*\n"); /* who is not root makes no nodes */
    const struct {
        const char *name;
        const struct buffer *text;
    } files[] = {{"config", &system}, {"config-user", &user},       {"create-message", &message},
                 {"expiry", &expiry}, {"excludes-user", &excluded}, {"templates", &templates}};
    int result = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files) && result == 0; i++)
        result = write_text(making, folder, files[i].name, files[i].text);
    return result;
}

static int fill_recipe(const struct making *making, int folder)
{
    return publish_recipe(making->publishing, folder, making->error);
}

/* ---- all of them ---- */

static int combine(const struct making *making, const char *metadata, const char *root)
{
    _cleanup_digest_ struct digest *digest = digest_new();
    int result = 0;
    const char *const names[] = {metadata, root};
    for (size_t i = 0; i < 2 && result == 0; i++) {
        _cleanup_close_ int fd = openat(making->folder, names[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        result = fd < 0 ? -errno : add_to(digest, fd, making->publishing->call);
    }
    digest_finish(digest, making->publishing->combined);
    return result < 0 ? error_errno(making->error, result, "cannot read what was written") : 0;
}

static int make_all(const struct making *making)
{
    const struct image_publish *request = making->publishing->request;
    const bool squashed = strcmp(request->format, "squashfs") == 0;
    int result = make_archive(making, "lxd.tar.xz", fill_metadata);
    if (result == 0)
        result = add_item(making, "lxd.tar.xz", "lxd.tar.xz", "lxd.tar.xz");
    if (result == 0)
        result = make_root(making);
    if (result == 0)
        result = make_archive(making, "meta.tar.xz", fill_lxc);
    if (result == 0)
        result = add_item(making, "meta.tar.xz", NULL, "meta.tar.xz");
    if (result == 0 && (request->recipe || request->recipe_text)) {
        result = make_archive(making, "recipe.tar.xz", fill_recipe);
        if (result == 0)
            result = add_item(making, "recipe.tar.xz", "recipe.tar.xz", "fpsync-recipe");
    }
    return result == 0 ? combine(making, "lxd.tar.xz", squashed ? "rootfs.squashfs" : "rootfs.tar.xz")
                       : result;
}

/* The version's name is free, save for what a crash has left of a version that no index came to name. */
static int show(struct publishing *publishing, int place, const char *part, struct error *error)
{
    int result = tree_remove(place, publishing->version, error);
    if (result < 0)
        return result;
    if (syncfs(place) < 0 || renameat(place, part, place, publishing->version) < 0 || fsync(place) < 0)
        return error_errno(error, -errno, "%s/%s", publishing->place, publishing->version);
    publishing->changed = true;
    return 0;
}

static int remove_names(const struct publishing *publishing, int place,
                        bool (*goes)(const struct publishing *, const char *), struct error *error);
static bool is_part(const struct publishing *publishing, const char *name);

int publish_files(struct publishing *publishing, struct error *error)
{
    const char *part = arena_printf(publishing->call->arena, PART "%s", publishing->version);
    _cleanup_close_ int place = publish_folder(publishing->tree, publishing->place, true, error);
    int result = place < 0 ? place : remove_names(publishing, place, is_part, error);
    if (result < 0)
        return result;
    _cleanup_close_ int folder = publish_folder(place, part, true, error);
    const struct making making = {.publishing = publishing, .folder = folder, .error = error};
    result = folder < 0                 ? folder
             : fchmod(folder, 0755) < 0 ? error_errno(error, -errno, "%s", part)
                                        : make_all(&making);
    if (result == 0)
        return show(publishing, place, part, error);
    struct error unused;
    tree_remove(place, part, &unused);
    return result;
}

/* ---- what goes ---- */

static bool is_part(const struct publishing *publishing, const char *name)
{
    (void)publishing;
    return strncmp(name, PART, strlen(PART)) == 0;
}

/* Versions have the form of ours; anything else there is somebody's. */
static bool is_old(const struct publishing *publishing, const char *name)
{
    static const char digits[] = "0123456789";
    const bool version =
        strlen(name) == 15 && strspn(name, digits) == 8 && name[8] == '_' && strspn(name + 9, digits) == 6;
    return is_part(publishing, name) || (version && !publish_names_version(publishing, name));
}

static int remove_names(const struct publishing *publishing, int place,
                        bool (*goes)(const struct publishing *, const char *), struct error *error)
{
    int copy = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "%s", publishing->place);
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (goes(publishing, item->d_name))
            result = tree_remove(place, item->d_name, error);
    closedir(directory);
    return result;
}

int publish_clean(struct publishing *publishing, struct error *error)
{
    _cleanup_close_ int place = publish_folder(publishing->tree, publishing->place, false, error);
    return place < 0 ? place : remove_names(publishing, place, is_old, error);
}
