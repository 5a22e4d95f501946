/* The image family: content, and hostile archives with a canary tree beside them. Needs root (owners, namespaces)
 * and says so by skipping. Archives are written here byte by byte, because tools refuse to make such. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/error.h"

static struct arena *arena;
static struct paths paths;
static struct call call;
static struct error error;
static struct image_made made;
static char root[64];
static char canary[DIGEST_TEXT_SIZE];
static int progress_lines;

static char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *at(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_printf(arena, "%s/%s", root, text);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static int run(const char *const *argv)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void digest_of_folder(const char *path, char digest[static DIGEST_TEXT_SIZE])
{
    int64_t bytes;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(image_digest(fd, &call, digest, &bytes, &error), 0);
    close(fd);
}

static void hear(void *context, const char *line)
{
    (void)context;
    (void)line;
    progress_lines++;
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    call = (struct call){.arena = arena, .cancel = -1, .progress = hear};
    progress_lines = 0;
    strcpy(root, "/tmp/fpsi-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0711) < 0 || paths_make(root, arena, &paths, &error) < 0)
        return -1;
    mkdir(at("canary"), 0755);
    mkdir(at("canary/etc"), 0755);
    write_file(at("canary/etc/passwd"), "canary\n", 7);
    write_file(at("canary/file"), "canary\n", 7);
    digest_of_folder(at("canary"), canary);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    int result = tree_remove(AT_FDCWD, root, &error);
    if (result < 0)
        print_error("%s\n", error.text);
    arena_free(arena);
    return result;
}

/* ---- archives ---- */

struct header { /* POSIX ustar */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8];
    char user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == 512, "a tar header is one block");

static void add_block(struct buffer *tar, struct header *header)
{
    unsigned sum = 0;
    memset(header->checksum, ' ', sizeof(header->checksum));
    for (size_t i = 0; i < sizeof(*header); i++)
        sum += ((unsigned char *)header)[i];
    snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
    buffer_add(tar, header, sizeof(*header));
}

static struct header header_of(char type, const char *name, const char *link, uint64_t size)
{
    struct header header = {
        .mode = "0000755", .uid = "0000000", .gid = "0000000", .mtime = "00000000000", .type = type};
    char text[16];
    memcpy(header.magic, "ustar\00000", 8);
    memcpy(header.name, name, strnlen(name, sizeof(header.name)));
    if (link)
        memcpy(header.link, link, strnlen(link, sizeof(header.link)));
    snprintf(text, sizeof(text), "%011llo", (unsigned long long)size);
    memcpy(header.size, text, sizeof(header.size));
    return header;
}

static void add_data(struct buffer *tar, const char *content, size_t size)
{
    static const char zeros[512];
    buffer_add(tar, content, size);
    if (size % 512)
        buffer_add(tar, zeros, 512 - size % 512);
}

static void add(struct buffer *tar, char type, const char *name, const char *link, const char *content)
{
    size_t size = content ? strlen(content) : 0;
    struct header header = header_of(type, name, link, size);
    add_block(tar, &header);
    if (content)
        add_data(tar, content, size);
}

static void add_pax(struct buffer *tar, const char *key, const char *value, size_t value_size)
{
    size_t length = strlen(key) + value_size + 3, digits = 1;
    for (size_t rest = length + 1; rest >= 10; rest /= 10)
        digits++;
    length += digits;
    struct buffer record = {0};
    buffer_printf(&record, "%zu %s=", length, key);
    buffer_add(&record, value, value_size);
    buffer_text(&record, "\n");
    struct header header = header_of('x', "pax", NULL, record.length);
    add_block(tar, &header);
    add_data(tar, record.bytes, record.length);
    buffer_clear(&record);
}

static void finish(struct buffer *tar, const char *path)
{
    static const char zeros[1024];
    buffer_add(tar, zeros, sizeof(zeros));
    write_file(path, tar->bytes, tar->length);
    buffer_clear(tar);
}

static int make(const char *source)
{
    struct image_make *request = described_new(arena, &image_make_table);
    request->name = "shop/base";
    request->source = source;
    made = (struct image_made){0};
    error = (struct error){0};
    return image_effects.make(&paths, request, &call, &made, &error);
}

static int images(void)
{
    struct observed_storage seen;
    assert_int_equal(storage_view.dump(&paths, &call, &seen, &error), 0);
    return (int)seen.image_count;
}

static void assert_nothing_left(void)
{
    char now[DIGEST_TEXT_SIZE];
    digest_of_folder(at("canary"), now);
    assert_string_equal(now, canary);
    assert_int_equal(images(), 0);
    assert_int_equal(rmdir(paths.images), 0); /* no ".tmp-" either */
}

static const char *const packers[][3] = {{"gzip", "-1", "gz"}, {"xz", "-0", "xz"}, {"zstd", "-q", "zst"}};

static void assert_file_refused(const char *name, const char *reason)
{
    int result = make(arena_printf(arena, "file:%s/%s", root, name));
    if (result == 0)
        fail_msg("%s: accepted, expected \"%s\"", name, reason);
    if (!strstr(error.text, reason))
        fail_msg("%s: expected \"%s\" in \"%s\"", name, reason, error.text);
    for (const char *text = error.text; *text; text++)
        assert_true((unsigned char)*text >= 0x20);
    assert_nothing_left();
}

/* As it is, and packed in every way that is read. */
static void assert_refused(struct buffer *tar, const char *reason)
{
    finish(tar, at("hostile.tar"));
    assert_file_refused("hostile.tar", reason);
    for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
        const char *const argv[] = {packers[i][0], packers[i][1], "-kf", at("hostile.tar"), NULL};
        assert_int_equal(run(argv), 0);
        assert_file_refused(arena_printf(arena, "hostile.tar.%s", packers[i][2]), reason);
    }
}

#define BEGIN(tar)                                                                                           \
    struct buffer tar = {0};                                                                                 \
    add(&tar, '5', "./", NULL, NULL)

static void refuse_one(char type, const char *name, const char *link, const char *content, const char *reason)
{
    BEGIN(tar);
    add(&tar, type, name, link, content);
    assert_refused(&tar, reason);
}

static void test_names(void **state)
{
    (void)state;
    refuse_one('0', "../x", NULL, "x", "leads upwards");
    refuse_one('0', "a/../../x", NULL, "x", "leads upwards");
    refuse_one('0', at("canary/file"), NULL, "x", "is not relative");
    refuse_one('0', "a\nb", NULL, "x", "control character");
    refuse_one('0', "a\033[2Jb", NULL, "x", "control character");
    refuse_one('0', ".", NULL, "x", "is the root");
    refuse_one('2', ".", "/etc", NULL, "is the root");
    char *deep = arena_alloc(arena, 5000);
    memset(deep, 'a', 4999);
    BEGIN(tar);
    add_pax(&tar, "path", deep, 4999);
    add(&tar, '0', "short", NULL, "x");
    assert_refused(&tar, "a name of 4999 bytes");
    for (size_t i = 1; i < 4000; i += 2)
        deep[i] = '/';
    deep[4000] = '\0';
    struct buffer second = {0};
    add_pax(&second, "path", deep, 4000);
    add(&second, '0', "short", NULL, "x");
    assert_refused(&second, "lies too deep");
    struct buffer third = {0};
    add_pax(&third, "path", "../pax", 6);
    add(&third, '0', "harmless", NULL, "x");
    assert_refused(&third, "leads upwards");
}

static void test_links(void **state)
{
    (void)state;
    BEGIN(tar);
    add(&tar, '2', "d", at("canary/etc"), NULL);
    add(&tar, '0', "d/passwd", NULL, "owned");
    assert_refused(&tar, "beyond something that is not a folder");

    struct buffer second = {0};
    add(&second, '2', "d", "../../../../../..", NULL);
    add(&second, '2', "d/e", "..", NULL);
    assert_refused(&second, "beyond something that is not a folder");

    struct buffer third = {0};
    add(&third, '5', "rootfs", NULL, NULL);
    add(&third, '2', "rootfs", "/", NULL);
    assert_refused(&third, "comes twice");

    struct buffer fourth = {0};
    add(&fourth, '2', "f", at("canary/file"), NULL);
    add(&fourth, '0', "f", NULL, "owned");
    assert_refused(&fourth, "comes twice");

    struct buffer fifth = {0};
    add(&fifth, '2', "dir", "/etc", NULL);
    add(&fifth, '5', "dir", NULL, NULL);
    assert_refused(&fifth, "comes twice");

    refuse_one('1', "h", at("canary/file"), NULL, "is not relative");
    refuse_one('1', "h", "../canary/file", NULL, "leads upwards");
    refuse_one('1', "h", "missing", NULL, "not an earlier file");
    struct buffer sixth = {0};
    add(&sixth, '2', "s", at("canary/file"), NULL);
    add(&sixth, '1', "h", "s", NULL);
    assert_refused(&sixth, "not an earlier file");
    struct buffer seventh = {0};
    add(&seventh, '5', "d", NULL, NULL);
    add(&seventh, '1', "h", "d", NULL);
    assert_refused(&seventh, "not an earlier file");
    struct buffer eighth = {0}; /* a link to a file that would then be written to */
    add(&eighth, '0', "f", NULL, "one");
    add(&eighth, '1', "h", "f", NULL);
    add(&eighth, '0', "h", NULL, "two");
    assert_refused(&eighth, "comes twice");
}

/* Chains that are harmless link by link. */
static void test_chains(void **state)
{
    (void)state;
    BEGIN(tar); /* through a link in a link */
    add(&tar, '5', "a", NULL, NULL);
    add(&tar, '5', "a/b", NULL, NULL);
    add(&tar, '2', "a/b/up", "../..", NULL);
    add(&tar, '2', "a/esc", "b/up/../..", NULL);
    add(&tar, '0', "a/esc/canary/file", NULL, "owned");
    assert_refused(&tar, "beyond something that is not a folder");

    struct buffer second = {0}; /* a hard link to a link that lies deeper */
    add(&second, '2', "a/b/c/deep", at("canary/file"), NULL);
    add(&second, '1', "h", "a/b/c/deep", NULL);
    add(&second, '0', "h", NULL, "owned");
    assert_refused(&second, "not an earlier file");

    struct buffer third = {0}; /* and to a file beyond a link */
    add(&third, '2', "d", at("canary/etc"), NULL);
    add(&third, '1', "h", "d/passwd", NULL);
    assert_refused(&third, "not an earlier file");

    struct buffer fourth = {0}; /* the name of a long link, and of a pax header, before a harmless one */
    add(&fourth, 'L', "././@LongLink", NULL, "../../../../../../etc/evil");
    add(&fourth, '0', "harmless", NULL, "x");
    assert_refused(&fourth, "leads upwards");
    struct buffer fifth = {0};
    add_pax(&fifth, "linkpath", "../canary/file", 14);
    add(&fifth, '1', "h", "harmless", NULL);
    assert_refused(&fifth, "leads upwards");

    refuse_one('0', "a//..//b", NULL, "x", "leads upwards");
    refuse_one('1', "h", "h", NULL, "not an earlier file");
}

static void test_numbers(void **state)
{
    (void)state;
    BEGIN(tar);
    struct header header = header_of('0', "f", NULL, 0);
    memcpy(header.uid, "0200000", 8); /* 65536 */
    add_block(&tar, &header);
    assert_refused(&tar, "owner outside");

    struct buffer second = {0};
    add_pax(&second, "gid", "4294967295", 10);
    add(&second, '0', "f", NULL, "x");
    assert_refused(&second, "owner outside");

    struct buffer third = {0}; /* base-256, negative */
    header = header_of('0', "f", NULL, 0);
    memset(header.size, 0xff, sizeof(header.size));
    add_block(&third, &header);
    assert_refused(&third, "image shop/base");

    struct buffer fourth = {0}; /* 8 EiB less one */
    header = header_of('0', "f", NULL, 0);
    memcpy(header.size, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
    add_block(&fourth, &header);
    assert_refused(&fourth, "image shop/base");

    struct buffer fifth = {0}; /* more promised than there */
    header = header_of('0', "f", NULL, 100000);
    add_block(&fifth, &header);
    assert_refused(&fifth, "image shop/base");

    struct buffer sixth = {0};
    add(&sixth, '0', "f", NULL, "x");
    add(&sixth, '0', "g", NULL, "x");
    sixth.bytes[1024 + 10] ^= 0x55; /* the second header's checksum */
    assert_refused(&sixth, "image shop/base");

    struct buffer seventh = {0};
    assert_refused(&seventh, "image shop/base"); /* empty */
    write_file(at("hostile.tar"), "this is no archive at all", 25);
    assert_int_equal(make(arena_printf(arena, "file:%s/hostile.tar", root)), -EMEDIUMTYPE);
    assert_nothing_left();
}

static void test_bomb(void **state)
{
    (void)state;
    struct buffer tar = {0};
    struct header header = header_of('0', "zeros", NULL, (uint64_t)600 << 20);
    add_block(&tar, &header);
    write_file(at("bomb.tar"), tar.bytes, tar.length);
    buffer_clear(&tar);
    assert_int_equal(truncate(at("bomb.tar"), 512 + ((off_t)600 << 20) + 1024), 0);
    for (size_t i = 0; i < 3; i++) {
        const char *const argv[] = {packers[i][0], packers[i][1], "-k", at("bomb.tar"), NULL};
        if (run(argv) != 0)
            continue;
        assert_int_equal(make(arena_printf(arena, "file:%s/bomb.tar.%s", root, packers[i][2])), -EBADMSG);
        assert_non_null(strstr(error.text, "200 times"));
        assert_nothing_left();
    }
}

/* ---- content ---- */

static void make_tree(const char *path)
{
    mkdir(path, 0755);
    mkdir(arena_printf(arena, "%s/bin", path), 0751);
    mkdir(arena_printf(arena, "%s/dev", path), 0755);
    char *tool = arena_printf(arena, "%s/bin/tool", path);
    write_file(tool, "#!tool\n", 7);
    assert_int_equal(chown(tool, 12, 34), 0);
    assert_int_equal(chmod(tool, 04711), 0);
    static const unsigned char capability[20] = {1, 0, 0, 2, 0, 4}; /* cap_net_bind_service=ep */
    assert_int_equal(setxattr(tool, "security.capability", capability, sizeof(capability), 0), 0);
    assert_int_equal(setxattr(tool, "user.note", "n", 1, 0), 0);
    assert_int_equal(link(tool, arena_printf(arena, "%s/bin/same", path)), 0);
    assert_int_equal(symlink("/etc/passwd", arena_printf(arena, "%s/bin/link", path)), 0);
    assert_int_equal(lchown(arena_printf(arena, "%s/bin/link", path), 5, 6), 0);
    write_file(arena_printf(arena, "%s/na\303\257ve", path), "utf-8\n", 6);
    assert_int_equal(mkfifo(arena_printf(arena, "%s/fifo", path), 0620), 0);
}

static void assert_image_is(const char *tree)
{
    char expected[DIGEST_TEXT_SIZE], stored[DIGEST_TEXT_SIZE];
    struct stat first, second;
    digest_of_folder(tree, expected);
    assert_string_equal(made.digest, expected);
    char *image = arena_printf(arena, "%s/%s/root", paths.images, made.digest);
    digest_of_folder(image, stored);
    assert_string_equal(stored, expected);
    assert_int_equal(stat(arena_printf(arena, "%s/bin/tool", image), &first), 0);
    assert_int_equal(stat(arena_printf(arena, "%s/bin/same", image), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(first.st_mode & 07777, 04711);
    assert_int_equal(first.st_uid, 12);
    assert_int_equal(getxattr(arena_printf(arena, "%s/bin/tool", image), "security.capability", NULL, 0), 20);
}

static void test_archives_and_folder_give_one_image(void **state)
{
    (void)state;
    make_tree(at("tree"));
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    assert_image_is(at("tree"));
    char *first = arena_strdup(arena, made.digest);
    /* What a tree has that an image must not get: devices, whiteouts, overlay's own attributes. */
    assert_int_equal(mknod(at("tree/dev/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(mknod(at("tree/whiteout"), S_IFCHR, 0), 0);
    assert_int_equal(setxattr(at("tree/bin"), "trusted.overlay.opaque", "y", 1, 0), 0);
    static const char *const ways[][2] = {
        {"--no-auto-compress", "tar"}, {"--gzip", "tar.gz"}, {"--xz", "tar.xz"}, {"--zstd", "tar.zst"}};
    for (size_t i = 0; i < 4; i++) {
        const char *const argv[] = {"tar",
                                    "--xattrs",
                                    "--xattrs-include=*",
                                    "--format=pax",
                                    ways[i][0],
                                    "-C",
                                    at("tree"),
                                    "-cf",
                                    at("image.%s", ways[i][1]),
                                    ".",
                                    NULL};
        assert_int_equal(run(argv), 0);
        if (i == 1) { /* also into an empty store: the same digest again */
            struct image_reference reference = {.digest = first};
            assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), 0);
        }
        if (make(arena_printf(arena, "file:%s/image.%s", root, ways[i][1])) < 0)
            fail_msg("%s", error.text);
        assert_string_equal(made.digest, first);
        assert_int_equal(images(), 1);
    }
    assert_true(progress_lines > 0);
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    assert_string_equal(made.digest, first);
    static const char *const squashed[] = {"gzip", "xz", "zstd", "lz4"};
    for (size_t i = 0; i < sizeof(squashed) / sizeof(squashed[0]); i++) {
        const char *const argv[] = {"mksquashfs", at("tree"), at("image.squashfs"), "-comp", squashed[i],
                                    "-noappend",  "-quiet",   "-no-progress",       NULL};
        assert_int_equal(run(argv), 0);
        if (make(arena_printf(arena, "file:%s/image.squashfs", root)) < 0)
            fail_msg("%s", error.text);
        assert_string_equal(made.digest, first);
        assert_int_equal(images(), 1);
    }
}

/* However small it is and however many entries it has: so often in a second by each who tells of it. */
static void test_progress_is_bounded_by_time(void **state)
{
    (void)state;
    make_tree(at("tree"));
    for (int i = 0; i < 400; i++)
        write_file(at("tree/file%d", i), "x", 1);
    const char *const squash[] = {"mksquashfs",   at("tree"), at("image.squashfs"), "-noappend", "-quiet",
                                  "-no-progress", NULL};
    const char *const tar[] = {"tar", "-C", at("tree"), "-cf", at("image.tar"), ".", NULL};
    assert_int_equal(run(squash), 0);
    assert_int_equal(run(tar), 0);
    static const char *const ways[] = {"squashfs", "tar"};
    for (size_t i = 0; i < 2; i++) {
        const int64_t began = now_milliseconds();
        progress_lines = 0;
        if (make(arena_printf(arena, "file:%s/image.%s", root, ways[i])) < 0)
            fail_msg("%s", error.text);
        const int64_t most = 3 * ((now_milliseconds() - began) / 200 + 1) + 2;
        if (progress_lines > most)
            fail_msg("%s: %d lines, and %lld are enough", ways[i], progress_lines, (long long)most);
    }
}

/* Damaged in 120 ways: refused, or by luck an image, but never more than that. */
static void test_damaged_squashfs(void **state)
{
    (void)state;
    make_tree(at("tree"));
    const char *const argv[] = {"mksquashfs",   at("tree"), at("image.squashfs"), "-noappend", "-quiet",
                                "-no-progress", NULL};
    assert_int_equal(run(argv), 0);
    _cleanup_buffer_ struct buffer whole = {0};
    assert_int_equal(buffer_read_file(&whole, AT_FDCWD, at("image.squashfs"), 1 << 20, &error), 0);
    unsigned seed = 1;
    for (int i = 0; i < 120; i++) {
        size_t place = (size_t)rand_r(&seed) % (i % 2 ? 96 : 1200);
        char kept = whole.bytes[place];
        whole.bytes[place] = (char)rand_r(&seed);
        write_file(at("damaged.squashfs"), whole.bytes, i % 10 ? whole.length : place + 1);
        if (make(arena_printf(arena, "file:%s/damaged.squashfs", root)) == 0) {
            struct image_reference reference = {.digest = made.digest};
            assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), 0);
        } else {
            assert_int_equal(error.code, place < 4 ? -EMEDIUMTYPE : -EBADMSG); /* those say what it is */
        }
        whole.bytes[place] = kept;
    }
    assert_nothing_left();
}

/* The store on another file system than the folder: no block can be shared, and a file is not copied whole at once. */
static void test_folder_on_another_file_system(void **state)
{
    (void)state;
    static char content[3 << 20];
    char expected[DIGEST_TEXT_SIZE];
    memset(content, 'x', sizeof(content));
    mkdir(at("other"), 0755);
    assert_int_equal(mount("none", at("other"), "tmpfs", 0, NULL), 0);
    write_file(at("other/large"), content, sizeof(content));
    write_file(at("other/empty"), "", 0);
    digest_of_folder(at("other"), expected);
    int result = make(arena_printf(arena, "file:%s/other", root));
    assert_int_equal(umount(at("other")), 0);
    if (result < 0)
        fail_msg("%s", error.text);
    assert_string_equal(made.digest, expected);
    digest_of_folder(arena_printf(arena, "%s/%s/root", paths.images, made.digest), expected);
    assert_string_equal(made.digest, expected);
}

static void test_leftovers_go(void **state)
{
    (void)state;
    make_tree(at("tree"));
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    mkdir(arena_printf(arena, "%s/.tmp-1-0", paths.images), 0700);
    mkdir(arena_printf(arena, "%s/.tmp-1-0/root", paths.images), 0700);
    char *note = arena_printf(arena, "%s/%s/complete", paths.images, made.digest);
    assert_int_equal(unlink(note), 0); /* a folder with the right name and no note is no image */
    assert_int_equal(images(), 0);
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    assert_int_equal(access(note, F_OK), 0);
    assert_int_equal(access(arena_printf(arena, "%s/.tmp-1-0", paths.images), F_OK), -1);
    struct image_reference reference = {.digest = made.digest};
    assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), 0);
    assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), 0);
    assert_nothing_left();
    reference.digest = "../../etc";
    assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), -EINVAL);
}

static void test_image_keeps_its_bytes(void **state)
{
    (void)state;
    make_tree(at("tree"));
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    struct root_mount *request = described_new(arena, &root_mount_table);
    request->lxc_name = "web";
    request->digest = made.digest;
    request->layer = "shop_web";
    struct image_reference reference = {.digest = made.digest};
    assert_int_equal(storage_effects.mount_root(&paths, request, &call, &error), 0);
    write_file(at("run/fpsync/mounts/web/root/bin/tool"), "changed", 7);
    unlink(at("run/fpsync/mounts/web/root/fifo"));
    chmod(at("run/fpsync/mounts/web/root/bin"), 0700);
    assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), -EBUSY);
    struct root_reference mounted = {.lxc_name = "web"};
    assert_int_equal(storage_effects.unmount_root(&paths, &mounted, &call, &error), 0);
    assert_image_is(at("tree"));
    assert_int_equal(image_effects.remove(&paths, &reference, &call, &error), 0);
}

static void test_sources_are_checked(void **state)
{
    (void)state;
    assert_int_equal(make("bootstrap:../x"), -EINVAL);
    assert_int_equal(make("bootstrap:--help"), -EINVAL);
    assert_int_equal(make("bootstrap:"), -EINVAL);
    assert_int_equal(make("bootstrap:nosuchsuite"), -ENOENT);
    assert_int_equal(make("ftp://x"), -EINVAL);
    assert_int_equal(make("file:relative"), -EINVAL);
    assert_int_equal(make("file:/dev/zero"), -EINVAL);
    assert_int_equal(make("file:/nonexistent"), -ENOENT);
    static const char *const bad[] = {"--help", "a b", "A", "x", "a,b", "a;b", "", "a/b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *packages[] = {bad[i]};
        struct image_make *request = described_new(arena, &image_make_table);
        request->name = "shop/base";
        request->source = "bootstrap:bookworm";
        request->packages = (struct texts){packages, 1};
        assert_int_equal(image_effects.make(&paths, request, &call, &made, &error), -EINVAL);
    }
    assert_nothing_left();
}

static void test_apt_sources(void **state)
{
    (void)state;
    mkdir(at("apt"), 0755);
    mkdir(at("apt/sources.list.d"), 0755);
    static const char lines[] =
        "# deb http://x bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://one bookworm main contrib # why\n"
        "deb-src http://src bookworm main\ndeb http://two trixie main\n"
        "deb http://three bookworm-updates main\ndeb http://four bookwormish main\n";
    static const char stanzas[] =
        "Types: deb deb-src\nURIs: http://five\nSuites: trixie bookworm\n bookworm-security\n"
        "Components: main\n\n\nEnabled: no\nTypes: deb\nURIs: http://six\nSuites: bookworm\n";
    write_file(at("apt/sources.list"), lines, strlen(lines));
    write_file(at("apt/sources.list.d/x.sources"), stanzas, strlen(stanzas));
    write_file(at("apt/sources.list.d/x.sources.disabled"), stanzas, strlen(stanzas));
    int fd = apt_sources_of(at("apt"), "bookworm", &error);
    assert_true(fd >= 0);
    char text[2048] = {0};
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_string_equal(
        text, "Types: deb\nURIs: http://five\nComponents: main\nSuites: bookworm bookworm-security\n\n"
              "Types: deb\nURIs: http://one\nSuites: bookworm\nComponents: main contrib \n"
              "Signed-By: /usr/share/keyrings/k.gpg\n\n"
              "Types: deb\nURIs: http://three\nSuites: bookworm-updates\nComponents: main\n\n");
    assert_int_equal(apt_sources_of(at("apt"), "sid", &error), -ENOENT);
}

static void test_cancel(void **state)
{
    (void)state;
    make_tree(at("tree"));
    const char *const argv[] = {"tar", "-C", at("tree"), "-cf", at("image.tar"), ".", NULL};
    assert_int_equal(run(argv), 0);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    call.cancel = ends[0];
    assert_int_equal(make(arena_printf(arena, "file:%s/image.tar", root)), -ECANCELED);
    call.cancel = -1;
    call.deadline = now_milliseconds() - 1;
    assert_int_equal(make(arena_printf(arena, "file:%s/image.tar", root)), -ETIMEDOUT);
    call.deadline = 0;
    close(ends[0]);
    close(ends[1]);
    assert_nothing_left();
}

/* ---- OCI layouts ---- */

static const char *export_as(const char *digest, const char *tag, const char *compression)
{
    struct image_export *request = described_new(arena, &image_export_table);
    struct image_exported exported;
    request->digest = digest;
    request->path = at("layout");
    request->tag = tag;
    request->compression = compression;
    error = (struct error){0};
    if (image_effects.export(&paths, request, &call, &exported, &error) < 0)
        fail_msg("%s", error.text);
    return exported.digest;
}

/* As umoci unpacks it, which is not ours. */
static void assert_umoci_makes(const char *tag, const char *tree)
{
    char expected[DIGEST_TEXT_SIZE], unpacked[DIGEST_TEXT_SIZE];
    const char *const argv[] = {"umoci", "unpack", "--image", at("layout:%s", tag), at("bundle-%s", tag),
                                NULL};
    assert_int_equal(run(argv), 0);
    digest_of_folder(tree, expected);
    digest_of_folder(at("bundle-%s/rootfs", tag), unpacked);
    assert_string_equal(unpacked, expected);
}

static void test_export(void **state)
{
    (void)state;
    make_tree(at("tree"));
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    const char *whole = arena_strdup(arena, made.digest);
    const char *manifest = export_as(whole, "v1", NULL);
    assert_string_equal(export_as(whole, "v2", "gzip"), manifest); /* the same bytes again */
    assert_string_not_equal(export_as(whole, "z", "zstd"), manifest);
    export_as(whole, "plain", "none");
    assert_umoci_makes("v1", at("tree"));
    static const char *const tags[] = {"v1", "v2", "z", "plain"};
    for (size_t i = 0; i < 4; i++) {
        if (make(arena_printf(arena, "oci-layout:%s/layout:%s", root, tags[i])) < 0)
            fail_msg("%s", error.text);
        assert_image_is(at("tree"));
    }
    assert_int_equal(make(arena_printf(arena, "oci-layout:%s/layout", root)), -EINVAL);
    assert_non_null(strstr(error.text, "v1, v2, z, plain"));
    assert_int_equal(make(arena_printf(arena, "oci-layout:%s/layout:v9", root)), -ENOENT);
    struct image_export bad = {.digest = whole, .path = at("canary")};
    struct image_exported exported;
    assert_int_equal(image_effects.export(&paths, &bad, &call, &exported, &error), -EEXIST);
    bad.path = at("new");
    bad.tag = "../x";
    assert_int_equal(image_effects.export(&paths, &bad, &call, &exported, &error), -EINVAL);
    assert_int_equal(access(at("new"), F_OK), -1);
}

/* A base and what a build laid over it: two layers, the second with the marks of OCI. */
static void test_export_of_a_delta(void **state)
{
    (void)state;
    static const char delta[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    make_tree(at("tree"));
    mkdir(at("tree/dir"), 0755);
    write_file(at("tree/dir/old"), "old", 3);
    assert_int_equal(make(arena_printf(arena, "file:%s/tree", root)), 0);
    char *top = arena_printf(arena, "%s/%s", paths.images, delta);
    char *note = arena_printf(arena, "bytes 3\nname shop/delta\nlower %s\n", made.digest);
    mkdir(top, 0700);
    mkdir(arena_printf(arena, "%s/root", top), 0755);
    mkdir(arena_printf(arena, "%s/root/dir", top), 0711);
    write_file(arena_printf(arena, "%s/root/dir/new", top), "new", 3);
    write_file(arena_printf(arena, "%s/complete", top), note, strlen(note));
    assert_int_equal(setxattr(arena_printf(arena, "%s/root/dir", top), "trusted.overlay.opaque", "y", 1, 0),
                     0);
    assert_int_equal(mknod(arena_printf(arena, "%s/root/fifo", top), S_IFCHR, 0), 0);
    export_as(delta, "delta", NULL);
    assert_int_equal(unlink(at("tree/dir/old")), 0);
    assert_int_equal(unlink(at("tree/fifo")), 0);
    assert_int_equal(chmod(at("tree/dir"), 0711), 0);
    write_file(at("tree/dir/new"), "new", 3);
    assert_umoci_makes("delta", at("tree"));
    if (make(arena_printf(arena, "oci-layout:%s/layout", root)) < 0)
        fail_msg("%s", error.text);
    assert_image_is(at("tree"));
}

static const char *own_folder(void)
{
    static char own[512];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[length < 0 ? 0 : length] = '\0';
    *strrchr(own, '/') = '\0';
    return own;
}

static const char *read_of(pid_t pid, const char *name)
{
    char text[4096] = "";
    int fd = open(arena_printf(arena, "/proc/%d/%s", pid, name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return arena_strdup(arena, text);
}

static const char *namespace_of(const char *process, const char *name)
{
    char text[64] = "";
    assert_true(readlink(arena_printf(arena, "/proc/%s/ns/%s", process, name), text, sizeof(text) - 1) > 0);
    return arena_strdup(arena, text);
}

/* Looked at from outside while it waits for the rest of an archive. */
static void test_unpacking_is_nobody(void **state)
{
    (void)state;
    int ends[2], told = inotify_init1(IN_CLOEXEC);
    char event[512];
    mkdir(at("target"), 0755);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(inotify_add_watch(told, at("target"), IN_CREATE) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        int target = open(at("target"), O_PATH | O_DIRECTORY);
        int nowhere = open("/dev/null", O_WRONLY);
        if (dup2(ends[0], 0) < 0 || dup2(nowhere, 1) < 0 || dup2(target, 3) < 0)
            _exit(126);
        execl(arena_printf(arena, "%s/fpsync-fetch", own_folder()), "fpsync-fetch", "unpack", NULL);
        _exit(127);
    }
    close(ends[0]);
    BEGIN(tar);
    add(&tar, '5', "first", NULL, NULL);
    struct header header = header_of('0', "second", NULL, 1 << 20); /* more than the reader reads ahead */
    add_block(&tar, &header);
    char *zeros = arena_alloc(arena, 256 * 1024);
    memset(zeros, 0, 256 * 1024);
    buffer_add(&tar, zeros, 256 * 1024);
    assert_int_equal(bytes_write(ends[1], tar.bytes, tar.length), 0);
    assert_true(read(told, event, sizeof(event)) > 0);
    const char *process = arena_printf(arena, "%d", pid);
    static const char *const namespaces[] = {"user", "mnt", "net", "ipc", "uts"};
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        assert_string_not_equal(namespace_of(process, namespaces[i]), namespace_of("self", namespaces[i]));
    const char *status = read_of(pid, "status");
    assert_non_null(strstr(status, "\nUid:\t4294836224\t4294836224\t4294836224\t4294836224\n"));
    assert_non_null(strstr(status, "\nGid:\t4294836224\t4294836224\t4294836224\t4294836224\n"));
    assert_non_null(strstr(status, "\nGroups:\t \n"));
    assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
    assert_non_null(strstr(status, "\nCapBnd:\t000000008000001f\n"));
    const char *mounts = read_of(pid, "mountinfo");
    assert_null(strchr(mounts, '\n')[1] ? mounts : NULL); /* one alone */
    assert_non_null(strstr(mounts, "nosuid,nodev,noexec"));
    close(ends[1]);
    int ended;
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 1); /* "truncated" */
    struct stat first;
    assert_int_equal(stat(at("target/first"), &first), 0);
    assert_int_equal(first.st_uid, 0);
    close(told);
    buffer_clear(&tar);
}

/* fpsync-fetch is looked for beside the running program. */
static int provide_fetch(void)
{
    const char *build = getenv("FPSYNC_BUILD");
    char fetch[600], source[600];
    snprintf(fetch, sizeof(fetch), "%s/fpsync-fetch", own_folder());
    if (access(fetch, X_OK) == 0)
        return 0;
    snprintf(source, sizeof(source), "%s/fpsync-fetch", build ? build : "build");
    char *whole = realpath(source, NULL);
    int result = whole ? symlink(whole, fetch) : -1;
    free(whole);
    return result < 0 && errno != EEXIST ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bomb, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_archives_and_folder_give_one_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_progress_is_bounded_by_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_squashfs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_on_another_file_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leftovers_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image_keeps_its_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sources_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_apt_sources, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_of_a_delta, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unpacking_is_nobody, set_up, tear_down),
    };
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        puts("1..1\nok 1 # SKIP needs root: owners and namespaces");
        return 0;
    }
    if (provide_fetch() < 0) {
        puts("1..1\nok 1 # SKIP fpsync-fetch is not built");
        return 0;
    }
    cmocka_set_test_filter(getenv("FPSYNC_TEST"));
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
