/* The loader as a whole: defaults, what is implied, sources, the record of other sources, and the way back to text. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/error.h"
#include "lib/json.h"
#include "specs/forms.h"
#include "specs/specs.h"

#define IMAGE "images: { base: { source: \"file:/x\" } }\n"

static struct arena *arena;
static char *folder;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    folder = arena_strdup(arena, "/tmp/fpsync-specs-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = {"a.yaml", "b.yml", "c.txt", ".env", ".d.yaml", "sub.yaml", "in"};
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (unlinkat(fd, files[i], 0) < 0)
            unlinkat(fd, files[i], AT_REMOVEDIR);
    close(fd);
    rmdir(folder);
    arena_free(arena);
    return 0;
}

static const char *put(const char *name, const char *text)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0644);
    return path;
}

static struct problems problems;

static int load_with(const struct spec_request *request, const struct object_set *recorded,
                     struct spec_set *set)
{
    struct error error = {0};
    problems = (struct problems){.arena = arena};
    *set = (struct spec_set){0};
    return specs_load(request, recorded, arena, set, &problems, &error);
}

static int load_recorded(const char *path, const struct object_set *recorded, struct spec_set *set)
{
    const struct spec_request request = {.arguments = &path, .count = 1, .default_directory = "/nonexistent"};
    return load_with(&request, recorded, set);
}

static struct spec_set load(const char *text)
{
    struct spec_set set;
    if (load_recorded(put("a.yaml", text), NULL, &set) < 0)
        fail_msg("%u: %s", problems.items[0].place.line, problems.items[0].message);
    return set;
}

static const struct container *container_of(const struct spec_set *set, const char *name)
{
    const struct object *object = object_find(&set->objects, KIND_CONTAINER, name);
    assert_non_null(object);
    return object->body;
}

static void is_refused(int result, const char *part)
{
    assert_int_equal(result, -EINVAL);
    assert_int_equal(problems.count, 1);
    if (!strstr(problems.items[0].message, part))
        fail_msg("expected '%s', found '%s'", part, problems.items[0].message);
}

static bool sets_are_equal(const struct object_set *left, const struct object_set *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++) {
        struct changes changes = {0};
        _cleanup_buffer_ struct buffer one = {0}, other = {0};
        const struct table *table = kind_table(left->items[i]->kind);
        if (strcmp(left->items[i]->id, right->items[i]->id) != 0)
            return false;
        fields_diff(table, left->items[i]->body, right->items[i]->body, arena, &changes);
        fields_encode(table, left->items[i]->body, &one);
        fields_encode(table, right->items[i]->body, &other);
        if (changes.count || one.length != other.length ||
            (one.length && memcmp(one.bytes, other.bytes, one.length)))
            return false;
    }
    return true;
}

/* ---- the set ---- */

static void defaults(void **state)
{
    (void)state;
    struct spec_set set = load(IMAGE "containers: { web: { image: base } }\n");
    const struct container *web = container_of(&set, "default/web");
    assert_false(web->privileged);
    assert_string_equal(web->restart, "always");
    assert_int_equal(web->stop_timeout, 30000);
    assert_int_equal(web->limits->pids, 8192);
    assert_int_equal(web->limits->swap, 0);
    assert_int_equal(web->limits->memory, 0);
    assert_string_equal(web->layer, "default/web");
    assert_string_equal(web->image, "default/base");
    assert_int_equal(web->networks.count, 1);
    assert_string_equal(item_key(&attachment_table, web->networks.items[0]), "default/default");
    const struct object *layer = object_find(&set.objects, KIND_LAYER, "default/web");
    assert_true(layer->implicit);
    assert_string_equal(((const struct layer *)layer->body)->image, "default/base");
    assert_true(object_find(&set.objects, KIND_NETWORK, "default/default")->implicit);
    assert_int_equal(set.objects.count, 4);
}

static void writing_defaults_out_changes_nothing(void **state)
{
    (void)state;
    struct spec_set brief =
        load(IMAGE "containers: { web: { image: base, ports: [\"80:80\", \"81:81/udp\"] } }\n");
    struct spec_set full = load("containers:\n"
                                "  web:\n"
                                "    stop_timeout: 0m30s\n"
                                "    restart: always\n"
                                "    privileged: false\n"
                                "    limits: { pids: 8192, swap: 0 }\n"
                                "    ports: [{ guest: 81, host: 81, protocol: udp },\n"
                                "            { address: 0.0.0.0, guest: 80, host: 80, protocol: tcp }]\n"
                                "    networks: { default: }\n"
                                "    image: default/base\n" IMAGE);
    assert_true(sets_are_equal(&brief.objects, &full.objects));
    assert_string_not_equal(brief.digest, full.digest);
}

static void no_networks_and_none(void **state)
{
    (void)state;
    struct spec_set set = load(IMAGE "containers: { a: { image: base, networks: [] } }\n");
    assert_int_equal(container_of(&set, "default/a")->networks.count, 0);
    assert_null(object_find(&set.objects, KIND_NETWORK, "default/default"));
}

static void networks_keep_a_written_order(void **state)
{
    (void)state;
    struct spec_set set = load(IMAGE "networks: { a: , b: , c: }\n"
                                     "containers:\n"
                                     "  list: { image: base, networks: [c, a, b] }\n"
                                     "  map: { image: base, networks: { c: , a: , b: } }\n");
    const struct list *list = &container_of(&set, "default/list")->networks;
    const struct list *map = &container_of(&set, "default/map")->networks;
    assert_string_equal(item_key(&attachment_table, list->items[0]), "default/c");
    assert_string_equal(item_key(&attachment_table, map->items[0]), "default/a");
    assert_string_equal(item_key(&attachment_table, map->items[2]), "default/c");
}

static void declared_layers_know_their_image(void **state)
{
    (void)state;
    struct spec_set set = load(IMAGE "layers: { data: { image: base }, own: { image: base } }\n"
                                     "containers: { web: { layer: data }, own: { } }\n");
    assert_string_equal(container_of(&set, "default/web")->image, "default/base");
    assert_string_equal(container_of(&set, "default/own")->layer, "default/own");
    assert_false(object_find(&set.objects, KIND_LAYER, "default/own")->implicit);
    assert_null(object_find(&set.objects, KIND_LAYER, "default/web"));
}

static void projects_and_documents(void **state)
{
    (void)state;
    struct spec_set set = load("project: shop\n" IMAGE "volumes: { data: { allow: [blog] } }\n"
                               "---\n"
                               "project: blog\n"
                               "containers: { web: { image: shop/base, volumes: [\"shop/data:/srv\"] } }\n"
                               "---\n"
                               "x-anything: { a: \"${NOT_SET}\", b: \"a\\nb\" }\n");
    const struct container *web = container_of(&set, "blog/web");
    assert_string_equal(web->image, "shop/base");
    assert_string_equal(((const struct mount *)web->volumes.items[0])->volume, "shop/data");
    assert_non_null(object_find(&set.objects, KIND_NETWORK, "blog/default"));
    assert_null(object_find(&set.objects, KIND_NETWORK, "shop/default"));
    assert_string_equal(name_bare("blog/web"), "web");
    assert_string_equal(name_project(arena, "blog/web"), "blog");
}

static void places_are_those_of_the_lines(void **state)
{
    (void)state;
    struct spec_set set = load(IMAGE "containers:\n"
                                     "  web:\n"
                                     "    image: base\n"
                                     "    limits:\n"
                                     "      memory: 1G\n");
    const struct object *web = object_find(&set.objects, KIND_CONTAINER, "default/web");
    assert_int_equal(web->place.line, 3);
    assert_int_equal(web->place.column, 3);
    const struct limits *limits = ((const struct container *)web->body)->limits;
    struct place place = field_place(&limits_table, limits, field_by_key(&limits_table, "memory"));
    assert_int_equal(place.line, 6);
    assert_int_equal(place.column, 15);
    assert_true(strlen(place.file) > 6 && strcmp(place.file + strlen(place.file) - 6, "a.yaml") == 0);
}

static void env_is_taken_as_written(void **state)
{
    (void)state;
    struct spec_set set =
        load(IMAGE "containers: { web: { image: base, command: [sleep, 010, true],\n"
                   "  env: { Z: 010, A: true, M: 1e3, N: \"\", DOLLAR: \"$5 $$5 $${X}\", T: ~x } } }\n");
    const struct container *web = container_of(&set, "default/web");
    static const char *const expected[] = {"A", "true", "DOLLAR", "$5 $5 ${X}", "M", "1e3",
                                           "N", "",     "T",      "~x",         "Z", "010"};
    assert_int_equal(web->env.count, 6);
    for (size_t i = 0; i < web->env.count; i++) {
        assert_string_equal(web->env.items[i].key, expected[2 * i]);
        assert_string_equal(web->env.items[i].value, expected[2 * i + 1]);
    }
    assert_string_equal(web->command.items[1], "010");
}

static void variables(void **state)
{
    (void)state;
    const char *path =
        put("a.yaml",
            "images: { base: { source: \"file:/${V}${E:-}${W:-w}\" } }\n"
            "containers: { web: { image: base, limits: { pids: \"${P}\" }, env: { E: \"${E:-}\" } } }\n");
    put(".env", "# comment\n\nV=one \nP=\"12\"\nE=\n");
    struct spec_request request = {.arguments = &path, .count = 1, .default_directory = "/nonexistent"};
    struct spec_set set, again;
    setenv("V", "two", 1);
    assert_int_equal(load_with(&request, NULL, &set), 0);
    const struct object *base = object_find(&set.objects, KIND_IMAGE, "default/base");
    assert_string_equal(((const struct image *)base->body)->source, "file:/onew");
    assert_int_equal(container_of(&set, "default/web")->limits->pids, 12);
    assert_string_equal(container_of(&set, "default/web")->env.items[0].value, "");
    request.use_environment = true; /* a run by hand: the environment wins, and counts for the digest */
    assert_int_equal(load_with(&request, NULL, &again), 0);
    base = object_find(&again.objects, KIND_IMAGE, "default/base");
    assert_string_equal(((const struct image *)base->body)->source, "file:/twow");
    assert_string_not_equal(set.digest, again.digest);
    unsetenv("V");
}

/* ---- sources ---- */

static void directory_sources(void **state)
{
    (void)state;
    put("b.yml", "containers: { web: { image: base } }\n");
    put("a.yaml", IMAGE);
    put("c.txt", "not read");
    put(".d.yaml", "not: read");
    assert_int_equal(mkdir(arena_printf(arena, "%s/sub.yaml", folder), 0755), 0);
    struct spec_set set;
    const char *argument = arena_printf(arena, "%s/../%s/", folder, strrchr(folder, '/') + 1);
    assert_int_equal(load_recorded(argument, NULL, &set), 0);
    assert_int_equal(set.source_count, 1);
    assert_true(set.sources[0].is_directory);
    assert_true(set.sources[0].prunes);
    assert_false(set.sources[0].is_missing);
    assert_string_equal(set.sources[0].name, folder);
    assert_string_equal(set.sources[0].argument, argument);
    assert_string_equal(object_find(&set.objects, KIND_CONTAINER, "default/web")->source, folder);
}

static void the_default_directory_is_host(void **state)
{
    (void)state;
    put("a.yaml", IMAGE);
    struct spec_request request = {.default_directory = folder};
    struct spec_set set;
    assert_int_equal(load_with(&request, NULL, &set), 0);
    assert_string_equal(set.sources[0].name, "host");
    assert_string_equal(set.objects.items[0]->source, "host");
    const char *file = arena_printf(arena, "%s/a.yaml", folder);
    request.arguments = &file; /* one file of it acts as it, narrowed */
    request.count = 1;
    assert_int_equal(load_with(&request, NULL, &set), 0);
    assert_string_equal(set.sources[0].name, "host");
    assert_false(set.sources[0].prunes);
    request.source_name = "mine";
    assert_int_equal(load_with(&request, NULL, &set), 0);
    assert_string_equal(set.sources[0].name, "mine");
    assert_true(set.sources[0].prunes);
}

static void missing_and_empty(void **state)
{
    (void)state;
    struct spec_set set;
    assert_int_equal(load_recorded(folder, NULL, &set), 0);
    assert_true(set.sources[0].is_missing);
    assert_int_equal(load_recorded("/nowhere/x.yaml", NULL, &set), 0);
    assert_true(set.sources[0].is_missing);
    assert_string_equal(set.sources[0].name, "/nowhere/x.yaml");
    assert_int_equal(set.objects.count, 0);
}

static void standard_input(void **state)
{
    (void)state;
    int input = open(put("in", IMAGE), O_RDONLY | O_CLOEXEC), before = dup(STDIN_FILENO);
    dup2(input, STDIN_FILENO);
    close(input);
    struct spec_set set;
    int result = load_recorded("-", NULL, &set);
    dup2(before, STDIN_FILENO);
    close(before);
    assert_int_equal(result, 0);
    assert_false(set.sources[0].prunes);
    assert_int_equal(set.objects.count, 1);
}

static void a_file_named_twice_is_read_once(void **state)
{
    (void)state;
    const char *arguments[] = {put("a.yaml", IMAGE), folder};
    const struct spec_request request = {
        .arguments = arguments, .count = 2, .default_directory = "/nonexistent"};
    struct spec_set set;
    assert_int_equal(load_with(&request, NULL, &set), 0);
    assert_int_equal(set.objects.count, 1);
    assert_string_equal(set.objects.items[0]->source, folder);
}

/* ---- the record of other sources ---- */

static struct object_set recorded_as(const char *text, const char *source)
{
    struct spec_set set = load(text);
    for (size_t i = 0; i < set.objects.count; i++) {
        set.objects.items[i]->source = source;
        set.objects.items[i]->place = (struct place){0};
    }
    return set.objects;
}

static void recorded_objects_may_be_named(void **state)
{
    (void)state;
    struct object_set other = recorded_as(
        "project: shop\n" IMAGE "networks: { front: { subnet: 10.1.0.0/24, allow: [default] } }\n", "other");
    static const char text[] =
        "containers: { web: { image: shop/base, networks: { shop/front: { address: 10.1.0.9 } } } }\n";
    struct spec_set set;
    const char *path = put("a.yaml", text);
    assert_int_equal(load_recorded(path, &other, &set), 0);
    assert_int_equal(set.objects.count,
                     2); /* the container and its layer: recorded objects stay where they are */
    for (size_t i = 0; i < other.count; i++)
        other.items[i]->source = path;
    assert_int_equal(load_recorded(path, &other, &set), -EINVAL); /* about to be pruned by this very run */
    for (size_t i = 0; i < other.count; i++)
        other.items[i]->source = NULL;
    assert_int_equal(load_recorded(path, &other, &set), -EINVAL); /* retained, declared by nobody */
}

static void recorded_claims_count(void **state)
{
    (void)state;
    struct object_set other = recorded_as(IMAGE "networks: { front: { subnet: 10.1.0.0/24 } }\n"
                                                "layers: { data: { image: base } }\n"
                                                "containers:\n"
                                                "  a: { layer: data, ports: [\"80:80\"],\n"
                                                "       networks: { front: { address: 10.1.0.9 } } }\n",
                                          "other");
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"containers: { b: { image: base, ports: [\"127.0.0.1:80:80\"] } }\n",
         "port 80/tcp of 127.0.0.1 is taken by container a (source other)"},
        {"containers: { b: { image: base, networks: { front: { address: 10.1.0.9 } } } }\n",
         "address 10.1.0.9 is taken by container a (source other)"},
        {"networks: { back: { subnet: 10.0.0.0/8 } }\n",
         "subnet 10.0.0.0/8 overlaps 10.1.0.0/24 of network front (source other)"},
        {"containers: { b: { layer: data } }\n", "layer 'data' is used by container a (source other)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct spec_set set;
        is_refused(load_recorded(put("a.yaml", cases[i].text), &other, &set), cases[i].part);
    }
    struct spec_set set; /* moving what another source has is not this loader's to refuse */
    assert_int_equal(load_recorded(put("a.yaml", "containers: { a: { image: base, ports: [\"80:80\"] } }\n"),
                                   &other, &set),
                     0);
}

/* One rule for what a spec names beside itself, with and without "./"; what no spec file says has no folder. */
static void relative_paths_start_at_the_folder(void **state)
{
    (void)state;
    struct spec_set set =
        load("images: { base: { source: \"file:a/x.tar\" }, other: { source: \"file:./a/x.tar\" } }\n"
             "containers: { web: { image: base, binds: [ \"a/b:/1\", \"./a/b:/2\", "
             "{ source: a/../a/b, path: /3 }, \"/a/b:/4\" ] } }\n");
    const struct container *web = object_find(&set.objects, KIND_CONTAINER, "default/web")->body;
    const char *beside = arena_printf(arena, "%s/a/b", folder);
    assert_int_equal(web->binds.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(((const struct bind *)web->binds.items[i])->source, i < 3 ? beside : "/a/b");
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(
            ((const struct image *)object_find(&set.objects, KIND_IMAGE, i ? "default/other" : "default/base")
                 ->body)
                ->source,
            arena_printf(arena, "file:%s/a/x.tar", folder));
    const struct form_context nowhere = {.arena = arena};
    assert_null(form_canonical(&nowhere, FORM_HOST_PATH, "a/b"));
    assert_null(form_canonical(&nowhere, FORM_LENT, "./a"));
    assert_string_equal(form_canonical(&nowhere, FORM_HOST_PATH, "/a//b"), "/a/b");
}

/* ---- back to text ---- */

static const char everything[] =
    "project: shop\n"
    "images:\n"
    "  base: { source: \"bootstrap:bookworm\", packages: [dbus, systemd-sysv] }\n"
    "  tar: { source: \"file:rel/../x y.tar\" }\n"
    "  made:\n"
    "    build:\n"
    "      from: base\n"
    "      args: { A: \"$${x}\" }\n"
    "      network: back\n"
    "      steps:\n"
    "        - \"RUN echo $${HOME} $$$$\"\n"
    "        - |\n"
    "          RUN <<EOF\n"
    "          \techo '$${HOME}'\n"
    "          EOF\n"
    "networks: { front: { subnet: 10.30.0.0/24, nat_address: 192.0.2.1, allow: [default] }, back: }\n"
    "volumes: { uploads: }\n"
    "layers: { web-data: { image: base } }\n"
    "containers:\n"
    "  web:\n"
    "    layer: web-data\n"
    "    networks: { front: { address: 10.30.0.10 }, back: }\n"
    "    ports: [\"8080:80\", \"127.0.0.1:53:53/udp\"]\n"
    "    volumes: [\"uploads:/srv/a, b\", { path: /data, volume: uploads }]\n"
    "    env: { A: \"$$x ${N:-'q\\\"}\", B: \"- no\", C: \"true\", D: \"\", E: \" x \", F: \"a: b\", G: "
    "\"\xe2\x82\xac\" }\n"
    "    command: [\"/bin/sh\", -c, \"echo $$HOME # x\", \"*a\", \"&b\", \"!c\", \"{}\", \"[\", \"1\", "
    "\"null\", \"%\", \"@\"]\n"
    "    limits: { memory: 512M, swap: 1G, cpus: 1.5, pids: 12 }\n"
    "    privileged: true\n"
    "    depends_on: { cache: started, job: }\n"
    "    restart: never\n"
    "    stop_signal: RTMIN+3\n"
    "    stop_timeout: 90s\n"
    "    health: { command: \"test $${A}\", interval: 5s }\n"
    "  cache: { image: tar, networks: [], restart: on-failure, env: {}, ports: [], command: [] }\n"
    "  job: { image: tar }\n"
    "---\n"
    "containers: { web: { image: shop/base, networks: [shop/front] } }\n";

static void printing_is_the_inverse_of_loading(void **state)
{
    (void)state;
    struct spec_set set = load(everything), again;
    _cleanup_buffer_ struct buffer text = {0}, second = {0};
    specs_print(&set.objects, &text);
    again = load(text.bytes);
    if (!sets_are_equal(&set.objects, &again.objects))
        fail_msg("not equal after:\n%s", text.bytes);
    specs_print(&again.objects, &second);
    assert_string_equal(text.bytes, second.bytes);
}

static void encoding_is_the_inverse_of_decoding(void **state)
{
    (void)state;
    struct spec_set set = load(everything);
    for (size_t i = 0; i < set.objects.count; i++) {
        const struct table *table = kind_table(set.objects.items[i]->kind);
        _cleanup_buffer_ struct buffer bytes = {0};
        struct error error = {0};
        struct changes changes = {0};
        void *decoded;
        fields_encode(table, set.objects.items[i]->body, &bytes);
        assert_int_equal(fields_decode(table, bytes.bytes, bytes.length, arena, &decoded, &error), 0);
        fields_diff(table, decoded, set.objects.items[i]->body, arena, &changes);
        assert_int_equal(changes.count, 0);
    }
}

static void every_row_is_complete(const struct table *table)
{
    assert_non_null(table->help);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *row = &table->rows[i];
        assert_non_null(row->help);
        if (row->nested)
            every_row_is_complete(row->nested);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(row->id, table->rows[j].id);
            assert_string_not_equal(row->key, table->rows[j].key);
        }
        if (row->flags & FIELD_DERIVED)
            continue;
        assert_non_null(row->example);
        _cleanup_buffer_ struct buffer out = {0};
        assert_int_equal(specs_explain(arena_printf(arena, "%s.%s", table->name, row->key), &out, NULL), 0);
        assert_non_null(strstr(out.bytes, row->example));
    }
}

static void explain_knows_every_field(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        every_row_is_complete(kind_table(kind));
    _cleanup_buffer_ struct buffer out = {0};
    assert_int_equal(specs_explain("", &out, NULL), 0);
    assert_int_equal(specs_explain("containers.ports", &out, NULL), 0);
    assert_non_null(strstr(out.bytes, "guest: a port  [live, required]"));
}

static void assert_ids_are_unique(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < i; j++)
            if (table->rows[i].id == table->rows[j].id)
                fail_msg("%s: %s and %s have one id", table->name, table->rows[j].key, table->rows[i].key);
        if (table->rows[i].nested)
            assert_ids_are_unique(table->rows[i].nested);
    }
}

static void ids_of_rows_are_unique(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        assert_ids_are_unique(kind_table(kind));
}

static void schema_follows_the_rows(void **state)
{
    (void)state;
    _cleanup_json_ struct json *schema = specs_schema();
    const struct json *container = json_get(json_get(schema, "$defs"), "container");
    assert_int_equal(json_length(json_get(container, "properties")),
                     container_table.count - 2); /* `set` and `host_network` are derived */
    assert_null(
        json_get(json_get(json_get(json_get(schema, "$defs"), "container.ports"), "properties"), "listen"));
    assert_true(json_holds_object(json_get(json_get(schema, "properties"), "images")));
}

static void problems_as_json(void **state)
{
    (void)state;
    struct spec_set set;
    assert_int_equal(load_recorded(put("a.yaml", "contianers: {}\n"), NULL, &set), -EINVAL);
    _cleanup_json_ struct json *errors = problems_to_json(&problems);
    assert_int_equal(json_as_number(json_get(errors, "schema"), 0), 1);
    const struct json *first = json_at(json_get(errors, "errors"), 0);
    assert_int_equal(json_as_number(json_get(first, "line"), 0), 1);
    assert_string_equal(json_as_text(json_get(first, "hint")), "did you mean 'containers'?");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(writing_defaults_out_changes_nothing),
        TEST(no_networks_and_none),
        TEST(networks_keep_a_written_order),
        TEST(declared_layers_know_their_image),
        TEST(projects_and_documents),
        TEST(places_are_those_of_the_lines),
        TEST(env_is_taken_as_written),
        TEST(variables),
        TEST(directory_sources),
        TEST(the_default_directory_is_host),
        TEST(missing_and_empty),
        TEST(standard_input),
        TEST(a_file_named_twice_is_read_once),
        TEST(recorded_objects_may_be_named),
        TEST(recorded_claims_count),
        TEST(relative_paths_start_at_the_folder),
        TEST(printing_is_the_inverse_of_loading),
        TEST(encoding_is_the_inverse_of_decoding),
        TEST(explain_knows_every_field),
        TEST(ids_of_rows_are_unique),
        TEST(schema_follows_the_rows),
        TEST(problems_as_json),
    };
    return cmocka_run_group_tests_name("specs", tests, NULL, NULL);
}
