/* Builds: steps, commands in real containers, and images of them. Needs root.
 *
 * The base is busybox and nothing else. A canary tree lies beside the store, and what lies below is digested before and
 * after: no step may change it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/guest/idmap.h"
#include "drivers/image/build.h"
#include "drivers/image/build_users.h"
#include "drivers/image/make.h"
#include "drivers/image/view_context.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/tree.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define BASE 0x72000000

static struct arena *arena;
static struct paths paths;
static struct call call;
static struct error error;
static struct image_made base;
static char root[64], output[8192];

#define assert_done(call_)                                                                                   \
    do {                                                                                                     \
        error = (struct error){0};                                                                           \
        if ((call_) < 0)                                                                                     \
            fail_msg("%s: %s", #call_, error.text);                                                          \
    } while (0)

/* ---- the world ---- */

static char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *at(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_printf(arena, "%s/%s", root, text);
}

static void make_path(const char *path)
{
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        char part[512];
        snprintf(part, sizeof(part), "%.*s", slash ? (int)(slash - path) : (int)strlen(path), path);
        assert_true(mkdir(part, 0755) == 0 || errno == EEXIST);
        if (!slash)
            return;
    }
}

static void put(const char *path, const char *content)
{
    char folder[512];
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    make_path(folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
}

static void copy_program(const char *from, const char *to)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    assert_done(buffer_read_file(&bytes, AT_FDCWD, from, (size_t)64 << 20, &error));
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0 && write(fd, bytes.bytes, bytes.length) == (ssize_t)bytes.length);
    close(fd);
}

static void digest_of_tree(const char *path, char digest[static DIGEST_TEXT_SIZE])
{
    int64_t bytes;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_done(image_digest(fd, &call, digest, &bytes, &error));
    close(fd);
}

static void hear(void *context, const char *line)
{
    (void)context;
    size_t length = strlen(output);
    snprintf(output + length, sizeof(output) - length, "%s\n", line);
}

static void make_base(void)
{
    static const char *const applets[] = {
        "sh", "cat",   "rm",    "chmod", "mkdir", "sleep", "echo", "id",   "pwd", "env",  "ls",
        "ln", "mknod", "touch", "chown", "false", "mount", "kill", "stat", "mv",  "grep", "test"};
    make_path(at("base/bin"));
    copy_program("/bin/busybox", at("base/bin/busybox"));
    for (size_t i = 0; i < sizeof(applets) / sizeof(*applets); i++)
        assert_int_equal(symlink("busybox", at("base/bin/%s", applets[i])), 0);
    put(at("base/etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n");
    put(at("base/etc/group"), "root:x:0:\nweb:x:44:\nlog:x:55:web,other\nmore:x:66:web\n");
    put(at("base/etc/removed"), "base\n");
    put(at("base/etc/inittab"), "::respawn:/bin/sleep 1000000\n");
    make_path(at("base/sbin"));
    assert_int_equal(symlink("../bin/busybox", at("base/sbin/init")), 0);
    put(at("base/srv/data/one"), "base\n");
    put(at("base/srv/data/two"), "base\n");
    make_path(at("base/tmp"));
    chmod(at("base/tmp"), 01777);
    struct image_make *request = described_new(arena, &image_make_table);
    request->name = "default/base";
    request->source = at("base");
    request->source = arena_printf(arena, "file:%s", request->source);
    base = (struct image_made){0};
    assert_done(image_effects.make(&paths, request, &call, &base, &error));
}

static int set_up(void **state)
{
    (void)state;
    if (getuid())
        return 0;
    arena = arena_new();
    *output = '\0';
    call =
        (struct call){.arena = arena, .cancel = -1, .deadline = now_milliseconds() + 60000, .progress = hear};
    strcpy(root, "/tmp/fpsb-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0711) < 0 || paths_make(root, arena, &paths, &error) < 0)
        return -1;
    put(at("canary/file"), "canary\n");
    put(at("context/file"), "context\n");
    put(at("context/folder/a"), "a\n");
    put(at("context/folder/deep/b"), "b\n");
    make_base();
    return 0;
}

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    bool empty = true;
    for (struct dirent *item; directory && (item = readdir(directory));)
        empty = empty && item->d_name[0] == '.' && strncmp(item->d_name, ".tmp", 4) != 0;
    if (directory)
        closedir(directory);
    return empty;
}

static int tear_down(void **state)
{
    (void)state;
    if (getuid())
        return 0;
    const struct build_drop nothing = {0};
    call.deadline = now_milliseconds() + 60000;
    int result = build_effects.drop(&paths, &nothing, &call, &error);
    if (!is_empty(paths.lxc) || !is_empty(paths.mounts))
        result = -1;
    if (tree_remove(AT_FDCWD, root, &error) < 0)
        result = -1;
    if (result < 0)
        print_error("%s\n", error.text);
    arena_free(arena);
    return result;
}

/* ---- requests ---- */

static const char *key(char letter)
{
    char text[DIGEST_TEXT_SIZE];
    memset(text, letter, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    return arena_strdup(arena, text);
}

/* On the base, above the steps of these letters, the newest first; NULL: scratch. */
static struct build_place *place_of(const char *image, const char *below, char own)
{
    struct build_place *place = described_new(arena, &build_place_table);
    place->image = image;
    for (; *below; below++)
        *arena_append(arena, place->below.items, place->below.count) = key(*below);
    place->key = own ? key(own) : NULL;
    return place;
}

static struct build_source *add_source(struct build_copy *copy)
{
    struct build_source *source = described_new(arena, &build_source_table);
    source->key = arena_printf(arena, "%zu", copy->sources.count);
    *arena_append(arena, copy->sources.items, copy->sources.count) = source;
    return source;
}

static struct build_copy *copy_of(struct build_place *place, const char *source, const char *target)
{
    struct build_copy *copy = described_new(arena, &build_copy_table);
    copy->place = place;
    copy->what = arena_printf(arena, "Recipe:1 COPY %s %s", source, target);
    copy->target = target;
    struct build_source *from = add_source(copy);
    from->folder = at("context");
    from->path = source;
    return copy;
}

static struct build_run *run_of(struct build_place *place, const char *script)
{
    struct build_run *run = described_new(arena, &build_run_table);
    const char *const words[] = {"/bin/sh", "-c", script};
    run->place = place;
    run->what = "Recipe:2 RUN";
    for (size_t i = 0; i < 3; i++)
        *arena_append(arena, run->argv.items, run->argv.count) = words[i];
    run->definition->lxc_name = build_container_name(&paths, arena, place->key);
    run->definition->id_base = BASE;
    return run;
}

static int run_it(const struct build_run *run)
{
    error = (struct error){0};
    return build_effects.run(&paths, run, &call, &error);
}

static void done(const struct build_run *run)
{
    if (run_it(run) < 0)
        fail_msg("%s\n%s", error.text, output);
}

static struct image_made commit(const char *image, const char *below, const char *config)
{
    struct image_made made = {0};
    struct build_commit *request = described_new(arena, &build_commit_table);
    request->name = "default/app";
    request->place = place_of(image, below, 0);
    request->config = config;
    assert_done(build_effects.commit(&paths, request, &call, &made, &error));
    return made;
}

/* ---- looking ---- */

static char *image_text(const char *digest, const char *path)
{
    _cleanup_buffer_ struct buffer text = {0};
    _cleanup_close_ int image = lower_open_image(paths.store, digest, arena, &error);
    if (image < 0)
        fail_msg("%s", error.text);
    return buffer_read_file(&text, image, path, 65536, &error) < 0
               ? NULL
               : arena_strndup(arena, text.bytes ? text.bytes : "", text.length);
}

static void assert_image(const char *digest, const char *path, const char *content)
{
    const char *found = image_text(digest, path);
    if (!found != !content || (found && strcmp(found, content) != 0))
        fail_msg("%s: \"%s\" instead of \"%s\"", path, found ? found : "(nothing)",
                 content ? content : "(nothing)");
}

static struct stat image_stat(const char *digest, const char *path)
{
    struct stat status;
    _cleanup_close_ int image = lower_open_image(paths.store, digest, arena, &error);
    assert_true(image >= 0);
    if (fstatat(image, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return status;
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static char *step(char letter, const char *path)
{
    return at("var/lib/fpsync/build/steps/%s/%s", key(letter), path);
}

/* ---- tests ---- */

static void test_a_build(void **state)
{
    (void)state;
    if (getuid())
        skip();
    char before[2][DIGEST_TEXT_SIZE], after[2][DIGEST_TEXT_SIZE];
    digest_of_tree(at("canary"), before[0]);
    digest_of_tree(at("var/lib/fpsync/images/%s/root", base.digest), before[1]);
    assert_done(
        build_effects.copy(&paths, copy_of(place_of(base.digest, "", 'a'), "file", "/srv/"), &call, &error));
    struct build_run *run = run_of(
        place_of(base.digest, "a", 'b'),
        "cat /srv/file; echo new >/srv/new; rm /etc/removed; chmod 4750 /srv/file; rm -r /srv/data; mkdir "
        "/srv/data; echo three >/srv/data/three; ln -s new /srv/link; echo off; exit 0");
    done(run);
    assert_string_equal(output, "context\noff\n");
    const char *config = "{\"Cmd\":[\"/bin/sh\"]}";
    struct image_made made = commit(base.digest, "ba", config);
    assert_string_equal(made.lower, base.digest);
    assert_string_equal(made.config, config);
    assert_image(made.digest, "srv/new", "new\n");
    assert_image(made.digest, "srv/link", "new\n");
    assert_image(made.digest, "srv/file", "context\n");
    assert_image(made.digest, "etc/removed", NULL);
    assert_image(made.digest, "srv/data/one", NULL);
    assert_image(made.digest, "srv/data/three", "three\n");
    assert_image(made.digest, "etc/group", image_text(base.digest, "etc/group"));
    assert_int_equal(image_stat(made.digest, "srv/file").st_mode & 07777, 04750);
    assert_int_equal(image_stat(made.digest, "srv/new").st_uid, 0);
    /* Nothing of the container is in it. */
    static const char *const stubs[] = {"dev", "proc", "sys", ".fpsync", "etc/resolv.conf"};
    for (size_t i = 0; i < sizeof(stubs) / sizeof(*stubs); i++)
        if (is_there(at("var/lib/fpsync/images/%s/root/%s", made.digest, stubs[i])))
            fail_msg("%s is in the image", stubs[i]);
    _cleanup_buffer_ struct buffer text = {0};
    assert_done(
        buffer_read_file(&text, AT_FDCWD, at("var/lib/fpsync/images/%s/config", made.digest), 4096, &error));
    assert_string_equal(text.bytes, config);
    /* Again: every step is there. */
    struct stat first, second;
    assert_int_equal(lstat(step('b', "upper"), &first), 0);
    *output = '\0';
    done(run);
    assert_string_equal(output, "");
    assert_int_equal(lstat(step('b', "upper"), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_string_equal(commit(base.digest, "ba", config).digest, made.digest);
    assert_string_not_equal(commit(base.digest, "ba", NULL).digest, made.digest);
    digest_of_tree(at("canary"), after[0]);
    digest_of_tree(at("var/lib/fpsync/images/%s/root", base.digest), after[1]);
    assert_string_equal(before[0], after[0]);
    assert_string_equal(before[1], after[1]);
}

static void test_on_a_delta(void **state)
{
    (void)state;
    if (getuid())
        skip();
    done(run_of(place_of(base.digest, "", 'a'), "echo one >/srv/one; rm /etc/removed; echo x >/srv/gone"));
    struct image_made first = commit(base.digest, "a", NULL);
    done(run_of(place_of(first.digest, "", 'b'), "cat /srv/one; rm /srv/gone; echo again >/etc/removed"));
    assert_string_equal(output, "one\n");
    struct image_made second = commit(first.digest, "b", NULL);
    assert_string_equal(second.lower, base.digest);
    assert_image(second.digest, "srv/one", "one\n");
    assert_image(second.digest, "srv/gone", NULL);
    assert_image(second.digest, "etc/removed", "again\n");
    /* What hides nothing is not there: the base never had it. */
    assert_false(is_there(at("var/lib/fpsync/images/%s/root/srv/gone", second.digest)));
    assert_done(build_effects.drop(
        &paths, &(struct build_drop){.steps = {.items = (const char *[]){key('a'), key('b')}, .count = 2}},
        &call, &error));
    assert_false(is_there(step('a', "")));
    assert_image(second.digest, "srv/one", "one\n");
}

static void test_scratch(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct build_copy *copy = copy_of(place_of(NULL, "", 'a'), "folder", "/app");
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    struct build_folder *folder = described_new(arena, &build_folder_table);
    folder->place = place_of(NULL, "a", 'b');
    folder->what = "Recipe:3 WORKDIR /app/deep/er";
    folder->path = "/app/deep/er";
    assert_done(build_effects.folder(&paths, folder, &call, &error));
    struct image_made made = commit(NULL, "ba", NULL);
    assert_null(made.lower);
    assert_image(made.digest, "app/a", "a\n");
    assert_image(made.digest, "app/deep/b", "b\n");
    assert_true(S_ISDIR(image_stat(made.digest, "app/deep/er").st_mode));
    char digest[DIGEST_TEXT_SIZE];
    digest_of_tree(at("var/lib/fpsync/images/%s/root", made.digest), digest);
    assert_string_equal(digest, made.digest); /* that of any tree */
}

/* COPY --from of a stage, with a program from scratch that is run. */
static void test_stages(void **state)
{
    (void)state;
    if (getuid())
        skip();
    done(run_of(place_of(base.digest, "", 'a'),
                "echo built >/srv/result; chown 33:44 /srv/result; rm /etc/removed"));
    struct build_copy *copy = copy_of(place_of(NULL, "", 'b'), "/bin", "/bin");
    ((struct build_source *)copy->sources.items[0])->folder = NULL;
    ((struct build_source *)copy->sources.items[0])->from = place_of(base.digest, "a", 0);
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    copy = copy_of(place_of(NULL, "b", 'c'), "/srv/result", "/result");
    ((struct build_source *)copy->sources.items[0])->folder = NULL;
    ((struct build_source *)copy->sources.items[0])->from = place_of(base.digest, "a", 0);
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    done(run_of(place_of(NULL, "cb", 'd'), "cat /result; ls /"));
    struct image_made made = commit(NULL, "dcb", NULL);
    assert_int_equal(image_stat(made.digest, "result").st_uid, 33);
    assert_int_equal(image_stat(made.digest, "result").st_gid, 44);
    assert_false(is_there(at("var/lib/fpsync/images/%s/root/proc", made.digest)));
    assert_false(is_there(at("var/lib/fpsync/images/%s/root/.fpsync", made.digest)));
    assert_non_null(strstr(output, "built\n"));
    /* And one that is gone in the stage is not found. */
    copy = copy_of(place_of(NULL, "", 'e'), "/etc/removed", "/x");
    ((struct build_source *)copy->sources.items[0])->folder = NULL;
    ((struct build_source *)copy->sources.items[0])->from = place_of(base.digest, "a", 0);
    assert_int_equal(build_effects.copy(&paths, copy, &call, &error), -ENOENT);
    /* What a glob matches is known only now. */
    copy = copy_of(place_of(NULL, "", 'e'), "/s?v/res*", "/x/");
    ((struct build_source *)copy->sources.items[0])->folder = NULL;
    ((struct build_source *)copy->sources.items[0])->from = place_of(base.digest, "a", 0);
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    assert_true(is_there(step('e', "upper/x/result")));
    ((struct build_source *)copy->sources.items[0])->path = "/srv/none*";
    copy->place = place_of(NULL, "", 'f');
    assert_int_equal(build_effects.copy(&paths, copy, &call, &error), -ENOENT);
    assert_non_null(strstr(error.text, "nothing in that root matches /srv/none*"));
    ((struct build_source *)copy->sources.items[0])->path = "/*";
    copy->target = "/x";
    assert_int_equal(build_effects.copy(&paths, copy, &call, &error), -EINVAL);
    assert_non_null(strstr(error.text, "several files match /*: write the target /x/"));
}

static void test_a_command_that_fails(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct build_run *run =
        run_of(place_of(base.digest, "", 'a'), "echo first; echo second >&2; echo x >/srv/x; exit 7");
    run->keep = 60000;
    assert_int_equal(run_it(run), -ECHILD);
    assert_non_null(strstr(error.text, "Recipe:2 RUN: exit status 7"));
    assert_non_null(strstr(error.text, "second"));
    assert_false(is_there(step('a', "")));
    struct observed_build seen;
    assert_done(build_view.dump(&paths, arena, &seen, &error));
    assert_int_equal(seen.step_count, 0);
    assert_int_equal(seen.failed_count, 1);
    assert_string_equal(seen.failed[0].place->image, base.digest);
    assert_true(seen.failed[0].expires > time(NULL));
    assert_true(is_there(at("var/lib/fpsync/build/failed/%s/upper/srv/x", key('a'))));
    run = run_of(place_of(base.digest, "", 'b'), "true");
    run->argv.items[0] = "/bin/nothing";
    assert_int_equal(run_it(run), -ECHILD);
    assert_non_null(strstr(error.text, "no such program"));
    assert_done(build_effects.drop(
        &paths, &(struct build_drop){.failed = {.items = (const char *[]){key('a')}, .count = 1}}, &call,
        &error));
    assert_false(is_there(at("var/lib/fpsync/build/failed/%s", key('a'))));
}

static int shell_in(struct build_run *run, const char *script, int64_t *status)
{
    struct build_shell *shell = described_new(arena, &build_shell_table);
    struct build_shelled shelled = {0};
    const char *const words[] = {"/bin/sh", "-c", script};
    shell->run = run;
    shell->pid = getpid(); /* whose streams are no terminal here */
    for (size_t i = 0; i < 3; i++)
        *arena_append(arena, shell->argv.items, shell->argv.count) = words[i];
    error = (struct error){0};
    int result = build_effects.shell(&paths, shell, &call, &shelled, &error);
    prctl(PR_SET_PDEATHSIG, 0);
    *status = shelled.status;
    return result;
}

static void test_a_shell_in_what_failed(void **state)
{
    (void)state;
    if (getuid())
        skip();
    int64_t status = 0;
    done(run_of(place_of(base.digest, "", 'a'), "echo below >/srv/below"));
    struct build_run *run = run_of(place_of(base.digest, "a", 'b'), "echo x >/srv/x; exit 7");
    run->directory = "/srv";
    run->keep = 60000;
    assert_int_equal(shell_in(run, "true", &status), -ENOENT); /* nothing failed so far */
    assert_non_null(strstr(error.text, "is not kept any more"));
    assert_int_equal(run_it(run), -ECHILD);
    assert_done(shell_in(run, "cat x below >both && pwd >>both; exit 5", &status));
    assert_int_equal(status, 5);
    _cleanup_buffer_ struct buffer text = {0};
    const char *folder = at("var/lib/fpsync/build/failed/%s", key('b'));
    assert_done(
        buffer_read_file(&text, AT_FDCWD, arena_join(arena, folder, '/', "upper/srv/both"), 1024, &error));
    assert_string_equal(text.bytes, "x\nbelow\n/srv\n");
    assert_false(is_there(at("var/lib/fpsync/build/failed/%s/work", key('b'))));
    assert_false(is_there(at("var/lib/fpsync/build/failed/%s/l", key('b'))));
    assert_false(is_there(at("var/lib/fpsync/build/failed/%s/upper/.fpsync", key('b'))));
    /* Another one is in it; and what a killed one has left is taken away. */
    int other = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_int_equal(shell_in(run, "true", &status), -EBUSY);
    close(other);
    assert_int_equal(mkdir(arena_join(arena, folder, '/', "work"), 0755), 0);
    assert_done(shell_in(run, "exit 0", &status));
    assert_false(is_there(at("var/lib/fpsync/build/failed/%s/work", key('b'))));
    /* What it stands on goes, and it cannot be entered any more. */
    assert_done(build_effects.drop(
        &paths, &(struct build_drop){.steps = {.items = (const char *[]){key('a')}, .count = 1}}, &call,
        &error));
    assert_int_equal(shell_in(run, "true", &status), -ENOENT);
    assert_non_null(strstr(error.text, "build again"));
}

static void test_who_and_where(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct build_run *run =
        run_of(place_of(base.digest, "", 'a'), "id; pwd; echo $HOME $LANGUAGE; echo x >mine");
    run->user = "web";
    run->directory = "/tmp";
    *(struct pair *)arena_append(arena, run->env.items, run->env.count) =
        (struct pair){.key = "LANGUAGE", .value = "a b\"$"};
    done(run);
    assert_non_null(strstr(output, "uid=33(web) gid=44(web) groups=44(web),55(log),66(more)"));
    assert_non_null(strstr(output, "/tmp\n/srv a b\"$\n"));
    struct image_made made = commit(base.digest, "a", NULL);
    assert_int_equal(image_stat(made.digest, "tmp/mine").st_uid, 33);
    run = run_of(place_of(base.digest, "", 'b'), "id");
    run->user = "nobody-such";
    assert_int_equal(run_it(run), -ENOENT);
    run->user = "0x1";
    assert_int_equal(run_it(run), -ENOENT);
    run->user = "70000";
    assert_true(run_it(run) < 0);
}

/* Whatever runs on when the command has ended is dead before the step is kept. */
static void test_processes_that_are_left(void **state)
{
    (void)state;
    if (getuid())
        skip();
    done(run_of(place_of(base.digest, "", 'a'),
                "(while true; do echo x >>/srv/log; done) & (sleep 1000) </dev/null & "
                "until [ -e /srv/log ]; do :; done; echo started"));
    assert_string_equal(output, "started\n");
    struct stat first, second;
    assert_int_equal(stat(step('a', "upper/srv/log"), &first), 0);
    usleep(100000);
    assert_int_equal(stat(step('a', "upper/srv/log"), &second), 0);
    assert_int_equal(first.st_size, second.st_size);
}

static void test_time_is_over(void **state)
{
    (void)state;
    if (getuid())
        skip();
    call.deadline = now_milliseconds() + 1500;
    assert_int_equal(run_it(run_of(place_of(base.digest, "", 'a'), "sleep 1000")), -ETIMEDOUT);
    call.deadline = now_milliseconds() + 60000;
    assert_false(is_there(step('a', "")));
    done(run_of(place_of(base.digest, "", 'a'), "echo again"));
}

static void test_with_an_init(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct build_run *run =
        run_of(place_of(base.digest, "", 'a'), "cat /proc/1/cmdline; echo; echo x >/srv/x; exit 0");
    run->init = true;
    done(run);
    assert_non_null(strstr(output, "init"));
    assert_null(strstr(output, "fpsync"));
    assert_true(is_there(step('a', "upper/srv/x")));
    assert_false(is_there(step('a', "upper/.fpsync")));
    run = run_of(place_of(base.digest, "", 'b'), "exit 0");
    run->definition->id_base = 0; /* privileged */
    assert_int_equal(run_it(run), -EINVAL);
}

/* S18 */
static void test_hostile(void **state)
{
    (void)state;
    if (getuid())
        skip();
    char before[DIGEST_TEXT_SIZE], after[DIGEST_TEXT_SIZE];
    digest_of_tree(at("canary"), before);
    done(
        run_of(place_of(base.digest, "", 'a'),
               arena_printf(
                   arena,
                   "ln -s / /app; ln -s %s /out; ln -s /proc/self/cwd /cwd; ln -s ../../../../../../../../%s "
                   "/up; mkdir -p /proc/self; echo x >/dev/evil; mknod /dev/null2 c 1 3; ln -s %s/file "
                   "/srv/target; ln -s /etc/loop /etc/loop; true",
                   at("canary"), at("canary"), at("canary"))));
    static const char *const targets[] = {"/app/",      "/out/", "/cwd/", "/up/", "/proc/self/root/etc/",
                                          "/srv/target"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
        build_effects.copy(&paths,
                           copy_of(place_of(base.digest, "a", (char)('1' + (char)i)), "file", targets[i]),
                           &call, &error);
    digest_of_tree(at("canary"), after);
    assert_string_equal(before, after);
    assert_true(is_there(step('1', "upper/file"))); /* /app/ is the image's / */
    assert_true(
        is_there(step('2', arena_printf(arena, "upper%s/file", at("canary"))))); /* and /out is in it */
    /* Sources that lead out of the context. */
    assert_int_equal(symlink(at("canary/file"), at("context/link")), 0);
    assert_int_equal(symlink("..", at("context/parent")), 0);
    static const char *const sources[] = {"link", "parent/canary/file", "../canary/file", "/etc/passwd",
                                          "parent"};
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
        assert_true(build_effects.copy(&paths, copy_of(place_of(base.digest, "", '9'), sources[i], "/x"),
                                       &call, &error) < 0);
    assert_false(is_there(step('9', "")));
    /* A container's /dev is not the image's. */
    struct image_made made = commit(base.digest, "a", NULL);
    assert_false(is_there(at("var/lib/fpsync/images/%s/root/dev", made.digest)));
    /* Names that would lead out of the store. */
    struct build_place *wrong = place_of(base.digest, "", 'a');
    wrong->key = "../../../../etc";
    assert_int_equal(build_effects.copy(&paths, copy_of(wrong, "file", "/x"), &call, &error), -EINVAL);
    wrong = place_of("../../canary", "", '9');
    assert_true(build_effects.copy(&paths, copy_of(wrong, "file", "/x"), &call, &error) < 0);
}

static void test_copies(void **state)
{
    (void)state;
    if (getuid())
        skip();
    put(at("context/more/link-target"), "more\n");
    put(at("context/more/left/out"), "out\n");
    put(at("context/more/left/in"), "in\n");
    assert_int_equal(symlink("link-target", at("context/more/link")), 0);
    chmod(at("context/more/link-target"), 0640);
    assert_int_equal(chown(at("context/more/link-target"), 1000, 1000), 0);
    struct build_copy *copy = copy_of(place_of(base.digest, "", 'a'), "more", "/srv/data");
    struct build_source *source = copy->sources.items[0];
    *arena_append(arena, source->excluded.items, source->excluded.count) = "more/left";
    *arena_append(arena, source->included.items, source->included.count) = "more/left/in";
    struct build_source *text = add_source(copy);
    text->text = "said\n";
    text->path = "document";
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    assert_done(build_effects.copy(&paths, copy_of(place_of(base.digest, "a", 'b'), "file", "/srv/renamed"),
                                   &call, &error));
    copy = copy_of(place_of(base.digest, "ba", 'c'), "file", "/srv/deep/er/");
    copy->owner = "web";
    copy->mode = "0600";
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    struct image_made made = commit(base.digest, "cba", NULL);
    assert_image(made.digest, "srv/data/one", "base\n");
    assert_image(made.digest, "srv/data/link", "more\n");
    assert_image(made.digest, "srv/data/left/in", "in\n");
    assert_image(made.digest, "srv/data/left/out", NULL);
    assert_image(made.digest, "srv/data/document", "said\n");
    assert_image(made.digest, "srv/renamed", "context\n");
    assert_int_equal(image_stat(made.digest, "srv/data/link-target").st_mode & 07777, 0640);
    assert_int_equal(image_stat(made.digest, "srv/data/link-target").st_uid, 0);
    assert_int_equal(image_stat(made.digest, "srv/deep/er/file").st_uid, 33);
    assert_int_equal(image_stat(made.digest, "srv/deep/er/file").st_gid, 44);
    assert_int_equal(image_stat(made.digest, "srv/deep/er/file").st_mode & 07777, 0600);
    assert_int_equal(image_stat(made.digest, "srv/deep/er").st_uid, 33);
    /* A folder does not take the place of a file, nor a file that of a folder. */
    put(at("context/clash/data"), "file\n");
    assert_int_equal(
        build_effects.copy(&paths, copy_of(place_of(base.digest, "", 'd'), "clash", "/srv"), &call, &error),
        -EISDIR);
    put(at("context/clash2/removed/file"), "file\n");
    assert_int_equal(
        build_effects.copy(&paths, copy_of(place_of(base.digest, "", 'd'), "clash2", "/etc"), &call, &error),
        -ENOTDIR);
}

static void test_inputs_are_compared(void **state)
{
    (void)state;
    if (getuid())
        skip();
    struct context_source seen;
    _cleanup_close_ int folder = context_open(at("context"), &error);
    assert_done(context_look(folder, "folder", NULL, arena, &seen, &error));
    struct build_copy *copy = copy_of(place_of(base.digest, "", 'a'), "folder", "/srv/");
    ((struct build_source *)copy->sources.items[0])->digest = seen.digest;
    put(at("context/folder/a"), "changed\n");
    assert_int_equal(build_effects.copy(&paths, copy, &call, &error), -EAGAIN);
    assert_non_null(strstr(error.text, "changed while it was copied"));
    assert_false(is_there(step('a', "")));
    put(at("context/folder/a"), "a\n");
    assert_done(build_effects.copy(&paths, copy, &call, &error));
}

static void test_archives(void **state)
{
    (void)state;
    if (getuid())
        skip();
    char command[512];
    snprintf(command, sizeof(command), "%s", at("context"));
    pid_t pid = fork();
    if (pid == 0) {
        execlp("tar", "tar", "-C", command, "-czf", at("context/packed.tar.gz"), "folder", NULL);
        _exit(127);
    }
    int status;
    assert_true(waitpid(pid, &status, 0) == pid && status == 0);
    struct build_copy *copy = copy_of(place_of(base.digest, "", 'a'), "packed.tar.gz", "/srv/");
    copy->unpack = true;
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    assert_done(build_effects.copy(&paths, copy_of(place_of(base.digest, "a", 'b'), "packed.tar.gz", "/srv/"),
                                   &call, &error));
    struct image_made made = commit(base.digest, "ba", NULL);
    assert_image(made.digest, "srv/folder/deep/b", "b\n");
    assert_true(S_ISREG(image_stat(made.digest, "srv/packed.tar.gz").st_mode));
}

/* The same, made anew from nothing, is the same. */
static void test_twice(void **state)
{
    (void)state;
    if (getuid())
        skip();
    const char *digests[2];
    for (int i = 0; i < 2; i++) {
        struct build_copy *copy = copy_of(place_of(base.digest, "", 'a'), "folder", "/srv/");
        struct build_run *run = run_of(place_of(base.digest, "a", 'b'),
                                       "rm -r /srv/data; echo x >/srv/x; touch /etc/group; chmod 700 /etc");
        copy->epoch = run->epoch = "1000000000";
        assert_done(build_effects.copy(&paths, copy, &call, &error));
        done(run);
        digests[i] = commit(base.digest, "ba", NULL).digest;
        struct stat status;
        assert_int_equal(stat(step('b', "upper/srv/x"), &status), 0);
        assert_int_equal(status.st_mtim.tv_sec, 1000000000);
        assert_done(build_effects.drop(
            &paths,
            &(struct build_drop){.steps = {.items = (const char *[]){key('a'), key('b')}, .count = 2}}, &call,
            &error));
        assert_done(
            image_effects.remove(&paths, &(struct image_reference){.digest = digests[i]}, &call, &error));
    }
    assert_string_equal(digests[0], digests[1]);
}

static struct build_mount *add_mount(struct build_run *run, const char *type, const char *target)
{
    struct build_mount *mount = described_new(arena, &build_mount_table);
    mount->key = arena_printf(arena, "%zu", run->mounts.count);
    mount->type = type;
    mount->target = target;
    *arena_append(arena, run->mounts.items, run->mounts.count) = mount;
    return mount;
}

static void test_mounts(void **state)
{
    (void)state;
    if (getuid())
        skip();
    put(at("secret"), "hidden");
    chmod(at("secret"), 0600);
    done(run_of(place_of(base.digest, "", 'a'), "echo staged >/srv/staged"));
    *output = '\0';
    struct build_run *run =
        run_of(place_of(base.digest, "", 'b'),
               "cat /run/secrets/token; echo; sed s/i/o/ /run/secrets/token; echo; stat -c '%a %u %g' "
               "/run/secrets/token; cat /context/file; echo "
               "no 2>/dev/null "
               ">/context/file; cat /stage/staged; cat /one/etc/removed; echo cached >>/cache/list; cat "
               "/cache/list; echo t "
               ">/scratch/t; cat /etc/resolv.conf; echo y >/written/new; cat /written/a; exit 0");
    struct root_file *file = described_new(arena, &root_file_table);
    *file = (struct root_file){.path = "/etc/resolv.conf", .content = "nameserver 10.0.0.1\n", .mode = 0644};
    *arena_append(arena, run->files.items, run->files.count) = file;
    struct build_mount *mount = add_mount(run, "secret", "/run/secrets/token");
    mount->file = at("secret");
    mount->uid = 33;
    mount = add_mount(run, "bind", "/context");
    mount->folder = at("context");
    mount = add_mount(run, "bind", "/stage");
    mount->from = place_of(base.digest, "a", 0);
    mount->path = "/srv";
    mount = add_mount(run, "bind", "/one");
    mount->from = place_of(base.digest, "", 0);
    mount = add_mount(run, "cache", "/cache");
    mount->id = "apt";
    mount->writable = true;
    add_mount(run, "tmpfs", "/scratch")->size = 1 << 20;
    mount = add_mount(run, "bind", "/written");
    mount->folder = at("context");
    mount->path = "folder";
    mount->writable = true;
    done(run);
    /* What it holds is not shown, though it is there. */
    assert_string_equal(output,
                        "***\nhodden\n400 33 0\ncontext\nstaged\nbase\ncached\nnameserver 10.0.0.1\na\n");
    struct image_made made = commit(base.digest, "b", NULL);
    assert_true(is_empty(at("var/lib/fpsync/images/%s/root", made.digest)));
    assert_image(made.digest, "etc/resolv.conf", NULL);
    assert_false(is_there(at("context/folder/new")));
    /* The cache goes on, and who may not write to it cannot. */
    *output = '\0';
    run = run_of(place_of(base.digest, "", 'c'),
                 "echo no 2>/dev/null >>/cache/list; mount -o remount,bind,rw /cache 2>/dev/null; echo no "
                 "2>/dev/null >>/cache/list; cat /cache/list");
    mount = add_mount(run, "cache", "/cache");
    mount->id = "apt";
    mount->sharing = "locked";
    done(run);
    assert_string_equal(output, "cached\n");
    struct observed_build seen;
    assert_done(build_view.dump(&paths, arena, &seen, &error));
    assert_int_equal(seen.cache_count, 1);
    assert_string_equal(seen.caches[0].file, "apt");
}

/* ---- side by side, and killed ---- */

static pid_t in_child(const struct build_run *run)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error own = {0};
        call.progress = NULL;
        int result = build_effects.run(&paths, run, &call, &own);
        if (result < 0)
            fprintf(stderr, "%s\n", own.text);
        _exit(result < 0);
    }
    return pid;
}

static void test_side_by_side(void **state)
{
    (void)state;
    if (getuid())
        skip();
    pid_t pids[4];
    for (int i = 0; i < 4; i++) { /* two of the one, two of the other step, one cache */
        struct build_run *run = run_of(place_of(base.digest, "", i % 2 ? 'a' : 'b'),
                                       "echo $$ >>/cache/list; echo made >/srv/made");
        run->definition->id_base = BASE + i * ID_RANGE;
        struct build_mount *mount = add_mount(run, "cache", "/cache");
        mount->id = "shared";
        mount->writable = true;
        pids[i] = in_child(run);
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    _cleanup_buffer_ struct buffer text = {0};
    assert_done(
        buffer_read_file(&text, AT_FDCWD, at("var/lib/fpsync/build/caches/shared/data/list"), 4096, &error));
    size_t lines = 0;
    for (size_t i = 0; i < text.length; i++)
        lines += text.bytes[i] == '\n';
    assert_int_equal(lines, 2);
    assert_true(is_there(step('a', "upper/srv/made")) && is_there(step('b', "upper/srv/made")));
}

/* At any moment: what a killed worker leaves is gone with the next, and the step is made. */
static void test_killed(void **state)
{
    (void)state;
    if (getuid())
        skip();
    for (int i = 0; i < 12; i++) {
        struct build_run *run = run_of(place_of(base.digest, "", 'a'), "echo made >/srv/made; sleep 0.02");
        struct build_mount *mount = add_mount(run, "tmpfs", "/scratch");
        (void)mount;
        pid_t pid = in_child(run);
        usleep((useconds_t)(i * 10000));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        *output = '\0';
        done(run);
        assert_true(is_there(step('a', "upper/srv/made")));
        assert_true(is_empty(paths.lxc));
        assert_true(is_empty(paths.mounts));
        assert_done(build_effects.drop(
            &paths, &(struct build_drop){.steps = {.items = (const char *[]){key('a')}, .count = 1}}, &call,
            &error));
        assert_true(is_empty(at("var/lib/fpsync/build/steps")));
    }
}

/* "web", on the image, with an init that runs nothing. */
static void run_container(const char *digest)
{
    struct root_mount *mount = described_new(arena, &root_mount_table);
    mount->lxc_name = "web";
    mount->digest = digest;
    mount->layer = "shop_web";
    mount->id_base = BASE;
    mount->with_init = true;
    assert_done(storage_effects.mount_root(&paths, mount, &call, &error));
    struct container_definition *definition = described_new(arena, &container_definition_table);
    struct container_defined defined = {0};
    struct container_started started = {0};
    definition->lxc_name = "web";
    definition->uid = "0123";
    definition->root = at("run/fpsync/mounts/web");
    definition->id_base = BASE;
    *arena_append(arena, definition->command.items, definition->command.count) = "";
    assert_done(container_effects.define(&paths, definition, &call, &defined, &error));
    assert_done(container_effects.start(&paths, &(struct container_start){.lxc_name = "web", .id_base = BASE},
                                        &call, &started, &error));
}

static void end_container(void)
{
    assert_done(container_effects.stop(&paths, &(struct container_stop){.lxc_name = "web"}, &call, &error));
    assert_done(
        container_effects.destroy(&paths, &(struct container_reference){.lxc_name = "web"}, &call, &error));
    assert_done(
        storage_effects.unmount_root(&paths, &(struct root_reference){.lxc_name = "web"}, &call, &error));
}

static int copy_and_commit(void)
{
    struct image_made made = {0};
    struct build_commit *request = described_new(arena, &build_commit_table);
    int result = build_effects.copy(&paths, copy_of(place_of(base.digest, "", 'c'), "many", "/srv/many"),
                                    &call, &error);
    request->name = "default/app";
    request->place = place_of(base.digest, "c", 0);
    return result < 0 ? result : build_effects.commit(&paths, request, &call, &made, &error);
}

/* The same of what the host does: no image is there but a whole one, and it is always the same. */
static void test_killed_while_copying(void **state)
{
    (void)state;
    if (getuid())
        skip();
    const char *first = NULL;
    for (int i = 0; i < 400; i++)
        put(at("context/many/%d/%d", i % 20, i), "content\n");
    for (int i = 0; i < 8; i++) {
        call.deadline = now_milliseconds() + 60000;
        pid_t pid = fork();
        if (pid == 0) {
            call.progress = NULL;
            _exit(copy_and_commit() < 0);
        }
        usleep((useconds_t)(i * 8000));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_done(copy_and_commit());
        const char *digest = commit(base.digest, "c", NULL).digest;
        assert_image(digest, "srv/many/19/399", "content\n");
        first = first ? first : digest;
        assert_string_equal(first, digest);
        const struct texts keys = {.items = (const char *[]){key('c')}, .count = 1};
        assert_done(build_effects.drop(&paths, &(struct build_drop){.steps = keys}, &call, &error));
        assert_done(image_effects.remove(&paths, &(struct image_reference){.digest = digest}, &call, &error));
        assert_true(is_empty(at("var/lib/fpsync/build/steps")));
    }
}

/* A container on what was built, which runs. */
static void test_a_container_on_it(void **state)
{
    (void)state;
    if (getuid())
        skip();
    char before[2][DIGEST_TEXT_SIZE], after[2][DIGEST_TEXT_SIZE];
    done(run_of(place_of(base.digest, "", 'a'),
                "echo built >/srv/built; rm /etc/removed; mkdir /proc /sys /dev /run; true"));
    struct image_made made = commit(base.digest, "a", NULL);
    digest_of_tree(at("var/lib/fpsync/images/%s/root", base.digest), before[0]);
    digest_of_tree(at("var/lib/fpsync/images/%s/root", made.digest), before[1]);
    run_container(made.digest);
    const char *argv[] = {"/bin/sh", "-c",
                          "cat /srv/built; cat /etc/removed; rm /srv/built; echo w >/etc/group; id", NULL};
    char *environment[] = {NULL};
    *output = '\0';
    const struct container_command command = {.lxc_name = "web",
                                              .argv = (char *const *)argv,
                                              .environment = environment,
                                              .directory = "/",
                                              .line = hear};
    assert_int_equal(container_run(&paths, &command, &call, &error), 0);
    assert_non_null(strstr(output, "built\n"));
    assert_non_null(strstr(output, "can't open '/etc/removed'"));
    assert_non_null(strstr(output, "uid=0(root)"));
    end_container();
    digest_of_tree(at("var/lib/fpsync/images/%s/root", base.digest), after[0]);
    digest_of_tree(at("var/lib/fpsync/images/%s/root", made.digest), after[1]);
    assert_string_equal(before[0], after[0]);
    assert_string_equal(before[1], after[1]);
}

static void test_powers_of_files(void **state)
{
    (void)state;
    if (getuid())
        skip();
    /* cap_net_raw=ep, as setcap(8) writes it: of a file of the context it is no input, of one of a stage it goes along. */
    static const unsigned char power[20] = {1, 0, 0, 2, 0, 0x20, 0, 0};
    assert_int_equal(setxattr(at("context/file"), "security.capability", power, sizeof(power), 0), 0);
    assert_int_equal(setxattr(at("context/file"), "user.note", "text", 4, 0), 0);
    assert_done(build_effects.copy(&paths, copy_of(place_of(base.digest, "", 'a'), "file", "/srv/file"),
                                   &call, &error));
    unsigned char found[32];
    const char *copied = step('a', "upper/srv/file");
    assert_true(is_there(copied));
    assert_int_equal(listxattr(copied, NULL, 0), 0);
    assert_int_equal(setxattr(copied, "security.capability", power, sizeof(power), 0), 0);
    assert_int_equal(setxattr(copied, "user.note", "text", 4, 0), 0);
    struct build_copy *copy = copy_of(place_of(base.digest, "a", 'b'), "/srv/file", "/srv/again");
    ((struct build_source *)copy->sources.items[0])->folder = NULL;
    ((struct build_source *)copy->sources.items[0])->from = place_of(base.digest, "a", 0);
    assert_done(build_effects.copy(&paths, copy, &call, &error));
    struct image_made made = commit(base.digest, "ba", NULL);
    const char *path = at("var/lib/fpsync/images/%s/root/srv/again", made.digest);
    assert_int_equal(getxattr(path, "security.capability", found, sizeof(found)), sizeof(power));
    assert_memory_equal(found, power, sizeof(power));
    assert_int_equal(getxattr(path, "user.note", found, sizeof(found)), 4);
}

/* Helpers are looked for beside the running program. */
static void provide(const char *name)
{
    char own[512], link[600], target[600];
    const char *build = getenv("FPSYNC_BUILD");
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(length > 0);
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    snprintf(link, sizeof(link), "%s/%s", own, name);
    snprintf(target, sizeof(target), "%s/%s", build ? build : "build", name);
    char *absolute = realpath(target, NULL);
    if (absolute && symlink(absolute, link) < 0)
        assert_int_equal(errno, EEXIST);
    free(absolute);
}

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Figures for people: a RUN beside its command in a container that runs already. */
static void test_what_a_run_costs(void **state)
{
    (void)state;
    if (getuid())
        skip();
    double best[2] = {1e9, 1e9}, began, took;
    for (int i = 0; i < 10; i++) {
        began = milliseconds();
        done(run_of(place_of(base.digest, "", 'a'), "exit 0"));
        took = milliseconds() - began;
        best[0] = took < best[0] ? took : best[0];
        assert_done(build_effects.drop(
            &paths, &(struct build_drop){.steps = {.items = (const char *[]){key('a')}, .count = 1}}, &call,
            &error));
    }
    run_container(base.digest);
    for (int i = 0; i < 10; i++) {
        char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"exit 0", NULL}, *environment[] = {NULL};
        const struct container_command command = {
            .lxc_name = "web", .argv = argv, .environment = environment, .directory = "/", .line = hear};
        began = milliseconds();
        assert_int_equal(container_run(&paths, &command, &call, &error), 0);
        took = milliseconds() - began;
        best[1] = took < best[1] ? took : best[1];
    }
    end_container();
    print_message("# a RUN takes %.1f ms, its command in a running container %.1f ms\n", best[0], best[1]);
}

int main(void)
{
    provide("fpsync-init");
    provide("fpsync-fetch");
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_build),
        CASE(test_on_a_delta),
        CASE(test_scratch),
        CASE(test_stages),
        CASE(test_a_command_that_fails),
        CASE(test_a_shell_in_what_failed),
        CASE(test_who_and_where),
        CASE(test_processes_that_are_left),
        CASE(test_time_is_over),
        CASE(test_with_an_init),
        CASE(test_hostile),
        CASE(test_copies),
        CASE(test_inputs_are_compared),
        CASE(test_archives),
        CASE(test_twice),
        CASE(test_mounts),
        CASE(test_side_by_side),
        CASE(test_killed),
        CASE(test_killed_while_copying),
        CASE(test_a_container_on_it),
        CASE(test_powers_of_files),
        CASE(test_what_a_run_costs),
    };
    return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
