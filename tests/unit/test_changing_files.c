/* Spec files that are written to while they are read: read() of this program does it, so that it happens every time. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/sources.h"
#include "specs/specs.h"

static struct arena *arena;
static char *folder;
static const char *path;
static void (*meddle)(void);
static int times; /* how many of its openings it is done to */

static bool is_spec(int fd)
{
    struct stat read_from, spec;
    return path && fstat(fd, &read_from) == 0 && stat(path, &spec) == 0 && read_from.st_ino == spec.st_ino;
}

ssize_t read(int fd, void *bytes, size_t size)
{
    ssize_t got = syscall(SYS_read, fd, bytes, size);
    const bool first = got > 0 && lseek(fd, 0, SEEK_CUR) == got; /* of this opening */
    if (first && times > 0 && is_spec(fd)) {
        times--;
        meddle();
    }
    return got;
}

/* What read() is where the compiler knows how much the buffer holds (_FORTIFY_SOURCE). */
ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room)
{
    assert_true(size <= room);
    return read(fd, bytes, size);
}

static void put(const char *name, const char *mode, const char *text)
{
    FILE *file = fopen(name, mode);
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(name, 0644);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    folder = arena_strdup(arena, "/tmp/fpsync-changing-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    path = arena_printf(arena, "%s/spec.yaml", folder);
    put(path, "we", "project: old\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(folder);
    path = NULL;
    arena_free(arena);
    return 0;
}

static void append(void)
{
    put(path, "ae", "# more\n");
}

/* Another file of the same length in its place: only that it is another one tells. */
static void replace(void)
{
    const char *beside = arena_printf(arena, "%s/new", folder);
    put(beside, "we", "project: new\n");
    assert_return_code(rename(beside, path), 0);
}

static void remove_it(void)
{
    assert_return_code(unlink(path), 0);
}

static const char *reads(void (*by)(void), int count, struct problems *problems)
{
    _cleanup_buffer_ struct buffer text = {0};
    meddle = by;
    times = count;
    *problems = (struct problems){.arena = arena};
    bool fine = spec_file_read(path, true, false, problems, &text);
    assert_int_equal(fine, problems->count == 0);
    return fine ? arena_strndup(arena, text.bytes, text.length) : problems->items[0].message;
}

static void what_is_written_to_is_read_again(void **state)
{
    (void)state;
    struct problems problems;
    assert_string_equal(reads(append, 2, &problems), "project: old\n# more\n# more\n");
}

static void what_is_put_in_its_place_is_read(void **state)
{
    (void)state;
    struct problems problems;
    assert_string_equal(reads(replace, 1, &problems), "project: new\n");
}

static void what_changes_all_the_time_is_refused(void **state)
{
    (void)state;
    struct problems problems;
    assert_string_equal(reads(append, 1000, &problems), "cannot read it: it changes again and again");
    assert_string_equal(problems.items[0].place.file, path);
    assert_int_equal(problems.count, 1);
}

static void what_goes_meanwhile_is_gone(void **state)
{
    (void)state;
    struct problems problems;
    assert_non_null(strstr(reads(remove_it, 1, &problems), "cannot open it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_to_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_put_in_its_place_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changes_all_the_time_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_meanwhile_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
