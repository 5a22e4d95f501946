/* Random legal specs on the fakes, and what must hold for each:
 *
 *   applied, the plan is empty                  so is it with every default written out, and with all in another order
 *   what export prints of it, applied, changes nothing
 *   after a random edit, apply does what plan said, and the plan is empty again
 *   after the last line is gone and gc ran, nothing is left
 *
 *   property FIRST-SEED [COUNT]
 *
 * A seed that fails is printed with its spec. `make test` runs a fixed number; a row that none of them said with effect
 * is a failure, too, so that the generator keeps up with the tables. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "specs/policy.h"
#include "specs/specs.h"
#include "tests/property/generate.h"

#define ENOUGH_SEEDS 100 /* that say every row */
#define OUTPUT_LIMIT ((size_t)16 << 20)

static const char *fpsync, *tool;
static struct map said; /* "table.key" of rows that were applied */

struct trial {
    struct arena *arena;
    const char *root, *file;
    struct spec spec;
    const char *trouble; /* NULL: none yet */
};

/* ---- running ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0644) < 0) {
        perror(path);
        exit(1);
    }
}

static char *in_root(const struct trial *trial, const char *name)
{
    return arena_printf(trial->arena, "%s/%s", trial->root, name);
}

/* The exit status; what it said, errors behind the rest, lies in `out`. */
static int run(struct trial *trial, struct buffer *out, const char *program, ...)
{
    const char *arguments[32] = {program}, *log = in_root(trial, "log");
    size_t count = 1;
    va_list more;
    va_start(more, program);
    while ((arguments[count] = va_arg(more, const char *)))
        count++;
    va_end(more);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execv(program, (char *const *)arguments);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    buffer_clear(out);
    buffer_read_file(out, AT_FDCWD, log, OUTPUT_LIMIT, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int ours(struct trial *trial, struct buffer *out, const char *command, const char *more)
{
    /* In the environment, for not every command takes them. */
    setenv("FPSYNC_FILE", trial->file, 1);
    setenv("FPSYNC_ALLOW_MASS_DELETE", "1", 1);
    return run(trial, out, fpsync, "--root", trial->root, "-y", "--parallel", "2", "-o", "json", command,
               more, NULL);
}

static bool failed(struct trial *trial, const char *what, const struct buffer *out)
{
    trial->trouble = arena_printf(trial->arena, "%s\n%s", what, out && out->bytes ? out->bytes : "");
    return false;
}

/* ---- legal specs ---- */

static int load(struct trial *trial, struct problems *problems)
{
    const char *const arguments[] = {trial->file};
    const struct spec_request request = {.arguments = arguments, .count = 1, .default_directory = "/"};
    struct spec_set set;
    struct error error = {0};
    *problems = (struct problems){.arena = trial->arena};
    return specs_load(&request, NULL, trial->arena, &set, problems, &error);
}

/* Writes the spec, and takes out line after line what the loader refuses. */
static bool write_legal(struct trial *trial, struct spec *spec)
{
    for (int rounds = 0; rounds < 200; rounds++) {
        _cleanup_buffer_ struct buffer text = {0};
        struct problems problems;
        spec_print(spec, &text);
        write_file(trial->file, text.bytes);
        if (load(trial, &problems) == 0)
            return true;
        if (!problems.count || !spec_drop_line(spec, problems.items[problems.count - 1].place.line)) {
            _cleanup_buffer_ struct buffer said_of_it = {0};
            if (problems.count)
                problem_print(&problems.items[problems.count - 1], &said_of_it);
            return failed(trial, "cannot be made legal", &said_of_it);
        }
    }
    return failed(trial, "cannot be made legal", NULL);
}

static void note_said(const struct part *whole, const char *table)
{
    char key[128];
    for (size_t i = 0; i < whole->count; i++) {
        const struct part *part = &whole->parts[i];
        snprintf(key, sizeof(key), "%s.%s", table, part->row->key);
        map_add(&said, key, (void *)part->row);
        if (part->row->type == FIELD_STRUCT)
            note_said(part, part->row->nested->name);
        for (size_t j = 0; part->row->type == FIELD_LIST && j < part->count; j++)
            for (size_t k = 0; k < part->row->nested->count; k++) {
                const struct field *row = &part->row->nested->rows[k];
                snprintf(key, sizeof(key), " %s:", row->key);
                if (!strstr(part->parts[j].text, key))
                    continue;
                snprintf(key, sizeof(key), "%s.%s", part->row->nested->name, row->key);
                map_add(&said, key, (void *)row);
            }
    }
}

/* ---- plans ---- */

/* "VERB kind/name" of each action, a line each; with outcomes where there are any. False for what is no plan. What an apply
 * went on with once images were made was not planned before, and is not named; that it was done is looked at all the same. */
static bool actions_of(const struct buffer *out, bool with_outcome, struct buffer *list)
{
    struct json *plan = NULL;
    struct error error;
    const char *start = out->bytes ? strchr(out->bytes, '{') : NULL,
               *end = start ? strstr(start, "\n}") : NULL;
    if (!end || json_parse(start, (size_t)(end + 2 - start), &plan, &error) < 0)
        return false;
    const struct json *actions = json_get(plan, "actions");
    for (size_t i = 0; i < json_length(actions); i++) {
        const struct json *action = json_at(actions, i);
        if (!json_as_bool(json_get(action, "expanded")))
            buffer_printf(list, "%s\n", json_as_text(json_get(action, "id")));
        const char *outcome = json_as_text(json_get(action, "outcome"));
        if (with_outcome && strcmp(outcome ? outcome : "none", "done") != 0)
            buffer_printf(list, "  %s: %s\n", outcome, json_as_text(json_get(action, "message")));
    }
    json_free(plan);
    return true;
}

static bool plan_is_empty(struct trial *trial, const char *when)
{
    _cleanup_buffer_ struct buffer out = {0}, list = {0};
    int code = ours(trial, &out, "plan", NULL);
    if ((code == 0 || code == 2) && actions_of(&out, false, &list) && !list.length)
        return true;
    return failed(trial, arena_printf(trial->arena, "plan %s ends with %d and is not empty", when, code),
                  &out);
}

/* Plans and applies: both name the same actions, and all are done. -1: the change is refused. */
static int plan_and_apply(struct trial *trial, const char *when)
{
    _cleanup_buffer_ struct buffer out = {0}, planned = {0}, applied = {0};
    int code = ours(trial, &out, "plan", NULL);
    if (code == 6 || code == 4)
        return -1;
    if ((code != 0 && code != 2) || !actions_of(&out, false, &planned))
        return failed(trial, arena_printf(trial->arena, "plan %s ends with %d", when, code), &out);
    code = ours(trial, &out, "apply", NULL); /* 3: something is held */
    if ((code != 0 && code != 3) || !actions_of(&out, true, &applied))
        return failed(trial, arena_printf(trial->arena, "apply %s ends with %d", when, code), &out);
    if (strcmp(planned.bytes ? planned.bytes : "", applied.bytes ? applied.bytes : "") == 0)
        return true;
    _cleanup_buffer_ struct buffer both = {0};
    buffer_printf(&both, "planned:\n%sapplied:\n%s", planned.bytes ? planned.bytes : "",
                  applied.bytes ? applied.bytes : "");
    return failed(trial, arena_printf(trial->arena, "apply %s does not do what was planned", when), &both);
}

/* ---- properties ---- */

static bool says_the_same(struct trial *trial, void (*change)(struct spec *), const char *when)
{
    struct spec other = spec_copy(&trial->spec);
    change(&other);
    return write_legal(trial, &other) && plan_is_empty(trial, when);
}

/* Values that must not be shown are in no export: a set with such is applied by its own file only. */
static bool has_hidden_values(const struct trial *trial)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_read_file(&text, AT_FDCWD, trial->file, OUTPUT_LIMIT, NULL);
    return strstr(text.bytes, "_TOKEN") != NULL;
}

static bool export_says_the_same(struct trial *trial)
{
    _cleanup_buffer_ struct buffer out = {0};
    if (has_hidden_values(trial) || ours(trial, &out, "plan", NULL) != 0)
        return true; /* what is held is not what runs */
    int code = run(trial, &out, fpsync, "--root", trial->root, "export", NULL);
    if (code != 0)
        return failed(trial, arena_printf(trial->arena, "export ends with %d", code), &out);
    write_file(trial->file, out.bytes);
    return plan_is_empty(trial, "of what export wrote");
}

static bool apply_edit(struct trial *trial)
{
    struct spec other = spec_copy(&trial->spec);
    spec_edit(&other);
    trial->spec.random = other.random;
    if (!write_legal(trial, &other))
        return false;
    int result = plan_and_apply(trial, "after an edit");
    if (result >= 0)
        trial->spec = other;
    if (result < 0) { /* the set from before stays in force */
        write_legal(trial, &trial->spec);
        return plan_is_empty(trial, "after a refused edit");
    }
    return result && plan_is_empty(trial, "after an edit");
}

/* Names of what is in one of these maps of the fake world. */
static void left_in(const struct json *world, const char *const *maps, struct buffer *left)
{
    for (; *maps; maps++) {
        const struct json *map = json_get(world, *maps);
        for (void *i = json_holds_object(map) ? json_first(map) : NULL; i; i = json_next(map, i))
            buffer_printf(left, "%s: %s\n", *maps, json_key(i));
    }
}

/* NULL after trouble; the caller frees it. */
static struct json *read_world(struct trial *trial)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct json *world = NULL;
    struct error error;
    if (run(trial, &out, tool, trial->root, "print", NULL) != 0 ||
        json_parse(out.bytes, out.length, &world, &error) < 0)
        failed(trial, "the fake world cannot be read", &out);
    return world;
}

static bool nothing_is_left(struct trial *trial, const char *when, const char *const *maps)
{
    _cleanup_buffer_ struct buffer left = {0};
    struct json *world = read_world(trial);
    if (!world)
        return false;
    left_in(world, maps, &left);
    const struct json *broken = json_get(world, "violations");
    for (size_t i = 0; i < json_length(broken); i++)
        buffer_printf(&left, "broken promise: %s\n", json_as_text(json_at(broken, i)));
    json_free(world);
    return !left.length || failed(trial, arena_printf(trial->arena, "%s something is left", when), &left);
}

/* What gc leaves has to be there to be kept, and gc says so when it is named. */
static bool rest_is_kept(struct trial *trial, const char *kind, const char *map, size_t *kept)
{
    _cleanup_buffer_ struct buffer out = {0};
    struct json *world = read_world(trial);
    const struct json *left = json_get(world, map);
    for (void *i = left ? json_first(left) : NULL; i; i = json_next(left, i), ++*kept) {
        const char *name = arena_printf(trial->arena, "%s/p/%s", kind, json_key(i) + strlen("p_"));
        if (ours(trial, &out, "gc", name) != 1 || !strstr(out.bytes, "retain: keep"))
            failed(trial, arena_printf(trial->arena, "after gc there is %s still", name), &out);
    }
    json_free(world);
    return !trial->trouble;
}

static bool remove_all(struct trial *trial)
{
    static const char *const live[] = {"containers", "bridges", "ports", "resolvers", "roots", NULL},
                             *const data[] = {"layers", "volumes", "images", NULL};
    _cleanup_buffer_ struct buffer out = {0};
    struct spec nothing = {.arena = trial->arena};
    trial->spec = nothing;
    if (!write_legal(trial, &nothing) || plan_and_apply(trial, "of nothing") != true ||
        !plan_is_empty(trial, "of nothing") || !nothing_is_left(trial, "after apply of nothing", live))
        return false;
    int code = ours(trial, &out, "gc", "--force");
    if (code != 0)
        return failed(trial, arena_printf(trial->arena, "gc ends with %d", code), &out);
    size_t kept = 0;
    if (!rest_is_kept(trial, "layer", "layers", &kept) || !rest_is_kept(trial, "volume", "volumes", &kept))
        return false;
    return kept || nothing_is_left(trial, "after gc", data);
}

static bool all_hold(struct trial *trial)
{
    spec_generate(&trial->spec);
    if (!write_legal(trial, &trial->spec))
        return false;
    if (plan_and_apply(trial, "of a new set") != true)
        return trial->trouble ? false : failed(trial, "a new set is refused", NULL);
    for (size_t i = 0; i < trial->spec.count; i++)
        note_said(&trial->spec.bodies[i].whole, kind_table(trial->spec.bodies[i].kind)->name);
    if (!plan_is_empty(trial, "after apply") ||
        !says_the_same(trial, spec_say_defaults, "with defaults written out") ||
        !says_the_same(trial, spec_shuffle, "in another order") || !export_says_the_same(trial))
        return false;
    for (int edits = 0; edits < 3; edits++)
        if (!apply_edit(trial))
            return false;
    return remove_all(trial);
}

/* ---- trials ---- */

static void permit_all(const struct trial *trial)
{
    const struct field *allow = field_by_key(&policy_table, "allow");
    _cleanup_buffer_ struct buffer text = {0};
    buffer_text(&text, "allow:\n");
    for (const struct field *row = allow->nested->rows; row < allow->nested->rows + allow->nested->count;
         row++)
        buffer_printf(&text, "  %s: %s\n", row->key, row->type == FIELD_BOOL ? "true" : row->example);
    mkdir(in_root(trial, "etc"), 0755);
    mkdir(in_root(trial, "etc/fpsync"), 0755);
    write_file(in_root(trial, "etc/fpsync/fpsync.conf"), text.bytes);
}

/* What `build` of generated images finds in its folder, under each name that they may say. */
static void make_context(const struct trial *trial)
{
    static const char recipe[] = "FROM i0 AS runtime\nARG VAR0\nRUN echo $VAR0 >/said\n"
                                 "FROM runtime\nENV SITE=built\nCOPY Recipe /recipe\n";
    mkdir(in_root(trial, "wordpress"), 0755);
    write_file(in_root(trial, "wordpress/Recipe"), recipe);
    write_file(in_root(trial, "wordpress/Recipe.test"), recipe);
    /* And in its archive, whose digest is that of the row's example. */
    write_file(in_root(trial, "app.tar"), "test");
    mkdir(in_root(trial, "archives"), 0755);
    mkdir(in_root(trial, "archives/app"), 0755);
    write_file(in_root(trial, "archives/app/Recipe"), recipe);
    write_file(in_root(trial, "archives/app/Recipe.test"), recipe);
}

static void print_quoted(const char *text)
{
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        printf("#   %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_failure(const struct trial *trial)
{
    _cleanup_buffer_ struct buffer text = {0};
    print_quoted(trial->trouble);
    buffer_read_file(&text, AT_FDCWD, trial->file, OUTPUT_LIMIT, NULL);
    printf("# with this spec, below %s:\n", trial->root);
    print_quoted(text.bytes);
}

static bool try_seed(uint64_t seed, const char *work)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct trial trial = {.arena = arena, .root = arena_printf(arena, "%s/%" PRIu64, work, seed)};
    trial.file = in_root(&trial, "spec.yaml");
    trial.spec = (struct spec){.arena = arena, .random = seed * 0x9e3779b97f4a7c15u + 1};
    mkdir(trial.root, 0755);
    permit_all(&trial);
    make_context(&trial);
    _cleanup_buffer_ struct buffer out = {0};
    bool held =
        run(&trial, &out, tool, trial.root, "plug", "usb", "1a86:7523", "/dev/bus/usb/001/002", NULL) == 0 &&
        run(&trial, &out, tool, trial.root, "plug", "gpu", "all", "/dev/dri/card0", NULL) == 0 &&
        all_hold(&trial);
    if (!held)
        print_failure(&trial);
    if (held)
        run(&trial, &out, "/bin/rm", "-rf", trial.root, NULL);
    return held;
}

/* Only what export wrote of a container that fpsync did not make says these. */
static const char *const of_the_adopted[] = {"container.lxc_name", "container.includes", "container.apparmor",
                                             NULL};

static bool is_of_the_adopted(const char *key)
{
    for (const char *const *known = of_the_adopted; *known; known++)
        if (strcmp(*known, key) == 0)
            return true;
    return false;
}

static size_t count_silent(const struct table *table)
{
    size_t silent = 0;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        char key[128];
        snprintf(key, sizeof(key), "%s.%s", table->name, row->key);
        if (!(row->flags & FIELD_DERIVED) && !is_of_the_adopted(key) && !map_get(&said, key)) {
            printf("# %s was never said: give its form a generator in tests/property/generate.c\n", key);
            silent++;
        }
        if (row->nested)
            silent += count_silent(row->nested);
    }
    return silent;
}

int main(int argc, char **argv)
{
    const char *build = getenv("FPSYNC_BUILD");
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    char work[] = "/dev/shm/fpp-XXXXXX", path[PATH_MAX], tool_path[PATH_MAX];
    if (!build || !mkdtemp(work)) {
        fputs("usage: FPSYNC_BUILD=... property FIRST-SEED [COUNT]\n", stderr);
        return 1;
    }
    snprintf(path, sizeof(path), "%s/fpsync-fake", build);
    snprintf(tool_path, sizeof(tool_path), "%s/fake-tool", build);
    fpsync = path;
    tool = tool_path;
    uint64_t number = 0;
    size_t bad = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        bool held = try_seed(seed, work);
        bad += !held;
        printf("%sok %" PRIu64 " - seed %" PRIu64 "\n", held ? "" : "not ", ++number, seed);
    }
    if (count >= ENOUGH_SEEDS) {
        size_t silent = 0;
        for (enum kind kind = 0; kind < KIND_COUNT; kind++)
            silent += count_silent(kind_table(kind));
        bad += silent > 0;
        printf("%sok %" PRIu64 " - every row of the tables was said\n", silent ? "not " : "", ++number);
    }
    printf("1..%" PRIu64 "\n", number);
    map_clear(&said);
    rmdir(work); /* what failed stays to be looked at */
    return bad > 0;
}
