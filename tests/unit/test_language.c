/* What brings files together: includes, drop-ins, templates and defaults; whose project, place and value is meant. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/specs.h"

static struct arena *arena;
static char *folder;
static struct problems problems;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    folder = arena_strdup(arena, "/tmp/fpsync-language-XXXXXX");
    return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(arena);
    return 0;
}

/* Folders on the way are made. */
static const char *put(const char *name, const char *text)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        mkdir(arena_strndup(arena, path, (size_t)(slash - path)), 0755);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0644);
    return path;
}

static struct spec_set load(const char *path)
{
    const struct spec_request request = {.arguments = &path, .count = 1, .default_directory = "/nonexistent"};
    struct error error = {0};
    struct spec_set set = {0};
    problems = (struct problems){.arena = arena};
    if (specs_load(&request, NULL, arena, &set, &problems, &error) < 0 && problems.count)
        fail_msg("%s:%u: %s", problems.items[0].place.file, problems.items[0].place.line,
                 problems.items[0].message);
    return set;
}

static const struct object *object_of(const struct spec_set *set, enum kind kind, const char *name)
{
    const struct object *object = object_find(&set->objects, kind, name);
    if (!object)
        fail_msg("there is no %s %s", kind_name(kind), name);
    return object;
}

static const struct container *container_of(const struct spec_set *set, const char *name)
{
    return object_of(set, KIND_CONTAINER, name)->body;
}

static size_t declared(const struct spec_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->objects.count; i++)
        count += !set->objects.items[i]->implicit;
    return count;
}

static void stands_at(struct place place, const char *file, unsigned line)
{
    assert_string_equal(place.file + strlen(folder) + 1, file);
    assert_int_equal(place.line, line);
}

/* ---- includes ---- */

static void includes(void **state)
{
    (void)state;
    put("a.yaml",
        "project: shop\nimages: { base: { source: \"file:root\" } }\ninclude: [parts/*.yaml, none/*.yaml]\n");
    put("parts/1.yaml", "include: [\"../a.yaml\", 2.yaml]\nimages: { near: { source: \"file:root\" } }\n");
    put("parts/2.yaml", "containers: { web: { image: base } }\n---\nproject: other\nvolumes: { data: {} }\n");
    put("parts/notes", "no YAML: [");
    put("parts/.hidden.yaml", "no YAML: [");
    const char *path = arena_printf(arena, "%s/a.yaml", folder);
    struct spec_set set = load(path);
    assert_int_equal(declared(&set), 4);
    const struct object *web = object_of(&set, KIND_CONTAINER, "shop/web");
    assert_string_equal(web->source, path);
    stands_at(web->place, "parts/2.yaml", 1);
    object_of(&set, KIND_VOLUME, "other/data");
    const struct image *near = object_of(&set, KIND_IMAGE, "shop/near")->body;
    assert_string_equal(near->source, arena_printf(arena, "file:%s/parts/root", folder));

    /* Of a folder that is a source, too: a file that another one includes is in that one's project, whatever the order. */
    put("a.yaml", "project: shop\nimages: { base: { source: \"file:root\" } }\ninclude: \"0*.yaml\"\n");
    put("00.yaml", "containers: { web: { image: base } }\n");
    set = load(folder);
    assert_int_equal(declared(&set), 2);
    assert_string_equal(object_of(&set, KIND_CONTAINER, "shop/web")->source, folder);
}

static void digests_follow_includes(void **state)
{
    (void)state;
    const char *path = put("a.yaml", "include: parts/*.yaml\n");
    struct spec_set none = load(path);
    put("parts/1.yaml", "volumes: { data: {} }\n");
    struct spec_set one = load(path);
    put("parts/1.yaml", "volumes: { daten: {} }\n");
    struct spec_set other = load(path);
    put("a.yaml.d/1.yaml", "volumes: { more: {} }\n");
    struct spec_set more = load(path);
    assert_string_not_equal(none.digest, one.digest);
    assert_string_not_equal(one.digest, other.digest);
    assert_string_not_equal(other.digest, more.digest);
}

/* ---- drop-ins ---- */

static void drop_ins(void **state)
{
    (void)state;
    put("a.yaml", "x-web: &web { image: base, env: { A: \"1\", B: \"2\" }, ports: [\"80:80\", \"81:81\"] }\n"
                  "images: { base: { source: \"file:/x\" } }\n"
                  "containers:\n"
                  "  web: *web\n"
                  "  twin: { <<: *web, ports: [] }\n"
                  "  old: { image: base }\n");
    put(".env", "FROM=outside\n");
    put("a.yaml.d/10.yaml", "containers:\n"
                            "  web:\n"
                            "    env: { A: null, C: \"${FROM}\" }\n"
                            "    ports: [\"90:90\"]\n"
                            "  old: ~\n"
                            "  new: { image: base }\n");
    put("a.yaml.d/20.yaml", "containers:\n  web:\n\n    limits: { memory: 64MiB }\n");
    struct spec_set set = load(folder);
    assert_int_equal(declared(&set), 4);
    const struct container *web = container_of(&set, "default/web"),
                           *twin = container_of(&set, "default/twin");
    assert_int_equal(web->env.count, 2);
    assert_string_equal(web->env.items[0].key, "B");
    assert_string_equal(web->env.items[1].value, "outside");
    stands_at(web->env.items[1].place, "a.yaml.d/10.yaml", 3);
    assert_int_equal(web->ports.count, 1);
    assert_int_equal(((struct port *)web->ports.items[0])->host, 90);
    assert_int_equal(web->limits->memory, 64 << 20);
    stands_at(field_place(&limits_table, web->limits, field_by_key(&limits_table, "memory")),
              "a.yaml.d/20.yaml", 4);
    stands_at(field_place(&container_table, web, field_by_key(&container_table, "image")), "a.yaml", 1);
    assert_int_equal(twin->env.count, 2); /* what aliases share is not changed with it */
    stands_at(object_of(&set, KIND_CONTAINER, "default/new")->place, "a.yaml.d/10.yaml", 6);
}

static void drop_ins_find_their_document(void **state)
{
    (void)state;
    put("a.yaml",
        "project: one\nvolumes: { data: {} }\n---\nproject: two\ncontainers: { web: { image: base } }\n"
        "---\nproject: two\nimages: { base: { source: \"file:/x\" } }\n");
    put("a.yaml.d/1.yaml",
        "project: two\nimages: { base: { source: \"file:/y\" } }\n"
        "containers: { web: { env: { A: b } } }\n---\nproject: one\nvolumes: { data: null, more: {} }\n");
    struct spec_set set = load(folder);
    assert_int_equal(declared(&set), 3);
    assert_string_equal(((const struct image *)object_of(&set, KIND_IMAGE, "two/base")->body)->source,
                        "file:/y");
    assert_int_equal(container_of(&set, "two/web")->env.count, 1);
    object_of(&set, KIND_VOLUME, "one/more");
}

/* ---- templates ---- */

static void templates(void **state)
{
    (void)state;
    put("images.yaml", "images: { base: { source: \"file:/x\" } }\n");
    put("web@.yaml",
        "containers:\n  \"web-${INSTANCE}\": { image: base, env: { COLOR: \"${INSTANCE}\" } }\n");
    put("web@.yaml.d/1.yaml", "containers: { \"web-${INSTANCE}\": { env: { ALL: \"1\" } } }\n");
    struct spec_set set = load(folder);
    assert_int_equal(declared(&set), 1); /* a template alone says nothing */
    put("web@blue.yaml", "# empty\n");
    put("web@blue.yaml.d/1.yaml", "containers: { web-blue: { env: { ONE: \"1\" } } }\n");
    assert_int_equal(symlink("web@.yaml", arena_printf(arena, "%s/web@red.yaml", folder)), 0);
    put("web@own.yaml", "containers: { own: { image: base, env: { COLOR: \"${INSTANCE}\" } } }\n");
    put("more.yaml", "include: web@green.yaml\n");
    set = load(folder);
    assert_int_equal(declared(&set), 5);
    const struct container *blue = container_of(&set, "default/web-blue");
    assert_int_equal(blue->env.count, 3);
    assert_string_equal(blue->env.items[1].value, "blue");
    stands_at(object_of(&set, KIND_CONTAINER, "default/web-blue")->place, "web@.yaml", 2);
    assert_int_equal(container_of(&set, "default/web-red")->env.count, 2);
    assert_string_equal(container_of(&set, "default/web-green")->env.items[1].value, "green");
    assert_string_equal(container_of(&set, "default/own")->env.items[0].value, "own");
}

/* ---- defaults ---- */

static void defaults(void **state)
{
    (void)state;
    put("a.yaml", "project: shop\n"
                  "containers:\n"
                  "  plain:\n"
                  "  web: { limits: { pids: 5 }, env: { B: own }, networks: [] }\n"
                  "  free: { limits: { memory: null }, env: null }\n");
    put("z.yaml", "project: shop\n"
                  "images: { base: { source: \"file:/x\" } }\n"
                  "networks: { front: {} }\n"
                  "defaults:\n"
                  "  containers:\n"
                  "    image: base\n"
                  "    networks: [front]\n"
                  "    limits: { memory: 64MiB, pids: 100 }\n"
                  "---\n"
                  "project: shop\n"
                  "defaults: { containers: { env: { A: all, B: all } } }\n"
                  "---\n"
                  "images: { base: { source: \"file:/x\" } }\n"
                  "containers: { other: { image: base } }\n");
    struct spec_set set = load(folder);
    const struct container *plain = container_of(&set, "shop/plain"), *web = container_of(&set, "shop/web"),
                           *free_ = container_of(&set, "shop/free"),
                           *other = container_of(&set, "default/other");
    assert_string_equal(plain->image, "shop/base");
    assert_int_equal(plain->limits->memory, 64 << 20);
    stands_at(field_place(&limits_table, plain->limits, field_by_key(&limits_table, "memory")), "z.yaml", 8);
    stands_at(field_place(&container_table, plain, field_by_key(&container_table, "image")), "z.yaml", 6);
    assert_int_equal(web->limits->memory, 64 << 20);
    assert_int_equal(web->limits->pids, 5);
    assert_int_equal(web->networks.count, 0);
    assert_string_equal(web->env.items[0].value, "all");
    assert_string_equal(web->env.items[1].value, "own");
    assert_int_equal(free_->limits->memory, 0);
    assert_int_equal(free_->limits->pids, 100);
    assert_int_equal(free_->env.count, 0);
    assert_int_equal(other->limits->memory, 0); /* another project */
}

/* They hold within their source. */
static void defaults_of_another_source(void **state)
{
    (void)state;
    const char *files[] = {
        put("a.yaml", "defaults: { containers: { limits: { memory: 1GiB } } }\n"),
        put("b.yaml", "images: { base: { source: \"file:/x\" } }\ncontainers: { web: { image: base } }\n")};
    const struct spec_request request = {.arguments = files, .count = 2, .default_directory = "/nonexistent"};
    struct spec_set set;
    struct error error = {0};
    problems = (struct problems){.arena = arena};
    assert_int_equal(specs_load(&request, NULL, arena, &set, &problems, &error), 0);
    assert_int_equal(container_of(&set, "default/web")->limits->memory, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(includes),
        TEST(digests_follow_includes),
        TEST(drop_ins),
        TEST(drop_ins_find_their_document),
        TEST(templates),
        TEST(defaults),
        TEST(defaults_of_another_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
