/* Builds of the fake world: steps by key, and images of them. A command that is `false` or `exit N`, by itself or as a
 * shell's script, ends with that status. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "tests/fake/world.h"

/* What a plan must have seen to, before it asks for a step. */
static int check_place(struct fake *fake, const struct build_place *place, struct error *error)
{
    if (place->image && !fake_find(fake->world, "images", place->image))
        return error_set(error, -ENOENT, "no image %s", place->image);
    for (size_t i = 0; i < place->below.count; i++)
        if (!fake_find(fake->world, "steps", place->below.items[i]))
            return error_set(error, -ENOENT, "no step %s", place->below.items[i]);
    return place->key ? build_check_key(place->key, error) : 0;
}

/* What a root is like: the same things done to the same image come out alike, whatever keys they have. */
static void describe_root(const struct fake *fake, const struct build_place *place, struct buffer *text)
{
    buffer_printf(text, "%s\n", place->image ? place->image : "scratch");
    for (size_t i = 0; i < place->below.count; i++)
        buffer_printf(text, "%s\n", text_in(fake_find(fake->world, "steps", place->below.items[i]), "did"));
}

static void make_step(struct fake *fake, const struct build_place *place, const struct buffer *done)
{
    char did[DIGEST_TEXT_SIZE];
    _cleanup_buffer_ struct buffer text = {0};
    if (fake_find(fake->world, "steps", place->key))
        return;
    describe_root(fake, place, &text);
    buffer_add(&text, done->bytes, done->length);
    digest_of(text.bytes, text.length, did);
    struct json *step = json_set(fake_map(fake->world, "steps"), place->key, json_new_object());
    json_set(step, "bytes", json_new_number(4096));
    json_set(step, "did", json_new_text(did));
    json_set(step, "used", json_new_number(1700000000 + fake_tick(fake->world)));
    json_remove(fake_map(fake->world, "failed"), place->key);
}

static int apply_copy(struct fake *fake, const struct build_copy *request, struct error *error)
{
    _cleanup_buffer_ struct buffer done = {0};
    int result = check_place(fake, request->place, error);
    buffer_printf(&done, "%s %s %s\n", request->target, request->owner ? request->owner : "",
                  request->mode ? request->mode : "");
    for (size_t i = 0; result == 0 && i < request->sources.count; i++) {
        const struct build_source *source = request->sources.items[i];
        const char *content = source->text ? source->text : source->digest;
        buffer_printf(&done, "%s %s\n", source->path ? source->path : "", content ? content : "");
        if (source->text || source->folder)
            continue;
        result = check_place(fake, source->from, error);
        if (result == 0)
            describe_root(fake, source->from, &done);
    }
    if (result < 0)
        return error_wrap(error, result, "%s", request->what);
    make_step(fake, request->place, &done);
    return 0;
}

static int copy(const struct paths *paths, const struct build_copy *request, const struct call *call,
                struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_COPY, request->what, error);
    return result < 0 ? result : fake_end(&fake, apply_copy(&fake, request, error), error);
}

static int apply_folder(struct fake *fake, const struct build_folder *request, struct error *error)
{
    int result = check_place(fake, request->place, error);
    if (result < 0)
        return error_wrap(error, result, "%s", request->what);
    _cleanup_buffer_ struct buffer done = {0};
    buffer_printf(&done, "%s\n", request->path);
    make_step(fake, request->place, &done);
    return 0;
}

static int folder(const struct paths *paths, const struct build_folder *request, const struct call *call,
                  struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_FOLDER, request->what, error);
    return result < 0 ? result : fake_end(&fake, apply_folder(&fake, request, error), error);
}

static long status_of(const struct texts *argv)
{
    const char *last = argv->count ? argv->items[argv->count - 1] : "";
    if (strcmp(last, "false") == 0)
        return 1;
    return strncmp(last, "exit ", 5) == 0 ? strtol(last + 5, NULL, 10) : 0;
}

static int apply_run(struct fake *fake, const struct build_run *request, struct error *error)
{
    const struct call *call = fake->call;
    int result = check_place(fake, request->place, error);
    if (result < 0)
        return error_wrap(error, result, "%s", request->what);
    if (fake_find(fake->world, "steps", request->place->key))
        return 0;
    char *name = build_container_name(fake->paths, call->arena, request->place->key);
    if (!request->definition->lxc_name || strcmp(request->definition->lxc_name, name) != 0)
        fake_violation(fake, "the container of step %s is to be called %s", request->place->key,
                       request->definition->lxc_name ? request->definition->lxc_name : "nothing");
    if (call->progress && request->argv.count)
        call->progress(call->context, request->argv.items[request->argv.count - 1]);
    long status = status_of(&request->argv);
    if (status == 0) {
        _cleanup_buffer_ struct buffer done = {0};
        for (size_t i = 0; i < request->argv.count; i++)
            buffer_printf(&done, "%s\n", request->argv.items[i]);
        for (size_t i = 0; i < request->env.count; i++)
            buffer_printf(&done, "%s=%s\n", request->env.items[i].key, request->env.items[i].value);
        make_step(fake, request->place, &done);
        return 0;
    }
    return error_set(error, -ECHILD, "%s: exit status %ld", request->what, status);
}

/* Beside the world, whose texts are compared: uids in it are not the same twice. */
static void keep_request(const struct paths *paths, const struct build_run *request)
{
    char path[PATH_MAX];
    _cleanup_buffer_ struct buffer run = {0};
    fields_encode(&build_run_table, request, &run);
    snprintf(path, sizeof(path), "%s/fake/run-%s", paths->root, request->place->key);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0)
        bytes_write(fd, run.bytes, run.length);
}

/* A root that is kept is an effect of a call that fails. */
static void keep_failed(const struct paths *paths, const struct build_run *request)
{
    _cleanup_json_ struct json *world = NULL;
    _cleanup_close_ int lock = -1;
    struct error error;
    if (fake_lock(paths->root, &lock, &error) < 0 || fake_load(paths->root, &world, &error) < 0)
        return;
    keep_request(paths, request);
    struct json *failed = json_set(fake_map(world, "failed"), request->place->key, json_new_object());
    json_set(failed, "image", request->place->image ? json_new_text(request->place->image) : json_new_null());
    json_set(failed, "of", request->image ? json_new_text(request->image) : json_new_null());
    json_set(failed, "expires", json_new_number(1700000000 + request->keep / 1000));
    fake_save(paths->root, world, &error);
}

static int run(const struct paths *paths, const struct build_run *request, const struct call *call,
               struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_RUN, request->what, error);
    if (result == 0)
        result = fake_end(&fake, apply_run(&fake, request, error), error);
    if (result == -ECHILD && request->keep)
        keep_failed(paths, request);
    return result;
}

/* A command `false` or `exit N` ends so; others are done. */
static int apply_shell(struct fake *fake, const struct build_shell *request, struct build_shelled *shelled,
                       struct error *error)
{
    const char *key = request->run->place->key;
    int result = check_place(fake, request->run->place, error);
    if (result == 0 && !fake_find(fake->world, "failed", key))
        result = error_set(error, -ENOENT, "its root is not kept any more: build again");
    if (result < 0)
        return error_wrap(error, result, "shell in the root of %s", request->run->what);
    shelled->status = status_of(&request->argv);
    described_whole(&build_shelled_table, shelled);
    return 0;
}

static int shell(const struct paths *paths, const struct build_shell *request, const struct call *call,
                 struct build_shelled *shelled, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_SHELL, request->run->what, error);
    return result < 0 ? result : fake_end(&fake, apply_shell(&fake, request, shelled, error), error);
}

static int apply_commit(struct fake *fake, const struct build_commit *request, struct image_made *made,
                        struct error *error)
{
    struct arena *arena = fake->call->arena;
    const struct build_place *place = request->place;
    int result = check_place(fake, place, error);
    if (result < 0)
        return error_wrap(error, result, "image %s", request->name);
    _cleanup_buffer_ struct buffer content = {0};
    const char *below =
        place->image ? text_in(fake_find(fake->world, "images", place->image), "lower") : NULL;
    describe_root(fake, place, &content);
    buffer_printf(&content, "%s\n", request->config ? request->config : "");
    buffer_text(&content, request->epoch ? request->epoch : "");
    char digest[DIGEST_TEXT_SIZE];
    digest_of(content.bytes, content.length, digest);
    made->digest = arena_strdup(arena, digest);
    made->bytes = 4096;
    made->config = request->config;
    made->origin = request->origin;
    made->lower = below ? arena_strdup(arena, below) : place->image;
    if (fake_find(fake->world, "images", digest))
        return 0;
    struct json *image = json_set(fake_map(fake->world, "images"), digest, json_new_object());
    json_set(image, "bytes", json_new_number(made->bytes));
    json_set(image, "name", json_new_text(request->name));
    const char *system =
        place->image ? text_in(fake_find(fake->world, "images", place->image), "source") : NULL;
    json_set(image, "source",
             json_new_text(system ? system : "build")); /* the system stays that of the base */
    if (made->lower)
        json_set(image, "lower", json_new_text(made->lower));
    return 0;
}

static int commit(const struct paths *paths, const struct build_commit *request, const struct call *call,
                  struct image_made *made, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_COMMIT, request->name, error);
    return result < 0 ? result : fake_end(&fake, apply_commit(&fake, request, made, error), error);
}

static void drop_all(struct fake *fake, const char *map, const struct texts *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        json_remove(fake_map(fake->world, map), keys->items[i]);
}

static int drop(const struct paths *paths, const struct build_drop *request, const struct call *call,
                struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_DROP, "build", error);
    if (result < 0)
        return result;
    drop_all(&fake, "steps", &request->steps);
    drop_all(&fake, "failed", &request->failed);
    drop_all(&fake, "caches", &request->caches);
    drop_all(&fake, "contexts", &request->contexts);
    return fake_end(&fake, 0, error);
}

/* What an archive holds lies in ROOT/archives/NAME, NAME being its own up to the first dot, and after `fake-tool ROOT
 * renew-source SOURCE` in ROOT/archives/NAME.1 and so on. */
static const char *folder_of(const struct fake *fake, const struct image_make *request)
{
    struct arena *arena = fake->call->arena;
    const char *end = strpbrk(request->source, "/:") ? strrchr(request->source, '/') : NULL;
    const char *name = end ? end + 1 : strchr(request->source, ':') + 1;
    const int64_t renewed = number_in(json_get(fake->world, "renewed"), request->source);
    return arena_printf(arena, renewed ? "%s/archives/%.*s.%lld" : "%s/archives/%.*s", fake->paths->root,
                        (int)strcspn(name, "."), name, (long long)renewed);
}

static int digest_archive(const struct fake *fake, const struct image_make *request, char text[static 65],
                          struct error *error)
{
    _cleanup_buffer_ struct buffer content = {0};
    if (*request->source == '/') {
        int result = buffer_read_file(&content, AT_FDCWD, request->source, 1 << 20, error);
        if (result < 0)
            return result;
    } else {
        buffer_printf(&content, "%s %lld", request->source,
                      (long long)number_in(json_get(fake->world, "renewed"), request->source));
    }
    digest_of(content.bytes, content.length, text);
    return 0;
}

static int apply_fetch(struct fake *fake, const struct image_make *request, struct image_made *made,
                       struct error *error)
{
    struct arena *arena = fake->call->arena;
    char digest[DIGEST_TEXT_SIZE];
    int result = digest_archive(fake, request, digest, error);
    if (result == 0 && request->pin && strcmp(request->pin + strlen("sha256:"), digest) != 0)
        result = error_set(error, -EBADMSG, "expected %s, and what came has sha256:%s", request->pin, digest);
    if (result < 0)
        return error_wrap(error, result, "recipe of image %s", request->name);
    if (!fake_find(fake->world, "contexts", digest)) {
        struct json *context = json_set(fake_map(fake->world, "contexts"), digest, json_new_object());
        json_set(context, "folder", json_new_text(folder_of(fake, request)));
        json_set(context, "made", json_new_number(1700000000 + fake_tick(fake->world)));
    }
    made->digest = arena_strdup(arena, digest);
    made->origin = arena_printf(arena, "sha256:%s", digest);
    return 0;
}

static int fetch(const struct paths *paths, const struct image_make *request, const struct call *call,
                 struct image_made *made, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_FETCH, request->name, error);
    return result < 0 ? result : fake_end(&fake, apply_fetch(&fake, request, made, error), error);
}

/* What an address holds is its name; "https://.../missing" holds nothing. */
static int address(const struct paths *paths, const struct build_address *request, const struct call *call,
                   struct build_fetched *fetched, struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_ADDRESS, request->url, error);
    if (result < 0)
        return result;
    char digest[DIGEST_TEXT_SIZE];
    digest_of(request->url, strlen(request->url), digest);
    fetched->digest = arena_strdup(call->arena, digest);
    described_whole(&build_fetched_table, fetched);
    if (strstr(request->url, "/missing"))
        return fake_end(&fake, error_set(error, -ENOENT, "ADD %s: 404", request->url), error);
    if (request->digest && strcmp(request->digest, digest) != 0)
        return fake_end(&fake, error_set(error, -EBADMSG, "ADD %s: another digest", request->url), error);
    return fake_end(&fake, 0, error);
}

static int serve(const struct paths *paths, const struct build_serve *request, const struct call *call,
                 struct error *error)
{
    struct fake fake;
    int result = fake_begin(&fake, paths, call, STEP_BUILD_SERVE, "build", error);
    if (result < 0)
        return result;
    struct json *steps = fake_map(fake.world, "steps");
    for (size_t i = 0; i < request->made.count; i++) {
        const struct json *made = json_get(steps, request->made.items[i]);
        if (!made)
            continue;
        json_set(steps, request->cached.items[i], json_clone(made));
        json_remove(steps, request->made.items[i]);
    }
    return fake_end(&fake, 0, error);
}

const struct build_effects build_effects = {.copy = copy,
                                            .folder = folder,
                                            .run = run,
                                            .shell = shell,
                                            .commit = commit,
                                            .drop = drop,
                                            .fetch = fetch,
                                            .address = address,
                                            .serve = serve};
