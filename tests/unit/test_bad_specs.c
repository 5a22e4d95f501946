/* Broken specs and what is said about them.
 *
 * Every NAME.yaml, or folder NAME, of tests/bad is loaded from a copy (so that modes and owners are ours) and what
 * the loader says is compared with NAME.expected; FPSYNC_UPDATE_GOLDEN=1 writes those files instead. What git cannot
 * hold (modes, owners, sockets, large files) is made here. The last test reads the sources of specs/ and fails when
 * one of its error texts, or what a form of scalars expects, was never provoked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/forms.h"
#include "specs/policy.h"
#include "specs/specs.h"
#include "tests/unit/provoked.h"

#define FOLDER "tests/bad"

static char scratch[] = "/tmp/fpsync-bad-XXXXXX";

/* ---- loading ---- */

static const char *in_scratch(const char *name)
{
    return arena_printf(seen_arena, "%s/%s", scratch, name);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

static const struct object_set *recorded; /* what the loader knows of earlier runs; NULL: nothing */

static int load(const struct spec_request *request, struct buffer *said)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct spec_set set;
    struct problems problems = {.arena = arena};
    struct error error = {0};
    int result = specs_load(request, recorded, arena, &set, &problems, &error);
    buffer_clear(said);
    buffer_text(said, "");
    for (size_t i = 0; i < problems.count; i++) {
        see(problems.items[i].message);
        problem_print(&problems.items[i], said);
    }
    assert_int_equal(result<0, problems.count> 0 || error.code != 0);
    if (result < 0)
        see(error.text);
    return result;
}

static int load_path(const char *path, struct buffer *said)
{
    const struct spec_request request = {.arguments = &path, .count = 1, .default_directory = "/nonexistent"};
    return load(&request, said);
}

/* ---- golden files ---- */

static void copy_file(const char *from, const char *to)
{
    _cleanup_buffer_ struct buffer text = {0};
    assert_int_equal(buffer_read_file(&text, AT_FDCWD, from, 1 << 20, NULL), 0);
    write_bytes(to, text.bytes, text.length);
}

static void copy_case(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    if (!folder) {
        copy_file(from, to);
        return;
    }
    assert_int_equal(mkdir(to, 0755), 0);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_type == DT_REG || (entry->d_type == DT_DIR && strspn(entry->d_name, ".") == 0))
            copy_case(arena_printf(seen_arena, "%s/%s", from, entry->d_name),
                      arena_printf(seen_arena, "%s/%s", to, entry->d_name));
    closedir(folder);
}

/* Without the folder of the copy. */
static char *with_base_names(const char *text, const char *prefix)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_text(&out, "");
    for (const char *at; (at = strstr(text, prefix)); text = at + strlen(prefix))
        buffer_add(&out, text, (size_t)(at - text));
    buffer_text(&out, text);
    return arena_strdup(seen_arena, out.bytes);
}

static void golden(void **state)
{
    const char *name = *state;
    const char *copy = in_scratch(name);
    copy_case(arena_printf(seen_arena, FOLDER "/%s", name), copy);
    _cleanup_buffer_ struct buffer said = {0};
    assert_int_equal(load_path(copy, &said), -EINVAL);
    const bool is_file = strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".yaml") == 0;
    char *text = with_base_names(said.bytes, arena_printf(seen_arena, "%s/", is_file ? scratch : copy));
    const char *expected =
        arena_printf(seen_arena, FOLDER "/%.*s.expected", (int)strlen(name) - (is_file ? 5 : 0), name);
    if (getenv("FPSYNC_UPDATE_GOLDEN")) {
        write_text(expected, text);
        return;
    }
    _cleanup_buffer_ struct buffer wanted = {0};
    assert_int_equal(buffer_read_file(&wanted, AT_FDCWD, expected, 1 << 20, NULL), 0);
    assert_string_equal(text, wanted.bytes);
}

/* ---- what git cannot hold ---- */

static void says(const char *path, const char *part)
{
    _cleanup_buffer_ struct buffer said = {0};
    assert_int_equal(load_path(path, &said), -EINVAL);
    if (!strstr(said.bytes, part))
        fail_msg("expected '%s' in:\n%s", part, said.bytes);
}

static void odd_files(void **state)
{
    (void)state;
    const char *path = in_scratch("large.yaml");
    write_text(path, "");
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    says(path, "the file is larger than 1 MiB");
    path = in_scratch("fifo.yaml");
    assert_int_equal(mkfifo(path, 0600), 0);
    says(path, "not a regular file");
    path = in_scratch("link.yaml");
    assert_int_equal(symlink("large.yaml", path), 0);
    says(path, "it is a symbolic link");
    const char *instance = in_scratch("w@BAD NAME.yaml");
    assert_int_equal(symlink("large.yaml", instance), 0);
    says(instance, "the name of an instance is of letters, digits, '-', '_' and '.', at most 64");
    unlink(instance);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    path = in_scratch("socket.yaml");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    says(path, "cannot open it");
    path = in_scratch("nul.yaml");
    write_bytes(path, "a: \0b\n", 6);
    says(path, "not YAML");
}

static void owners_and_modes(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    const char *folder = in_scratch("modes"), *path = in_scratch("modes/a.yaml");
    assert_int_equal(mkdir(folder, 0755), 0);
    write_text(path, "x-a: 1\n");
    assert_int_equal(chmod(path, 0664), 0);
    says(path, "others than its owner may write to it");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chown(path, 1000, 1000), 0);
    says(path, "it does not belong to root");
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    says(folder, "others than its owner may add specs here");
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chown(folder, 1000, 1000), 0);
    says(folder, "the folder does not belong to root");
}

static void sudo_user_in_a_run_by_hand(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    const char *path = in_scratch("sudo.yaml");
    write_text(path, "x-a: 1\n");
    assert_int_equal(chown(path, 1000, 1000), 0);
    struct spec_request request = {.arguments = &path, .count = 1, .default_directory = "/nonexistent"};
    _cleanup_buffer_ struct buffer said = {0};
    setenv("SUDO_UID", "1000", 1);
    assert_int_equal(load(&request, &said), -EINVAL);
    request.use_environment = true;
    assert_int_equal(load(&request, &said), 0);
    setenv("SUDO_UID", "1001", 1);
    assert_int_equal(load(&request, &said), -EINVAL);
    unsetenv("SUDO_UID");
}

static void large_values(void **state)
{
    (void)state;
    const size_t size = 70000;
    _cleanup_free_ char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    _cleanup_buffer_ struct buffer spec = {0};
    buffer_printf(&spec, "images: { base: { source: \"file:/%s\" } }\n", text);
    const char *path = in_scratch("long.yaml");
    write_text(path, spec.bytes);
    says(path, "longer than 65536 bytes");

    const char *folder = in_scratch("grown");
    assert_int_equal(mkdir(folder, 0755), 0);
    buffer_clear(&spec);
    buffer_printf(&spec, "BIG=%s\n", text);
    write_text(in_scratch("grown/.env"), spec.bytes);
    buffer_clear(&spec);
    buffer_text(&spec, "containers:\n");
    for (int i = 0; i < 100; i++)
        buffer_printf(&spec, "  c%d: { image: \"${BIG}\" }\n", i);
    write_text(in_scratch("grown/a.yaml"), spec.bytes);
    says(folder, "variables make the file larger than");
}

static void odd_variables(void **state)
{
    (void)state;
    const char *folder = in_scratch("odd");
    assert_int_equal(mkdir(folder, 0755), 0);
    write_text(in_scratch("odd/a.yaml"), "images: { base: { source: \"file:/${X}\" } }\n");
    write_text(in_scratch("odd/.env"), "X=a\033[2J\n");
    says(folder, "a variable puts a control character");
    write_text(in_scratch("odd/.env"), "X=caf\xe9\n");
    says(folder, "a variable puts a control character");
    write_bytes(in_scratch("odd/.env"), "X=a\0b\n", 6);
    says(folder, "a NUL byte in the file");
}

static void sources_that_cannot_be_read(void **state)
{
    (void)state;
    _cleanup_buffer_ struct buffer said = {0};
    const char *loop = in_scratch("loop.yaml");
    assert_int_equal(symlink("loop.yaml", loop), 0);
    assert_int_equal(load_path(loop, &said), -ELOOP);

    const char *folder = in_scratch("full");
    assert_int_equal(mkdir(folder, 0755), 0);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    int result = load_path(folder, &said);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result, -EINVAL);
    assert_non_null(strstr(said.bytes, "cannot read folder"));

    _cleanup_close_ int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(rmdir(folder), 0);
    result = load_path("a.yaml", &said);
    assert_int_equal(fchdir(here), 0);
    assert_int_equal(result, -ENOENT);

    _cleanup_close_ int input = dup(STDIN_FILENO), directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dup2(directory, STDIN_FILENO);
    result = load_path("-", &said);
    dup2(input, STDIN_FILENO);
    assert_int_equal(result, -EINVAL);
    assert_non_null(strstr(said.bytes, "cannot read it"));
}

/* Bounds of what includes and drop-ins bring in. */
static void many_includes(void **state)
{
    (void)state;
    const char *folder = in_scratch("many");
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(mkdir(in_scratch("many/parts"), 0755), 0);
    write_text(in_scratch("many/a.yaml"), "include: parts/*.yaml\n");
    for (int i = 0; i < 1001; i++)
        write_text(arena_printf(seen_arena, "%s/parts/%04d.yaml", folder, i), "x-a: 1\n");
    says(folder, "a.yaml:1:10: includes and drop-ins bring in more than 1000 files or 64 MiB");

    folder = in_scratch("chain");
    assert_int_equal(mkdir(folder, 0755), 0);
    for (int i = 0; i < 18; i++)
        write_text(arena_printf(seen_arena, "%s/%02d.yaml", folder, i),
                   arena_printf(seen_arena, "include: %02d.yaml\n", (i + 1) % 18));
    says(in_scratch("chain/00.yaml"), "16.yaml:1:10: more than 16 files include each other in a row");
    _cleanup_buffer_ struct buffer said = {0};
    assert_int_equal(load_path(folder, &said), 0); /* each is named, none lies deep; the circle is fine */

    _cleanup_buffer_ struct buffer spec = {0};
    buffer_text(&spec, "include: [b.yaml");
    for (int i = 0; i < 10000; i++)
        buffer_text(&spec, ",b.yaml");
    buffer_text(&spec, "]\n");
    folder = in_scratch("edges");
    assert_int_equal(mkdir(folder, 0755), 0);
    write_text(in_scratch("edges/a.yaml"), spec.bytes);
    write_text(in_scratch("edges/b.yaml"), "x-a: 1\n");
    says(in_scratch("edges/a.yaml"), "more than 10000 includes");
}

static void templates_named(void **state)
{
    (void)state;
    const char *path = in_scratch("web@.yaml");
    write_text(path, "containers: {}\n");
    says(path, "it is a template, which is not read by itself");
    path = in_scratch("other@one.yaml");
    assert_int_equal(symlink("web@.yaml", path), 0);
    says(path, "it is a symbolic link");
    path = in_scratch("web@one.yaml");
    assert_int_equal(symlink("web@.yaml", path), 0);
    _cleanup_buffer_ struct buffer said = {0};
    assert_int_equal(load_path(path, &said), 0);
}

/* Whatever would lose data is an error of the file. */
static void volumes_changed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"volumes: { sized: { size: 512MiB } }\n", "a.yaml:1:27: volume sized has 1GiB and cannot shrink to "
                                                   "512MiB\n    hint: write size: 1GiB or more\n"},
        {"volumes: { sized: }\n",
         "a.yaml:1:12: volume sized is of type loop and cannot become one of type dir"},
        {"volumes: { plain: { size: 1GiB } }\n",
         "a.yaml:1:27: volume plain is of type dir and cannot become one of type loop"},
        {"volumes: { plain: { type: btrfs } }\n",
         "a.yaml:1:27: volume plain is of type dir and cannot become one of type btrfs"},
    };
    struct spec_set set;
    struct problems problems = {.arena = seen_arena};
    struct error error = {0};
    const char *path = in_scratch("a.yaml");
    write_text(path, "volumes: { sized: { size: 1GiB }, plain: }\n");
    const struct spec_request request = {.arguments = (const char *const[]){path}, .count = 1};
    assert_int_equal(specs_load(&request, NULL, seen_arena, &set, &problems, &error), 0);
    recorded = &set.objects;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        write_text(path, cases[i].text);
        says(path, cases[i].part);
    }
    _cleanup_buffer_ struct buffer said = {0};
    write_text(path, "volumes: { sized: { size: 2GiB, type: loop }, plain: { type: dir } }\n");
    assert_int_equal(load_path(path, &said), 0);
    recorded = NULL;
}

/* What another source has, by the record: a set's name is no container's, and its members can be waited for. */
static void sets_of_others(void **state)
{
    (void)state;
    struct spec_set set;
    struct problems problems = {.arena = seen_arena};
    struct error error = {0};
    const char *base = "images: { other: { source: \"bootstrap:bookworm\" } }\n",
               *path = in_scratch("b.yaml");
    write_text(path,
               arena_printf(seen_arena,
                            "%scontainers: { web: { image: other, replicas: 2 }, db: { image: other } }\n",
                            base));
    const struct spec_request request = {.arguments = (const char *const[]){path}, .count = 1};
    assert_int_equal(specs_load(&request, NULL, seen_arena, &set, &problems, &error), 0);
    recorded = &set.objects;
    path = in_scratch("a.yaml");
    write_text(path, "containers: { web: { image: other } }\n");
    says(path, "a.yaml:1:15: a set of replicas and a container cannot both be called web: container web-1 (");
    write_text(path, "containers: { db: { image: other, replicas: 2 } }\n");
    says(path, "a.yaml:1:15: a set of replicas and a container cannot both be called db: container db (");
    _cleanup_buffer_ struct buffer said = {0};
    write_text(path, "containers: { one: { image: other, depends_on: [web, web-2, db] } }\n");
    assert_int_equal(load_path(path, &said), 0);
    recorded = NULL;
}

static void source_names(void **state)
{
    (void)state;
    _cleanup_buffer_ struct buffer said = {0};
    const struct spec_request request = {.source_name = "a\nb", .default_directory = "/nonexistent"};
    assert_int_equal(load(&request, &said), -EINVAL);
    assert_string_equal(said.bytes,
                        "--source: expected a name of printable characters, at most 512, found 'a?b'\n");
}

static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"remotes: { store: { url: \"http://example.org/\" } }\n",
         "remote store: nothing vouches for what comes over http://"},
        {"remotes: { store: { url: \"ftp://example.org/\" } }\n",
         "'url': expected an https:// address, such as https://images.example.org, found "
         "'ftp://example.org/'"},
        {"remotes: { store: { url: \"https://example.org/?a=b\" } }\n",
         "'url': expected an https:// address, such as https://images.example.org, found "
         "'https://example.org/?a=b'"},
        {"remotes: { Store: { url: \"https://example.org\" } }\n",
         "'name': expected a name (a-z, 0-9 and '-', at most 31, a letter first, no '-' last), found "
         "'Store'"},
        {"aliases: { \"debian:[\": \"bootstrap:bookworm\" }\n",
         "alias: expected a pattern of names, found 'debian:['"},
        {"aliases: { debian: \"no source\" }\n",
         "alias debian: expected bootstrap:SUITE, file:PATH, "
         "https://ADDRESS, REMOTE:ALIAS, oci:NAME or oci-layout:PATH, found 'no source'"},
        {"remotes: [ store ]\n", "'remotes': expected a mapping, found 'store'"},
        {"remotes: { store: { url: \"https://example.org\", key: RWabc } }\n",
         "'key': expected a public key as minisign and signify print it, such as "
         "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3, found 'RWabc'"},
        {"downloads: { stall: 1ms }\n", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct policy *policy;
        struct problems problems = {.arena = seen_arena};
        const char *path = in_scratch("fpsync.conf");
        write_text(path, cases[i].text);
        assert_false(policy_load(path, seen_arena, &policy, &problems));
        assert_int_equal(problems.count, 1);
        if (cases[i].said)
            assert_string_equal(problems.items[0].message, cases[i].said);
        see(problems.items[0].message);
    }
}

static void explain_errors(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"contaner", "there is no 'contaner' in a spec; did you mean 'container'?"},
        {"xyzzy", "there is no 'xyzzy' in a spec"},
        {"container.limits.memroy", "there is no 'memroy' in container.limits; did you mean 'memory'?"},
        {"container.ports.listen", "there is no 'listen' in container.ports"},
        {"container.restart.always", "container.restart has no fields"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_buffer_ struct buffer out = {0};
        struct error error = {0};
        assert_int_equal(specs_explain(cases[i].path, &out, &error), -ENOENT);
        assert_string_equal(error.text, cases[i].text);
        see(error.text);
    }
}

/* ---- every text was provoked ---- */

static void all_texts_were_provoked(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* owners and modes matter to root only */
    size_t missing = 0, found = 0;
    DIR *folder = opendir("specs");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        /* Of others: test_bad_recipes.c, test_ignore.c, test_image_config.c. */
        if (strstr(entry->d_name, ".c") && strncmp(entry->d_name, "recipe", 6) != 0 &&
            strcmp(entry->d_name, "ignore.c") != 0 && strncmp(entry->d_name, "image_config", 12) != 0)
            missing += check_source(arena_printf(seen_arena, "specs/%s", entry->d_name), &found);
    }
    closedir(folder);
    for (enum field_form form = FORM_PLAIN; form <= FORM_PORT; form++) {
        size_t i = 0;
        while (i < seen.count && !strstr(seen.items[i], form_expectation(form)))
            i++;
        if (i == seen.count) {
            print_error("never provoked: \"expected %s\"\n", form_expectation(form));
            missing++;
        }
    }
    assert_true(found > 70); /* or we look at the wrong sources */
    assert_int_equal(missing, 0);
}

/* ---- the run ---- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int is_case(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && (!dot || strcmp(dot, ".yaml") == 0);
}

int main(void)
{
    seen_arena = arena_new();
    struct dirent **cases;
    int count = scandir(FOLDER, &cases, is_case, alphasort);
    if (count <= 0 || !mkdtemp(scratch)) {
        perror(FOLDER);
        return 1;
    }
    struct CMUnitTest *tests = NULL;
    size_t total = 0;
    for (int i = 0; i < count; i++)
        *arena_append(seen_arena, tests, total) = (struct CMUnitTest){
            .name = cases[i]->d_name, .test_func = golden, .initial_state = cases[i]->d_name};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(odd_files),
        cmocka_unit_test(owners_and_modes),
        cmocka_unit_test(sudo_user_in_a_run_by_hand),
        cmocka_unit_test(large_values),
        cmocka_unit_test(odd_variables),
        cmocka_unit_test(sources_that_cannot_be_read),
        cmocka_unit_test(many_includes),
        cmocka_unit_test(templates_named),
        cmocka_unit_test(volumes_changed),
        cmocka_unit_test(policies),
        cmocka_unit_test(sets_of_others),
        cmocka_unit_test(source_names),
        cmocka_unit_test(explain_errors),
        cmocka_unit_test(all_texts_were_provoked),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        *arena_append(seen_arena, tests, total) = others[i];
    int failed = _cmocka_run_group_tests("bad specs", tests, total, NULL, NULL);
    nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < count; i++)
        free(cases[i]);
    free(cases);
    arena_free(seen_arena);
    return failed;
}
