/* The look into a build's context: what it takes and leaves out, that a second look by the lists of the first sees the
 * same, and that nothing leads out of it, also while somebody exchanges folders for links. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/image/view_context.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "specs/ignore.h"

static char scratch[] = "/tmp/fpsync-context-XXXXXX";
static struct arena *arena;
static int folder;

static const char *in(const char *name)
{
    return arena_printf(arena, "%s/%s", scratch, name);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in(name), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static bool leaves_out(void *context, const char *path)
{
    return ignore_find_alone(context, path) != NULL;
}

static int look(const char *path, const char *rules, struct context_source *source)
{
    struct problems problems = {.arena = arena};
    struct ignore ignore = {0};
    struct error error = {0};
    assert_true(ignore_read(&ignore, "rules", rules, strlen(rules), arena, &problems));
    const struct context_filter filter = {
        .leaves_out = leaves_out, .has_exceptions = ignore.takes_in, .context = &ignore};
    int result = context_look(folder, path, &filter, arena, source, &error);
    assert_int_equal(result, error.code);
    return result;
}

/* ---- what it takes ---- */

static const char *joined(const struct texts *texts)
{
    const char *text = "";
    for (size_t i = 0; i < texts->count; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? " " : "", texts->items[i]);
    return text;
}

static void choices(void **state)
{
    (void)state;
    static const struct {
        const char *path, *rules, *excluded, *included;
        int64_t entries;
    } cases[] = {
        {"tree", "", "", "", 9},
        {".", "*\n!tree\n", "c deep f link one", "", 10},
        {"tree", "tree/a\n", "tree/a", "", 3},
        {"tree", "tree/a\n!tree/a/b/d\n", "tree/a", "tree/a/b/d", 5},
        {"tree", "tree/a\n!tree/a/b\ntree/a/b/d\n", "tree/a tree/a/b/d", "tree/a/b", 4},
        {"tree", "**/x\n", "tree/a/b/d/x tree/a/x tree/x", "", 6},
        {"tree", "tree\n!tree/x\n", "tree", "tree/x", 1},
        {"link", "tree/a/b/d\n", "tree/a/b/d", "", 7},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct context_source first, second;
        assert_int_equal(look(cases[i].path, cases[i].rules, &first), 0);
        assert_string_equal(joined(&first.excluded), cases[i].excluded);
        assert_string_equal(joined(&first.included), cases[i].included);
        assert_int_equal(first.entries, cases[i].entries);
        assert_int_equal(
            context_look_again(folder, cases[i].path, &first.excluded, &first.included, arena, &second, NULL),
            0);
        assert_string_equal(first.digest, second.digest);
        assert_int_equal(first.entries, second.entries);
    }
}

/* Two trees of the same bytes in another arrangement are two trees. */
static void digests(void **state)
{
    (void)state;
    struct context_source sources[6];
    static const char *const names[] = {"c/1", "c/2", "c/3", "c/4", "c/5", "c/6"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(mkdir(in(names[i]), 0755), 0);
    put("c/1/ab", "c");
    put("c/2/a", "bc");
    put("c/3/abc", "");
    assert_int_equal(symlink("bc", in("c/4/a")), 0);
    assert_int_equal(mkdir(in("c/5/ab"), 0755), 0);
    put("c/5/ab/c", "");
    put("c/6/ab", "c");
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(look(names[i], "", &sources[i]), 0);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = i + 1; j < 5; j++)
            assert_string_not_equal(sources[i].digest, sources[j].digest);
    assert_string_equal(sources[0].digest, sources[5].digest);
}

/* ---- what leads out ---- */

static void ways_out(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int code;
    } cases[] = {{"..", -EXDEV},     {"../etc", -EXDEV},   {"/etc", -EXDEV},    {"f/out", -EXDEV},
                 {"f/up", -EXDEV},   {"f/up/x", -EXDEV},   {"f/abs", -EXDEV},   {"f/proc/self/root", -EXDEV},
                 {"f/loop", -ELOOP}, {"missing", -ENOENT}, {"one/x", -ENOTDIR}, {"tree/../../x", -EXDEV}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct context_source source;
        _cleanup_buffer_ struct buffer text = {0};
        if (look(cases[i].path, "", &source) != cases[i].code)
            fail_msg("%s: %s", cases[i].path, strerror(-look(cases[i].path, "", &source)));
        assert_int_equal(context_read(folder, cases[i].path, 100, &text, NULL), cases[i].code);
    }
    /* Below a folder that is copied, a link is a link. */
    struct context_source source;
    assert_int_equal(look("f", "", &source), 0);
    assert_int_equal(source.bytes, 0);
}

static void files_that_are_read(void **state)
{
    (void)state;
    _cleanup_buffer_ struct buffer text = {0};
    assert_int_equal(context_read(folder, "one", 100, &text, NULL), 0);
    assert_string_equal(text.bytes, "one");
    assert_int_equal(context_read(folder, "one", 2, &text, NULL), -EFBIG);
    assert_int_equal(context_read(folder, "tree", 100, &text, NULL), -EINVAL);
}

static void too_deep(void **state)
{
    (void)state;
    int at = openat(folder, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i <= CONTEXT_DEPTH; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    struct context_source source;
    assert_int_equal(look("deep", "", &source), -EMLINK);
}

static bool matches(void *context, const char *pattern, const char *name)
{
    (void)context;
    return glob_matches(glob_read(arena, pattern, false), name);
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *paths;
    } cases[] = {{"*", "c deep f link one tree"}, {"t*/x", "tree/x"},  {"*/*/x", "tree/a/x"},
                 {"tree/[ab]", "tree/a"},         {"nothing*", ""},    {"one/*", ""},
                 {"link/?", "link/a link/x"},     {"tree/a", "tree/a"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct texts paths = {0};
        assert_int_equal(context_match(folder, cases[i].pattern, matches, NULL, NULL, arena, &paths, NULL),
                         0);
        assert_string_equal(joined(&paths), cases[i].paths);
    }
    struct texts paths = {0};
    assert_int_equal(context_match(folder, "f/up/*", matches, NULL, NULL, arena, &paths, NULL), -EXDEV);
}

/* ---- whoever exchanges things meanwhile ---- */

static pid_t exchange(const char *one, const char *other)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            if (renameat2(folder, one, folder, other, RENAME_EXCHANGE) < 0)
                _exit(1);
    return child;
}

static void races(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("race"), 0755), 0);
    assert_int_equal(mkdir(in("race/dir"), 0755), 0);
    assert_int_equal(mkdir(in("race/dir/in"), 0755), 0);
    put("race/dir/in/file", "inside");
    const char *outside = arena_printf(arena, "%s-outside", scratch);
    assert_int_equal(mkdir(outside, 0755), 0);
    assert_int_equal(mkdir(arena_printf(arena, "%s/in", outside), 0755), 0);
    FILE *file = fopen(arena_printf(arena, "%s/in/file", outside), "we");
    fputs("canary, which is longer than what is inside", file);
    fclose(file);
    assert_int_equal(symlink(outside, in("trap")), 0);
    struct context_source fine;
    assert_int_equal(look("race/dir/in", "", &fine), 0);
    pid_t child = exchange("race/dir", "trap");
    assert_true(child > 0);
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 2;
    size_t seen = 0, refused = 0;
    do {
        _cleanup_arena_ struct arena *own = arena_new();
        struct context_source source;
        _cleanup_buffer_ struct buffer text = {0};
        int result = context_look(folder, "race/dir/in", NULL, own, &source, NULL);
        if (result == 0)
            assert_string_equal(source.digest, fine.digest);
        seen += result == 0;
        refused += result < 0;
        result = context_look(folder, "race", NULL, own, &source, NULL);
        assert_true(result < 0 || source.bytes == 0 || source.bytes == 6);
        if (context_read(folder, "race/dir/in/file", 100, &text, NULL) == 0)
            assert_string_equal(text.bytes, "inside");
        struct texts paths = {0};
        if (context_match(folder, "race/dir/*", matches, NULL, NULL, own, &paths, NULL) == 0)
            assert_true(paths.count <= 1);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(seen > 0 && refused > 0); /* or nothing was exchanged */
    unlink(arena_printf(arena, "%s/in/file", outside));
    rmdir(arena_printf(arena, "%s/in", outside));
    rmdir(outside);
}

/* ---- the run ---- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const folders[] = {"tree", "tree/a", "tree/a/b", "tree/a/b/d", "f", "c", "deep"};
    static const char *const links[][2] = {{"tree", "link"},    {"../../etc/passwd", "f/out"},
                                           {"../..", "f/up"},   {"/etc", "f/abs"},
                                           {"/proc", "f/proc"}, {"loop", "f/loop"}};
    arena = arena_new();
    if (!mkdtemp(scratch))
        return -1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (mkdir(in(folders[i]), 0755) < 0)
            return -1;
    put("one", "one");
    put("tree/x", "1");
    put("tree/y.o", "2");
    put("tree/a/x", "3");
    put("tree/a/b/d/x", "4");
    assert_int_equal(symlink("b/d", in("tree/a/l")), 0);
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
        if (symlink(links[i][0], in(links[i][1])) < 0)
            return -1;
    folder = context_open(scratch, NULL);
    return folder < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(folder);
    nftw(scratch, remove_entry, 64, FTW_DEPTH | FTW_PHYS);
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices),
        cmocka_unit_test(patterns),
        cmocka_unit_test(digests),
        cmocka_unit_test(ways_out),
        cmocka_unit_test(files_that_are_read),
        cmocka_unit_test(races),
        cmocka_unit_test(too_deep),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
