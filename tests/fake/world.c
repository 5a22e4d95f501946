#include "tests/fake/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/units.h"
#include "tests/fake/seen.h"

struct fault {
    int64_t number; /* 0: none */
    bool and_later, after;
    int code;
};

static struct fault fault_of(const char *variable);
static bool is_due(const struct fault *fault, int64_t number, bool after);
static pid_t parent_to_kill(void);
static int hang(const struct fake *fake, struct error *error);
static void die(struct fake *fake) __attribute__((noreturn));
static int release(struct fake *fake, int result);
static int save_seen(const char *root, struct json *world, struct error *error);

/* ---- a world that stays in memory ---- */

static struct kept { /* of the one worker of a run with FPSYNC_FAKE_KEEP */
    struct json *world;
    char root[PATH_MAX];
} kept;

static void save_kept(void)
{
    struct error error;
    if (fake_save(kept.root, kept.world, &error) < 0 || save_seen(kept.root, kept.world, &error) < 0)
        fprintf(stderr, "%s\n", error.text);
    json_free(TAKE_PTR(kept.world));
}

static int begin_kept(struct fake *fake, const char *root, struct error *error)
{
    if (!kept.world) {
        int result = fake_lock(root, &fake->lock, error); /* held until we end */
        if (result == 0)
            result = fake_load(root, &kept.world, error);
        if (result < 0)
            return release(fake, result);
        snprintf(kept.root, sizeof(kept.root), "%s", root);
        atexit(save_kept);
    }
    fake->world = kept.world;
    return 0;
}

/* ---- calls ---- */

static void log_call(const char *root, const char *step, const char *object)
{
    _cleanup_buffer_ struct buffer line = {0};
    buffer_printf(&line, "%s %s\n", step, object);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake/calls", root);
    _cleanup_close_ int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || write(log, line.bytes, line.length) != (ssize_t)line.length)
        perror(path);
}

static int fail_call(const struct fake *fake, const struct fault *fault, struct error *error)
{
    return error_errno(error, fault->code, "%s %s: told to fail %s (call %lld)", fake->step, fake->object,
                       fault->after ? "after its effect" : "without effect", (long long)fake->number);
}

int fake_begin(struct fake *fake, const struct paths *paths, const struct call *call, enum step_kind kind,
               const char *object, struct error *error)
{
    *fake = (struct fake){
        .paths = paths, .call = call, .lock = -1, .step = step_type(kind)->name, .object = object};
    if (getenv("FPSYNC_FAKE_KEEP"))
        return begin_kept(fake, paths->root, error);
    int result = fake_lock(paths->root, &fake->lock, error);
    if (result == 0)
        result = fake_load(paths->root, &fake->world, error);
    if (result < 0)
        return release(fake, result);
    fake->number = number_in(fake->world, "calls") + 1;
    json_set(fake->world, "calls", json_new_number(fake->number));
    log_call(paths->root, fake->step, object);
    struct buffer text = {0};
    json_print(fake->world, true, &text);
    fake->before = text.bytes;
    const struct fault failure = fault_of("FPSYNC_FAKE_FAIL"), death = fault_of("FPSYNC_FAKE_DIE"),
                       stall = fault_of("FPSYNC_FAKE_HANG"), interruption = fault_of("FPSYNC_FAKE_INTERRUPT");
    bool fails = is_due(&failure, fake->number, false), dies = is_due(&death, fake->number, false),
         hangs = is_due(&stall, fake->number, false);
    if (is_due(&interruption, fake->number, false) && parent_to_kill() > 0)
        kill(parent_to_kill(), SIGINT);
    if (!fails && !dies && !hangs)
        return 0;
    result = fake_save(paths->root, fake->world, error);
    if (result < 0)
        return release(fake, result);
    if (dies)
        die(fake);
    if (fails)
        return release(fake, fail_call(fake, &failure, error));
    release(fake, 0); /* the lock must not wait with us */
    return hang(fake, error);
}

int fake_end(struct fake *fake, int result, struct error *error)
{
    if (kept.world)
        return result;
    if (result < 0) { /* the counted call stays */
        struct error ignored;
        json_free(TAKE_PTR(fake->world));
        if (json_parse(fake->before, strlen(fake->before), &fake->world, &ignored) == 0)
            fake_save(fake->paths->root, fake->world, &ignored);
        return release(fake, result);
    }
    _cleanup_buffer_ struct buffer after = {0};
    json_print(fake->world, true, &after);
    if (strcmp(after.bytes, fake->before) != 0)
        json_set(fake->world, "mutations", json_new_number(number_in(fake->world, "mutations") + 1));
    result = fake_save(fake->paths->root, fake->world, error);
    if (result < 0)
        return release(fake, result);
    const struct fault failure = fault_of("FPSYNC_FAKE_FAIL"), death = fault_of("FPSYNC_FAKE_DIE");
    if (is_due(&death, fake->number, true))
        die(fake);
    if (is_due(&failure, fake->number, true))
        result = fail_call(fake, &failure, error);
    return release(fake, result);
}

static int release(struct fake *fake, int result)
{
    if (fake->lock >= 0)
        close(TAKE_FD(fake->lock));
    json_free(TAKE_PTR(fake->world));
    free(TAKE_PTR(fake->before));
    return result;
}

void fake_violation(struct fake *fake, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_append(json_get(fake->world, "violations"), json_new_text(text));
}

void fake_trace(const char *name)
{
    const char *path = getenv("FPSYNC_FAKE_TRACE");
    if (!path)
        return;
    char line[128];
    int length = snprintf(line, sizeof(line), "%s\n", name);
    _cleanup_close_ int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || write(log, line, (size_t)length) != length)
        perror(path);
}

/* ---- faults ---- */

static int errno_of(const char *name)
{
    for (int code = 1; code < 134; code++) {
        const char *known = strerrorname_np(code);
        if (known && strcmp(known, name) == 0)
            return code;
    }
    return 0;
}

/* A test that misspells its fault must not pass as one without: an odd value ends the program. */
static struct fault fault_of(const char *variable)
{
    struct fault fault = {.code = -EIO};
    const char *value = getenv(variable);
    if (!value || !*value)
        return fault;
    char text[64], *rest = NULL;
    snprintf(text, sizeof(text), "%s", value);
    char *word = strtok_r(text, ":", &rest);
    size_t length = word ? strlen(word) : 0;
    if (length && word[length - 1] == '+') {
        fault.and_later = true;
        word[length - 1] = '\0';
    }
    bool legal = word && number_parse(word, &fault.number) == 0 && fault.number > 0;
    while (legal && (word = strtok_r(NULL, ":", &rest))) {
        if (strcmp(word, "after") == 0)
            fault.after = true;
        else
            legal = (fault.code = -errno_of(word)) != 0;
    }
    if (!legal) {
        fprintf(stderr, "%s=%s is no fault\n", variable, value);
        abort();
    }
    return fault;
}

static bool is_due(const struct fault *fault, int64_t number, bool after)
{
    return fault->number && fault->after == after &&
           (fault->and_later ? number >= fault->number : number == fault->number);
}

static int hang(const struct fake *fake, struct error *error)
{
    struct pollfd cancel = {.fd = fake->call->cancel, .events = POLLIN};
    int ended;
    while ((ended = call_check(fake->call)) == 0)
        poll(&cancel, 1, call_time_left(fake->call));
    return error_errno(error, ended, "%s %s", fake->step, fake->object);
}

/* The program that started us, if it is ours. */
static pid_t parent_to_kill(void)
{
    char link[64], program[PATH_MAX];
    pid_t parent = getppid();
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)parent);
    ssize_t length = readlink(link, program, sizeof(program) - 1);
    if (length <= 0)
        return 0;
    program[length] = '\0';
    const char *name = strrchr(program, '/');
    return name && strncmp(name + 1, "fpsync", 6) == 0 ? parent : 0;
}

static void die(struct fake *fake)
{
    (void)fake;
    pid_t parent = parent_to_kill();
    if (parent > 0)
        kill(parent, SIGKILL);
    _exit(1);
}

/* ---- file ---- */

static void complete(struct json *world)
{
    static const char *const maps[] = {
        "containers", "bridges",   "foreign", "ports",  "resolvers", "images",  "layers",    "volumes",
        "roots",      "leftovers", "steps",   "failed", "caches",    "exports", "published", "contexts"};
    static const char *const arrays[] = {"listeners", "claims", "ids", "routes", "violations"};
    static const char *const numbers[] = {"calls", "mutations", "clock"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (!json_get(world, numbers[i]))
            json_set(world, numbers[i], json_new_number(0));
    if (!json_get(world, "next_pid"))
        json_set(world, "next_pid", json_new_number(FAKE_FIRST_PID));
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        if (!json_holds_object(json_get(world, maps[i])))
            json_set(world, maps[i], json_new_object());
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        if (!json_holds_array(json_get(world, arrays[i])))
            json_set(world, arrays[i], json_new_array());
    if (!json_get(world, "rules"))
        json_set(world, "rules", json_new_null());
}

int fake_load(const char *root, struct json **world, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake/world.json", root);
    _cleanup_buffer_ struct buffer text = {0};
    struct json *loaded = NULL;
    int result = buffer_read_file(&text, AT_FDCWD, path, FAKE_WORLD_LIMIT, error);
    if (result == -ENOENT)
        loaded = json_new_object();
    else if (result < 0)
        return result;
    else if ((result = json_parse(text.bytes, text.length, &loaded, error)) < 0)
        return error_wrap(error, result, "%s", path);
    complete(loaded);
    *world = loaded;
    return 0;
}

static int write_world(const char *root, const struct json *world, struct error *error)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake/world.json", root);
    snprintf(temporary, sizeof(temporary), "%s/fake/world.tmp", root);
    _cleanup_buffer_ struct buffer text = {0};
    json_print(world, true, &text);
    buffer_text(&text, "\n");
    _cleanup_close_ int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text.bytes, text.length) != (ssize_t)text.length || rename(temporary, path) < 0)
        return error_errno(error, -errno, "cannot write %s", path);
    return 0;
}

int fake_save(const char *root, struct json *world, struct error *error)
{
    char digest[65];
    const struct json *containers = fake_map(world, "containers");
    for (void *i = json_first(containers); i; i = json_next(containers, i))
        if (json_as_bool(json_get(json_value(i), "defined"))) {
            fake_config_digest(json_value(i), digest);
            json_set(json_value(i), "config_digest", json_new_text(digest));
        }
    return write_world(root, world, error);
}

/* Takes out of the world what no view looks at. */
static int save_seen(const char *root, struct json *world, struct error *error)
{
    struct json *containers = fake_map(world, "containers"), *roots = fake_map(world, "roots");
    for (void *i = json_first(containers); i; i = json_next(containers, i)) {
        const struct json *definition = json_get(json_value(i), "definition");
        if (!definition)
            continue;
        struct json *brief = json_new_object();
        json_set(brief, "uid", json_new_text(text_in(definition, "uid")));
        json_set(brief, "generation", json_new_number(number_in(definition, "generation")));
        json_set(json_value(i), "definition", brief);
    }
    for (void *i = json_first(roots); i; i = json_next(roots, i))
        json_remove(json_value(i), "files");
    char path[PATH_MAX + sizeof("/fake/world.seen")];
    _cleanup_buffer_ struct buffer text = {0};
    snprintf(path, sizeof(path), "%s/fake/world.seen", root);
    json_print(world, false, &text);
    return seen_write(path, text.bytes, text.length, error);
}

int fake_lock(const char *root, int *lock, struct error *error)
{
    if (strcmp(root, "/") == 0)
        return error_set(error, -EINVAL, "the fakes work below a root of their own only");
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/fake", root);
    for (char *slash = path + 1;; slash++) {
        char was = *slash;
        if (was && was != '/')
            continue;
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return error_errno(error, -errno, "cannot make %s", path);
        *slash = was;
        if (!was)
            break;
    }
    strcat(path, "/lock");
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "cannot lock %s", path);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open %s", path);
    *lock = TAKE_FD(fd);
    return 0;
}

/* ---- contents ---- */

struct json *fake_map(const struct json *world, const char *name)
{
    return json_get(world, name);
}

struct json *fake_find(const struct json *world, const char *map, const char *name)
{
    return json_get(json_get(world, map), name);
}

const char *text_in(const struct json *object, const char *key)
{
    return json_as_text(json_get(object, key));
}

int64_t number_in(const struct json *object, const char *key)
{
    return json_as_number(json_get(object, key), 0);
}

static int64_t advance(struct json *world, const char *counter)
{
    int64_t value = number_in(world, counter);
    json_set(world, counter, json_new_number(value + 1));
    return value;
}

int64_t fake_tick(struct json *world)
{
    return advance(world, "clock");
}

int64_t fake_pid(struct json *world)
{
    return advance(world, "next_pid");
}

void fake_end_container(struct json *world, struct json *container)
{
    const struct json *nics = json_get(container, "guest_nics");
    for (void *i = json_first(nics); i; i = json_next(nics, i))
        if (text_in(json_value(i), "peer"))
            json_remove(fake_map(world, "ports"), text_in(json_value(i), "peer"));
    static const char *const gone[] = {"monitor_pid",  "init_pid",    "init_start",  "cgroup", "guest_nics",
                                       "guest_mounts", "guest_binds", "guest_layer", "silent", "frozen"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        json_remove(container, gone[i]);
    json_set(container, "running", json_new_bool(false));
}

struct json *fake_by_init(const struct json *world, int64_t init_pid)
{
    const struct json *containers = fake_map(world, "containers");
    for (void *i = json_first(containers); i; i = json_next(containers, i))
        if (json_as_bool(json_get(json_value(i), "running")) &&
            number_in(json_value(i), "init_pid") == init_pid)
            return json_value(i);
    return NULL;
}

void fake_config_digest(const struct json *container, char text[static 65])
{
    _cleanup_buffer_ struct buffer config = {0};
    json_print(json_get(container, "definition"), false, &config);
    const char *edit = text_in(container, "edit"); /* by another hand, see fake-tool */
    if (edit)
        buffer_text(&config, edit);
    digest_of(config.bytes, config.length, text);
}
