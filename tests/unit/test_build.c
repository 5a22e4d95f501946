/* Recipes into builds: the steps, what they are asked for, the config; when a key stays and when it does not; and what is
 * said of a build that differs from the last one. The context is a real folder, the images are made up. */
#include <errno.h>
#include <fcntl.h>
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
#include "reconciler/build.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define BASE         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char scratch[] = "/tmp/fpsync-build-XXXXXX";
static struct arena *arena;
static const char *base_digest, *base_config; /* of the image "base" */

/* ---- the world ---- */

static void put(const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(arena, "%s/%s", scratch, name), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int find(void *context, const char *reference, struct build_base *base, struct error *error)
{
    (void)context;
    struct image_config *config;
    if (strcmp(reference, "base") != 0 && strcmp(reference, "other") != 0)
        return error_set(error, -ENOENT, "there is no image %s", reference);
    assert_int_equal(image_config_parse(arena, base_config, &config, error), 0);
    base->name = arena_printf(arena, "image %s", reference);
    base->image = arena_printf(arena, "p/%s", reference);
    base->digest = strcmp(reference, "base") == 0 ? base_digest : BASE;
    base->config = base->digest ? config : NULL;
    return 0;
}

struct given {
    const char *arguments[8]; /* name, value, ... */
    const char *stage, *epoch, *stamp, *salt;
    const char *secrets[4], *fetched[4];
};

static struct pairs pairs_of(const char *const *texts, size_t most)
{
    struct pairs pairs = {0};
    for (size_t i = 0; i < most && texts[i]; i += 2)
        *arena_append(arena, pairs.items, pairs.count) =
            (struct pair){.key = texts[i], .value = texts[i + 1]};
    return pairs;
}

static struct problems problems;

static struct build *make(const char *text, const struct given *given)
{
    static const struct given nothing = {0};
    struct recipe *recipe;
    struct build *build = NULL;
    const struct recipe_piece piece = {
        .text = text, .length = strlen(text), .place = {.file = "/x/Recipe", .line = 1, .column = 1}};
    given = given ? given : &nothing;
    struct pairs *arguments = arena_new_of(arena, struct pairs), *secrets = arena_new_of(arena, struct pairs),
                 *fetched = arena_new_of(arena, struct pairs);
    *arguments = pairs_of(given->arguments, COUNT(given->arguments));
    *secrets = pairs_of(given->secrets, COUNT(given->secrets));
    *fetched = pairs_of(given->fetched, COUNT(given->fetched));
    problems = (struct problems){.arena = arena};
    recipe_read(&piece, 1, arena, &problems, &recipe);
    const struct build_request request = {.recipe = recipe,
                                          .file = "Recipe",
                                          .folder = scratch,
                                          .arguments = arguments,
                                          .stage = given->stage,
                                          .architecture = "amd64",
                                          .epoch = given->epoch,
                                          .stamp = given->stamp,
                                          .salt = given->salt,
                                          .secrets = secrets,
                                          .fetched = fetched,
                                          .find = find};
    return build_make(&request, arena, &problems, &build) ? build : NULL;
}

static struct build *made(const char *text, const struct given *given)
{
    struct build *build = make(text, given);
    if (!build)
        fail_msg("%s\n%u: %s", text, problems.items[0].place.line, problems.items[0].message);
    return build;
}

/* ---- shown ---- */

static void show_texts(struct buffer *out, const struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        buffer_printf(out, "%s[%s]", i ? "" : " ", texts->items[i]);
}

static void show_run(struct buffer *out, const struct build_run *run)
{
    show_texts(out, &run->argv);
    for (size_t i = 0; i < run->env.count; i++)
        if (strcmp(run->env.items[i].key, "PATH") != 0)
            buffer_printf(out, " %s=%s", run->env.items[i].key, run->env.items[i].value);
    if (run->user)
        buffer_printf(out, " user %s", run->user);
    if (run->directory)
        buffer_printf(out, " in %s", run->directory);
    if (run->init)
        buffer_text(out, " init");
    for (size_t i = 0; i < run->files.count; i++) {
        const struct root_file *file = run->files.items[i];
        buffer_printf(out, " file %s{%s}%o", file->path, file->content, (unsigned)file->mode);
    }
    for (size_t i = 0; i < run->mounts.count; i++) {
        const struct build_mount *mount = run->mounts.items[i];
        buffer_printf(out, " %s %s", mount->type, mount->target);
        if (mount->id)
            buffer_printf(out, " id=%s", mount->id);
        if (mount->path)
            buffer_printf(out, " %s:%s", mount->folder ? "context" : "root", mount->path);
        if (mount->file)
            buffer_printf(out, " file=%s", mount->file);
        buffer_text(out, mount->writable ? " rw" : "");
    }
}

static void show_copy(struct buffer *out, const struct build_copy *copy)
{
    for (size_t i = 0; i < copy->sources.count; i++) {
        const struct build_source *source = copy->sources.items[i];
        if (source->text)
            buffer_printf(out, " %s{%s}", source->path, source->text);
        else
            buffer_printf(out, " %s%s", source->folder ? "" : "root:", source->path);
        for (size_t j = 0; j < source->excluded.count; j++)
            buffer_printf(out, " -%s", source->excluded.items[j]);
        for (size_t j = 0; j < source->included.count; j++)
            buffer_printf(out, " +%s", source->included.items[j]);
    }
    buffer_printf(out, " to %s%s", copy->target, copy->unpack ? " unpack" : "");
    if (copy->owner)
        buffer_printf(out, " owner %s", copy->owner);
    if (copy->mode)
        buffer_printf(out, " mode %s", copy->mode);
}

static const char *shown(const struct build *build)
{
    struct buffer out = {0};
    buffer_text(&out, "");
    for (size_t i = 0; i < build->count; i++) {
        const struct build_step *step = &build->steps[i];
        buffer_printf(&out, "%u", step->at.line);
        if (step->kind == STEP_BUILD_RUN)
            show_run(&out, step->request);
        else if (step->kind == STEP_BUILD_COPY)
            show_copy(&out, step->request);
        else
            buffer_printf(&out, " folder %s%s%s", ((const struct build_folder *)step->request)->path,
                          ((const struct build_folder *)step->request)->owner ? " owner " : "",
                          ((const struct build_folder *)step->request)->owner
                              ? ((const struct build_folder *)step->request)->owner
                              : "");
        buffer_text(&out, "\n");
    }
    const char *text = arena_strdup(arena, out.bytes);
    buffer_clear(&out);
    return text;
}

/* ---- steps ---- */

static void steps(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        struct given given;
    } cases[] = {
        {"FROM base\nRUN echo $A\n", "2 [/bin/sh][-c][echo $A]\n", {.stage = NULL}},
        {"FROM base\nENV A=1 B=\"$A x\"\nRUN [\"a\", \"$A\"]\n", "3 [a][$A] A=1 B= x\n", {.stage = NULL}},
        {"FROM base\nENV A=1\nENV A=${A}2 B=$A\nUSER www-data\nWORKDIR /srv\nWORKDIR app\nRUN --init x\n",
         "5 folder /srv owner www-data\n6 folder /srv/app owner www-data\n"
         "7 [/bin/sh][-c][x] A=12 B=1 user www-data in /srv/app init\n",
         {.stage = NULL}},
        {"FROM base AS a\nONBUILD ENV B=$A\nONBUILD RUN t\nENV A=1\nFROM a AS b\nRUN x\nFROM b\nRUN y\n",
         "5 [/bin/sh][-c][t] A=1 B=1\n6 [/bin/sh][-c][x] A=1 B=1\n8 [/bin/sh][-c][y] A=1 B=1\n",
         {.stage = NULL}},
        {"FROM base\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN x\nWORKDIR /\nRUN y\n",
         "3 [/bin/bash][-ec][x]\n5 [/bin/bash][-ec][y] in /\n",
         {.stage = NULL}},
        /* arguments */
        {"ARG V=base W=1\nFROM $V\nARG W\nARG X=$W.2\nARG Y\nRUN x\n",
         "6 [/bin/sh][-c][x] W=1 X=1.2\n",
         {.stage = NULL}},
        {"ARG V=no\nFROM $V\nARG W=3\nARG X=$W\nRUN x\n",
         "5 [/bin/sh][-c][x] W=9 X=9\n",
         {.arguments = {"V", "base", "W", "9"}}},
        {"FROM base\nARG A=1\nENV A=2\nRUN x\nARG A=3\nRUN y\n",
         "4 [/bin/sh][-c][x] A=2\n6 [/bin/sh][-c][y] A=3\n",
         {.stage = NULL}},
        {"FROM base\nARG TARGETARCH\nARG TARGETPLATFORM BUILDOS\nRUN x\n",
         "4 [/bin/sh][-c][x] BUILDOS=linux TARGETARCH=amd64 TARGETPLATFORM=linux/amd64\n",
         {.stage = NULL}},
        {"FROM --platform=$BUILDPLATFORM base\nRUN x\n",
         "2 [/bin/sh][-c][x] http_proxy=http://p:1\n",
         {.arguments = {"http_proxy", "http://p:1"}}},
        {"FROM base AS a\nARG A=1\nENV B=2\nFROM a\nRUN x\n",
         "5 [/bin/sh][-c][x] A=1 B=2\n",
         {.stage = NULL}},
        {"FROM base AS a\nARG A=1\nFROM base\nRUN x\n", "4 [/bin/sh][-c][x]\n", {.stage = NULL}},
        /* stages */
        {"FROM base AS a\nRUN no\nFROM base AS b\nRUN one\nFROM base\nCOPY --from=b /x /y/\n",
         "4 [/bin/sh][-c][one]\n6 root:/x to /y/\n",
         {.stage = NULL}},
        {"FROM base AS a\nRUN one\nFROM base AS b\nRUN two\nFROM a\nRUN three\n",
         "4 [/bin/sh][-c][two]\n",
         {.stage = "b"}},
        {"FROM base AS a\nRUN one\nFROM scratch\nRUN --mount=type=bind,from=0,source=x,target=/m ls\n",
         "2 [/bin/sh][-c][one]\n4 [/bin/sh][-c][ls] bind /m root:/x\n",
         {.stage = NULL}},
        {"FROM base\nCOPY --from=other /etc/os-release /\n",
         "2 root:/etc/os-release to /\n",
         {.stage = NULL}},
        /* copies */
        {"FROM base\nCOPY one.txt /a\n", "2 one.txt to /a\n", {.stage = NULL}},
        {"FROM base\nWORKDIR /srv\nCOPY --chown=1:2 --chmod=755 one.txt two.txt ./\n",
         "2 folder /srv\n3 one.txt two.txt to /srv/ owner 1:2 mode 0755\n",
         {.stage = NULL}},
        {"FROM base\nCOPY *.txt /x/\nADD dir/ /y\n",
         "2 one.txt two.txt to /x/\n3 dir to /y unpack\n",
         {.stage = NULL}},
        {"FROM base\nENV D=dir\nCOPY $D/a?c /x/\nCOPY [\"with blank\", \"/a b/\"]\n",
         "3 dir/abc to /x/\n4 with blank to /a b/\n",
         {.stage = NULL}},
        {"FROM base\nCOPY --exclude=*.o --exclude=sub dir /x/\n",
         "2 dir -dir/b.o -dir/sub to /x/\n",
         {.stage = NULL}},
        {"FROM base\nCOPY --exclude=two* *.txt /x/\n", "2 one.txt to /x/\n", {.stage = NULL}},
        {"FROM base\nENV A=1\nCOPY <<X <<'Y' /d/\n$A \"q\"\nX\n$A\nY\n",
         "3 X{1 \"q\"\n} Y{$A\n} to /d/\n",
         {.stage = NULL}},
        {"FROM base\nCOPY . .\n", "2 . -ignored -kept +kept/this to /\n", {.stage = NULL}},
        {"FROM base\nCOPY kept /k\n", "2 kept -kept +kept/this to /k\n", {.stage = NULL}},
        {"FROM base\nCOPY link /k\n", "2 link to /k\n", {.stage = NULL}},
        {"FROM base\nCOPY /one.txt ./dir/../two.txt /x/\n", "", {.arguments = {"no", "no"}}},
        /* here-documents of RUN */
        {"FROM base\nRUN <<EOF\nid\nls\nEOF\n", "2 [/bin/sh][-c][id\nls\n]\n", {.stage = NULL}},
        {"FROM base\nRUN <<EOF\n#!/usr/bin/env python3\nx\nEOF\n",
         "2 [/bin/sh][-c][/.fpsync-run/EOF] file /.fpsync-run/EOF{#!/usr/bin/env python3\nx\n}755\n",
         {.stage = NULL}},
        {"FROM base\nRUN cat <<A <<-B\n1\nA\n\t2\n\tB\n",
         "2 [/bin/sh][-c][cat <<A <<-B\n1\nA\n2\nB]\n",
         {.stage = NULL}},
        /* mounts */
        {"FROM base\nARG D=/c\nWORKDIR /w\nRUN --mount=type=cache,target=$D,id=x "
         "--mount=type=cache,target=rel ls\n",
         "3 folder /w\n4 [/bin/sh][-c][ls] D=/c in /w cache /c id=x rw cache /w/rel id=/w/rel rw\n",
         {.stage = NULL}},
        {"FROM base\nRUN --mount=type=secret,id=key --mount=type=secret,id=none,target=/k "
         "--mount=type=tmpfs,target=/t --mount=type=bind,source=dir,target=/s,rw ls\n",
         "2 [/bin/sh][-c][ls] secret /run/secrets/key file=/etc/key secret /k tmpfs /t rw bind /s "
         "context:dir rw\n",
         {.secrets = {"key", "/etc/key"}}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].given.arguments[0] && strcmp(cases[i].given.arguments[0], "no") == 0)
            continue;
        assert_string_equal(shown(made(cases[i].text, &cases[i].given)), cases[i].shown);
    }
}

/* ---- the config ---- */

static const char *config_of(const char *text)
{
    return image_config_to_text(arena, made(text, NULL)->config);
}

static void configs(void **state)
{
    (void)state;
#define PATH "\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]"
    static const struct {
        const char *base, *text, *config;
    } cases[] = {
        {NULL, "FROM scratch\n", "{" PATH "}"},
        {NULL, "FROM base\nCMD a b\n", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]," PATH "}"},
        {NULL, "FROM base\nSHELL [\"/s\"]\nCMD a\nENTRYPOINT [\"e\"]\n",
         "{\"Cmd\":[\"/s\",\"a\"],\"Entrypoint\":[\"e\"]," PATH ",\"Shell\":[\"/s\"]}"},
        {"{\"Cmd\":[\"old\"],\"Entrypoint\":[\"was\"],\"Env\":[\"PATH=/x\",\"A=1\"],\"User\":\"u\"}",
         "FROM base\nENTRYPOINT [\"e\"]\nENV B=$A\n",
         "{\"Entrypoint\":[\"e\"],\"Env\":[\"A=1\",\"B=1\",\"PATH=/x\"],\"User\":\"u\"}"},
        {"{\"Cmd\":[\"old\"],\"Entrypoint\":[\"was\"],\"Env\":[\"PATH=/x\"]}", "FROM base\nCMD [\"new\"]\n",
         "{\"Cmd\":[\"new\"],\"Entrypoint\":[\"was\"],\"Env\":[\"PATH=/x\"]}"},
        {"{\"Cmd\":[\"old\"],\"Env\":[\"PATH=/x\"]}",
         "FROM base\nCMD []\nUSER 0:0\nWORKDIR a\nSTOPSIGNAL term\n",
         "{\"Env\":[\"PATH=/x\"],\"StopSignal\":\"SIGTERM\",\"User\":\"0:0\",\"WorkingDir\":\"/a\"}"},
        {NULL, "FROM base\nENV P=\"80 81\"\nEXPOSE $P 90/udp 7-8\n",
         "{\"Env\":[\"P=80 81\",\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"],"
         "\"ExposedPorts\":{\"7/tcp\":{},\"8/tcp\":{},\"80/tcp\":{},\"81/tcp\":{},\"90/udp\":{}}}"},
        {"{\"Env\":[\"PATH=/x\"],\"Labels\":{\"a\":\"1\",\"b\":\"2\"}}",
         "FROM base\nLABEL a=\"3 4\" c=$X\nMAINTAINER Me\n",
         "{\"Env\":[\"PATH=/x\"],\"Labels\":{\"a\":\"3 4\",\"b\":\"2\",\"c\":\"\",\"maintainer\":\"Me\"}}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        base_config = cases[i].base;
        assert_string_equal(config_of(cases[i].text), cases[i].config);
    }
    base_config = NULL;
    const struct image_config *config =
        made("FROM base\nHEALTHCHECK --interval=5s --retries=2 CMD curl x\nPORT 8080:80 127.0.0.1:53:53/udp\n"
             "VOLUME /a data:/b\nDBASE mysql\nDBASE postgres blog\n",
             NULL)
            ->config;
    assert_string_equal(config->health->test.items[0], "CMD-SHELL");
    assert_string_equal(config->health->test.items[1], "curl x");
    assert_int_equal(config->health->interval, 5000);
    assert_int_equal(config->health->retries, 2);
    assert_int_equal(config->ports.count, 2);
    assert_int_equal(config->volumes.count, 2);
    assert_string_equal(((const struct image_volume *)config->volumes.items[1])->name, "data");
    assert_int_equal(config->databases.count, 2);
    assert_string_equal(((const struct image_database *)config->databases.items[1])->key, "postgres:blog");
    assert_true(made("FROM base\nHEALTHCHECK NONE\n", NULL)->config->health->none);
}

/* ---- keys ---- */

static const char *key_of(const char *text, const struct given *given)
{
    const struct build *build = made(text, given);
    assert_true(build->is_known);
    for (size_t i = 0; i < build->count; i++)
        assert_int_equal(strlen(build->steps[i].key), 64);
    return build->count ? build->steps[build->count - 1].key : "";
}

#define SAME(left, right)    assert_string_equal(key_of(left, NULL), key_of(right, NULL))
#define DIFFERS(left, right) assert_string_not_equal(key_of(left, NULL), key_of(right, NULL))

static void keys(void **state)
{
    (void)state;
    static const char *const run = "FROM base\nRUN x\n", *const copy = "FROM base\nCOPY one.txt /a\n";
    SAME(run, "# comment\nFROM base\n\n\nRUN x\n");
    SAME(run, "FROM base\nLABEL a=b\nCMD c\nEXPOSE 80\nRUN x\n"); /* nothing that the command sees */
    SAME(run, "ARG X=base\nFROM $X\nRUN x\n");
    SAME(run, "FROM base AS q\nFROM q\nRUN x\n");
    DIFFERS(run, "FROM base\nRUN y\n");
    DIFFERS(run, "FROM base\nENV A=1\nRUN x\n");
    DIFFERS(run, "FROM base\nARG A=1\nRUN x\n");
    DIFFERS(run, "FROM base\nUSER u\nRUN x\n");
    DIFFERS(run, "FROM base\nSHELL [\"/bin/bash\", \"-c\"]\nRUN x\n");
    DIFFERS(run, "FROM base\nRUN --init x\n");
    DIFFERS(run, "FROM base\nRUN --network=none x\n");
    DIFFERS(run, "FROM base\nRUN --mount=type=tmpfs,target=/t x\n");
    DIFFERS(run, "FROM base\nRUN w\nRUN x\n");
    DIFFERS(run, "FROM scratch\nRUN x\n");
    DIFFERS("FROM base\nRUN <<E\na\nE\n", "FROM base\nRUN <<E\nb\nE\n");
    DIFFERS(copy, "FROM base\nCOPY one.txt /b\n");
    DIFFERS(copy, "FROM base\nCOPY two.txt /a\n");
    DIFFERS(copy, "FROM base\nADD one.txt /a\n");
    DIFFERS(copy, "FROM base\nCOPY --chown=1 one.txt /a\n");
    DIFFERS(copy, "FROM base\nCOPY --chmod=600 one.txt /a\n");
    DIFFERS("FROM base\nWORKDIR /a\n", "FROM base\nWORKDIR /b\n");
    DIFFERS("FROM base\nCOPY <<E /x\na\nE\n", "FROM base\nCOPY <<E /x\nb\nE\n");
    DIFFERS("FROM base AS s\nRUN 1\nFROM base\nCOPY --from=s /x /\n",
            "FROM base AS s\nRUN 2\nFROM base\nCOPY --from=s /x /\n");
    SAME("FROM base AS s\nRUN 1\nFROM base\nCOPY --from=s /x /\n",
         "FROM base AS t\nRUN 1\nFROM base\nCOPY --from=t /x /\n");
    static const struct given epoch = {.epoch = "5"}, stamp = {.stamp = "5"}, salt = {.salt = "s"},
                              proxy = {.arguments = {"http_proxy", "p"}};
    assert_string_not_equal(key_of(run, NULL), key_of(run, &epoch));
    assert_string_equal(key_of(run, &stamp), key_of(run, &epoch));
    assert_string_not_equal(key_of(run, NULL), key_of(run, &salt));
    assert_string_equal(key_of(run, NULL), key_of(run, &proxy));
    const char *before = key_of(run, NULL);
    base_digest = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    assert_string_not_equal(before, key_of(run, NULL));
    base_digest = BASE;
}

/* A declared one is something that the image is made of, and seen by who asks for it; that of the environment is not. */
static void epochs(void **state)
{
    (void)state;
    static const char *const text = "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n";
    static const struct given declared = {.epoch = "5"}, stamped = {.stamp = "5"}, other = {.stamp = "6"},
                              both = {.epoch = "5", .stamp = "6"},
                              argument = {.arguments = {"SOURCE_DATE_EPOCH", "5"}};
    assert_string_equal(made(text, &stamped)->made_of, made(text, NULL)->made_of);
    assert_string_equal(made(text, &other)->made_of, made(text, NULL)->made_of);
    assert_string_equal(made(text, &stamped)->epoch, "5");
    assert_non_null(strstr(made(text, &declared)->made_of, "SOURCE_DATE_EPOCH=5"));
    assert_string_equal(made(text, &both)->made_of, made(text, &declared)->made_of);
    assert_string_equal(made(text, &both)->epoch, "5");
    assert_string_equal(made(text, &argument)->made_of, made(text, &declared)->made_of);
    assert_string_equal(key_of(text, &argument), key_of(text, &declared));
    assert_string_not_equal(key_of(text, &stamped), key_of(text, &declared));
    assert_null(make(text, &(struct given){.stamp = "yesterday"}));
}

/* What an address holds is part of the key, and without a checksum not known until it was fetched. */
static void addresses(void **state)
{
    (void)state;
#define URL "https://x.example/dir/a.txt?b"
#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222222222222222222222222222"
    static const char *const text = "FROM base\nADD " URL " /a/\nRUN x\n",
                             *const pinned = "FROM base\nADD --checksum=sha256:" ONE " " URL " /a/\nRUN x\n";
    static const struct given one = {.fetched = {URL, ONE}}, two = {.fetched = {URL, TWO}},
                              vain = {.fetched = {URL, "!no answer"}};
    struct build *build = made(text, NULL);
    assert_false(build->is_known);
    assert_null(build->steps[1].key);
    assert_int_equal(build->addresses.count, 1);
    assert_null(build->fetched);
    build = made(text, &one);
    assert_true(build->is_known);
    assert_string_equal(build->fetched, ONE " " URL "\n");
    const struct build_copy *copy = build->steps[0].request;
    assert_string_equal(((const struct build_source *)copy->sources.items[0])->path, "a.txt");
    assert_string_not_equal(key_of(text, &one), key_of(text, &two));
    assert_string_equal(key_of(text, &one), key_of(pinned, &two));
    assert_int_equal(made(pinned, NULL)->addresses.count, 0);
    assert_null(make(text, &vain));
    assert_null(make("FROM base\nADD https://x.example/ /a/\n", NULL));
    assert_non_null(make("FROM base\nADD https://x.example/ /a\n", NULL));
    assert_null(make("FROM base\nCOPY " URL " /a/\n", NULL));
}

/* Content, mode and names count; owners and times do not. */
static void keys_of_files(void **state)
{
    (void)state;
    static const char *const text = "FROM base\nCOPY dir /d/\n";
    const char *before = key_of(text, NULL), *file = arena_printf(arena, "%s/dir/abc", scratch);
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(file, 7, 7), 0);
    assert_string_equal(before, key_of(text, NULL));
    assert_int_equal(chmod(file, 0600), 0);
    assert_string_not_equal(before, key_of(text, NULL));
    assert_int_equal(chmod(file, 0644), 0);
    put("dir/abc", "other");
    assert_string_not_equal(before, key_of(text, NULL));
    put("dir/abc", "abc");
    assert_string_equal(before, key_of(text, NULL));
    put("dir/new", "");
    assert_string_not_equal(before, key_of(text, NULL));
    assert_int_equal(unlink(arena_printf(arena, "%s/dir/new", scratch)), 0);
    put("ignored/new", "not looked at");
    const char *all = key_of("FROM base\nCOPY . /\n", NULL);
    put("ignored/new", "nor this");
    assert_string_equal(all, key_of("FROM base\nCOPY . /\n", NULL));
}

/* A base that is not there yet: no keys, but all else. */
static void unknown_base(void **state)
{
    (void)state;
    base_digest = NULL;
    const struct build *build =
        made("FROM base\nRUN x\nFROM other\nRUN y\nCOPY --from=0 /x /\nRUN z\n", NULL);
    assert_false(build->is_known);
    assert_null(build->steps[0].key);
    assert_non_null(build->steps[1].key);
    assert_null(build->steps[2].key);
    assert_null(build->steps[3].key);
    assert_int_equal(build->base_count, 2);
    /* What it sets is not known either: only what does not hang on that is judged. */
    static const char unset[] =
        "COPY ${DIR}/no /x\nWORKDIR ${DIR:?must}\nUSER $DIR\nENV HERE=$DIR\nEXPOSE $HERE\n"
        "RUN --mount=type=bind,source=$HERE,target=/x ls\nCOPY <<E /x\n${HERE:?must}\nE\n"
        "ADD https://x.example/$HERE /x\n";
    build = made(arena_printf(arena, "FROM base AS a\nFROM a\n%sCOPY one.txt /x\n", unset), NULL);
    assert_false(build->is_known);
    assert_int_equal(build->warnings.count, 0);
    assert_int_equal(build->addresses.count, 0);
    assert_int_equal(build->taken.count, 1);
    build = made("FROM base\nARG V=$DIR\nARG V=1\nUSER $V\n", NULL);
    assert_string_equal(build->config->user, "1");
    assert_null(make(arena_printf(arena, "FROM base\n%sCOPY no /x\nUSER 70000\n", unset), NULL));
    problems_sort(&problems);
    assert_int_equal(problems.count, 2);
    assert_int_equal(problems.items[0].place.line, 12);
    base_digest = BASE;
    assert_null(make(arena_printf(arena, "FROM base\n%s", unset), NULL));
    assert_true(problems.count >= 5);
    build = made("FROM base\nRUN x\nRUN y\n", NULL);
    const struct build_run *run = build->steps[1].request;
    assert_true(build->is_known);
    assert_string_equal(run->place->image, BASE);
    assert_int_equal(run->place->below.count, 1);
    assert_string_equal(run->place->below.items[0], build->steps[0].key);
    assert_string_equal(run->place->key, build->steps[1].key);
    assert_string_equal(run->what, "Recipe:3 RUN y");
    assert_int_equal(build->place->below.count, 2);
    assert_string_equal(build->place->below.items[0], build->steps[1].key);
    assert_null(build->place->key);
}

/* ---- what is wrong ---- */

static void all_is_told(void)
{
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"FROM base\nCOPY no1 no2 /x/\nCOPY no3 /y\nADD http://x.example/a /x\nWORKDIR ${Q:?must}\nUSER "
         "$Q:\n",
         "2 2 3 4 5 6"},
        {"FROM --platform=linux/arm64 base AS a\nCOPY no /x\nFROM base\nCOPY --from=a /x /x\nCOPY no /x\n",
         "1 2 5"},
        {"FROM nothing AS a\nCOPY no /x\nFROM a AS b\nCOPY no /x\nFROM base\nCOPY no /x\nCOPY --from=b /x "
         "/\n",
         "1 2 4 6"},
        {"FROM ${X:?a} AS a\nCOPY no /x\nFROM base\nCOPY no /x\nCOPY --from=a /x /x\n", "1 2 4"},
        /* What hangs on a variable that could not be set is not judged. */
        {"FROM base\nCOPY no /x\nENV A=${Q:?must}\nWORKDIR ${A:?must}\nFROM base\n", ""},
        {"FROM base AS a\nCOPY no /x\nENV A=${Q:?must}\nWORKDIR ${A:?must}\nFROM a\nCOPY no /x\n", "2 3 6"},
        {"FROM base\nENV A=${Q:?must}\nCOPY $A no /x/\nCOPY <<E /x\n${A:?must}\nE\nCOPY no /x\n", "2 7"},
        {"FROM base\nENV A=${Q:?must}\nRUN --mount=type=bind,source=$A,target=/x echo\n"
         "RUN --mount=type=bind,source=no,target=/x --mount=type=bind,source=none,target=/y echo $A\n",
         "2 4 4"},
        {"FROM nothing\nCOPY $FILE /x\nCOPY no /x\n", "1 3"},
        {"ARG A=${Q:?must}\nARG B=${A:?must}\nFROM $A\nARG A\nCOPY $A /x\nCOPY no /x\n", "1 6"},
        {"ARG SOURCE_DATE_EPOCH=now\nFROM base\nCOPY no /x\n", "2 3"},
        /* A recipe that is broken somewhere says all else that is wrong. */
        {"FROM base\nCOPPY one.txt /x\nCOPY no /x\nRUN --mout=x echo\nPORT 70000 $P\nCOPY --from=9 no /x\n",
         "2 3 4 5 6"},
        {"FROM nothing\nRUNN x\nFROM base\nUSER ${Q:?must}\n", "2 4"},
        {"FROM base\nCOPY --chmod=u+x no /x\nCOPY --chown=a:b:c --chmod=888 no none /x\n", "2 2 3 3 3 3 3"},
        {"FROM base\nRUN --mount=type=cach,target=/x --mount=type=bind,source=no,target=/y echo\n", "2 2"},
        {"FROM base\nVOLUME a ${Q:?must}\nEXPOSE 0 ${Q:?must}\nADD --checksum=x https://x.example/a no /x/\n",
         "2 2 3 3 4 4"},
        {"FROM base\nDBASE oracle\nHEALTHCHECK --interval=3 CMD x\nENV =1\nSTOPSIGNAL x\nONBUILD FROM x\n",
         "2 3 4 5 6"},
        /* Flags that are not known may say where the sources are. */
        {"FROM base AS a\nFROM base\nCOPY --form=a no /x\nCOPY --from=$A no /x\nCOPY no /x\n", "3 4 5"},
        /* What may set variables and cannot be read leaves them in doubt. */
        {"FROM base\nAGR FILE=x\nCOPY $FILE no /x/\nCOPY no /x\n", "2 4"},
        {"FROM base\nEXPORT FILE=x\nCOPY ${FILE:?must} /x\nCOPY no /x\n", "2 4"},
        {"FROM base\nENV FILE=x OTHER\nCOPY ${FILE:?must} /x\nCOPY no /x\n", "2 4"},
        {"ARG =1\nFROM ${X:?must}\nCOPY no /x\n", "1 3"},
        {"XYZZY base\nRUN x\nFROM ${X:?must}\nARG X\nUSER ${X:?must}\nCOPY no /x\n", "1 6"},
        /* A broken FROM begins a stage, of which it may have said any name. */
        {"FORM base AS a\nCOPY no /x\nFROM base\nCOPY --from=a one.txt /x\nCOPY --from=0 one.txt /x\n",
         "1 2"},
        {"FROM base a nothing\nFROM base AS 1st-nothing\nFROM nothing\nCOPY --from=nothing /x /x\n"
         "RUN --mount=type=bind,from=nothing,target=/x y\nCOPY no /x\n",
         "1 2 6"},
        {"FROM --platfrom=linux nothing\nCOPY no /x\n", "1 1 2"},
        {"FROM --platform=$P base AS 1st\nRUN\nFROM base\nCOPY no /x\n", "1 2 4"},
        /* Of what is not read to its end nothing more is said. */
        {"# escape=x\nFROM nothing\nCOPY no /x\n", "1"},
        {"FROM base\nCOPY no /x\nRUN <<EOF\nCOPY no /x\n", "3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *lines = "";
        const struct build *build = make(cases[i].text, NULL);
        assert_int_equal(!build, *cases[i].lines != '\0');
        problems_sort(&problems);
        for (size_t j = 0; j < problems.count; j++)
            lines = arena_printf(arena, "%s%s%u", lines, j ? " " : "", problems.items[j].place.line);
        if (strcmp(lines, cases[i].lines) != 0)
            fail_msg("%s\nis wrong in the lines %s, and not in %s", cases[i].text, lines, cases[i].lines);
    }
    /* A stage that is not there may be one whose FROM is broken. */
    static const struct given named = {.stage = "build"};
    assert_null(make("FROM base As build it\nRUN x\n", &named));
    assert_int_equal(problems.count, 1);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
        uint32_t line;
    } cases[] = {
        {"FROM nothing\n", "FROM nothing: there is no image nothing", 1},
        {"FROM base\nCOPY --from=nothing /a /b\n", "COPY --from=nothing: there is no image nothing", 2},
        {"FROM ${X}\n", "FROM: ${X} comes to nothing", 1},
        {"FROM ${X:?say}\n", "FROM: X: say", 1},
        {"FROM --platform=linux/arm64 base\n", "FROM --platform: this host is linux/amd64, not linux/arm64",
         1},
        {"FROM base\nCOPY missing /a\n", "COPY: missing: No such file or directory", 2},
        {"FROM base\nCOPY m* /a\n", "COPY: nothing in the context matches m*", 2},
        {"FROM base\nCOPY ignored /a\n", "COPY: ignored is left out by the ignore file", 2},
        {"FROM base\nCOPY ../../etc/shadow /a\n", "COPY: '../../etc/shadow' leads out of the context", 2},
        {"FROM base\nCOPY out /a\n", "COPY: out leads out of the context", 2},
        {"FROM base\nCOPY absolute /a\n", "COPY: absolute leads out of the context", 2},
        {"FROM base\nCOPY up/x /a\n", "COPY: up/x leads out of the context", 2},
        {"FROM base\nCOPY fifo /a\n", "COPY: fifo is neither a file, a folder nor a symbolic link", 2},
        {"FROM base\nCOPY *.txt /a\n", "COPY: the target of several sources must be a folder, found '/a'", 2},
        {"FROM base\nCOPY [a /x\n", "COPY: '[a' is no pattern", 2},
        {"FROM base\nCOPY --exclude=[a dir /x\n", "'[a' is no pattern, or longer than 1024 bytes", 2},
        {"FROM base\nADD https://x.example/a.git#main:sub /a\n",
         "ADD: repositories are not cloned, found 'https://x.example/a.git#main:sub'", 2},
        {"FROM base\nADD http://x.example/a /a\n",
         "ADD: of addresses only https:// ones are fetched, found 'http://x.example/a'", 2},
        {"FROM base\nCOPY https://x.example/a /a\n", "COPY fetches no address, found 'https://x.example/a'",
         2},
        {"FROM base AS a\nFROM base\nCOPY --from=a --exclude=x /a /b\n",
         "COPY --from: --exclude is not supported with it", 3},
        {"FROM base\nENV U=\"a b\"\nCOPY --chown=$U one.txt /\n",
         "COPY --chown: expected user[:group], found 'a b'", 3},
        {"FROM base\nENV U=9\nCOPY --chmod=$U one.txt /\n",
         "COPY --chmod: expected octal permissions up to 07777, found '9'", 3},
        {"FROM base\nENV U=\nCOPY \"$U\" /\n", "COPY: expected a path, found ''", 3},
        {"FROM base\nUSER 70000\n", "USER: expected user[:group], as numbers 0 to 65535, found '70000'", 2},
        {"FROM base\nENV U=0:65536\nUSER $U\n",
         "USER: expected user[:group], as numbers 0 to 65535, found '0:65536'", 3},
        {"FROM base\nENV U=70000\nCOPY --chown=$U one.txt /\n",
         "COPY --chown: expected user[:group], as numbers 0 to 65535, found '70000'", 3},
        {"FROM base\nUSER 65535:65535\nCOPY --chown=65535:a one.txt /\n", NULL, 0},
        {"FROM base\nENV U=\"a b\"\nUSER $U\n", "USER: expected user[:group], found 'a b'", 3},
        {"FROM base\nENV U=\"a 80\"\nEXPOSE $U\n",
         "EXPOSE: expected port[-port][/tcp|udp|sctp] from 1 to 65535, found 'a'", 3},
        {"FROM base\nENV E=oracle\nDBASE $E\n",
         "DBASE: expected an engine, mysql, mariadb or postgres, and a name if wanted, found 'oracle'", 3},
        {"FROM base AS a\nONBUILD COPY nofile /x\nFROM a\n",
         "FROM a: its ONBUILD COPY nofile /x is done here: COPY: nofile: No such file or directory", 3},
        {"FROM base AS a\nONBUILD COPY --from=b /x /x\nFROM base AS b\nFROM a\n",
         "FROM a: its ONBUILD COPY --from=b /x /x is done here: its --from means an image, and this recipe "
         "has a "
         "stage of that name",
         4},
        {"FROM base\nENV \"A B\"=1\n", "ENV: 'A B' is no name of a variable", 2},
        {"FROM base\nARG A*=1\nARG ${X}=1\n", NULL, 0},
        {"FROM base\nRUN --mount=type=bind,source=missing,target=/x ls\n",
         "RUN: missing: No such file or directory", 2},
        {"FROM base\nRUN --mount=type=secret,id=k,env=K=2 ls\n",
         "RUN --mount: env: 'K=2' is no name of a variable", 2},
        {"FROM base\nRUN --mount=type=tmpfs,target=/a/.. ls\n",
         "RUN --mount: nothing is mounted over the whole root", 2},
        {"FROM base\nENV S=many\nRUN --mount=type=cache,target=/x,sharing=$S ls\n",
         "RUN --mount: sharing: expected shared, private or locked, found 'many'", 3},
        {"FROM base\nCOPY <<a/b /x\nq\na/b\n",
         "COPY: 'a/b' is no name of a file, which the here-document becomes", 2},
        {"FROM base\nCOPY <<E /x\n${A:?needed}\nE\n", "COPY <<E: A: needed", 2},
        {"ARG SOURCE_DATE_EPOCH=now\nFROM base\n",
         "SOURCE_DATE_EPOCH: expected seconds since 1970, found 'now'", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct build *build = make(cases[i].text, NULL);
        if (!cases[i].said)
            continue;
        assert_null(build);
        if (problems.count != 1)
            fail_msg("%s: %s", problems.items[0].message, problems.items[1].message);
        assert_string_equal(problems.items[0].message, cases[i].said);
        assert_int_equal(problems.items[0].place.line, cases[i].line);
        assert_string_equal(problems.items[0].place.file, "/x/Recipe");
    }
    all_is_told();
    const char *many = "FROM base\n";
    for (int i = 0; i < 1025; i++)
        many = arena_printf(arena, "%sLABEL l%d=x\n", many, i);
    assert_null(make(many, NULL));
    assert_string_equal(problems.items[0].message,
                        "what the image says about being run: config: Labels: expected an object of at most "
                        "1024 keys");
    static const struct given stage = {.stage = "biuld"};
    assert_null(make("FROM base AS build\n", &stage));
    assert_string_equal(problems.items[0].message, "the recipe has no stage 'biuld': it has build");
    assert_string_equal(problems.items[0].hint, "did you mean 'build'?");
    assert_null(make("FROM base AS build\nFROM base\n", &stage));
    assert_string_equal(problems.items[0].message,
                        "the recipe has no stage 'biuld': it has build, 1 (FROM base)");
    assert_null(make("FROM --platform=linux/none base\n", NULL));
    assert_int_equal(problems.items[0].place.column, 6);
    assert_null(make("FROM base\nCOPY ignored /a\n", NULL));
    assert_non_null(strstr(problems.items[0].hint, ".dockerignore:2 leaves it out: ignored"));
    assert_null(make("FROM base\nCOPY . /a\n", NULL));
    assert_string_equal(problems.items[0].message,
                        "COPY: fifo is neither a file, a folder nor a symbolic link");
    assert_string_equal(problems.items[0].hint, "a line of .dockerignore leaves it out");
}

static void unused_arguments(void **state)
{
    (void)state;
    static const struct given given = {.arguments = {"A", "1", "B", "2", "TARGETARCH", "x", "no_proxy", "y"}};
    const struct build *build = made("FROM base\nARG A\nRUN x\n", &given);
    assert_int_equal(build->warnings.count, 1);
    assert_string_equal(build->warnings.items[0].message, "no ARG of the recipe takes the argument B");
    assert_string_equal(build->warnings.items[0].hint, "add an ARG for it");
    static const struct given mistyped = {.arguments = {"VERSOIN", "7"}};
    build = made("FROM base\nARG VERSION=1\nRUN x\n", &mistyped);
    assert_int_equal(build->warnings.count, 1);
    assert_string_equal(build->warnings.items[0].message,
                        "no ARG of the recipe takes the argument VERSOIN; did you mean VERSION?");
    assert_null(build->warnings.items[0].hint);
}

static void unused_secrets(void **state)
{
    (void)state;
    static const char text[] =
        "FROM base\nRUN --mount=type=secret,id=token --mount=type=secret,dst=/x/key ls\n";
    static const struct given all = {.secrets = {"token", "/a", "key", "/b"}},
                              mistyped = {.secrets = {"tokn", "/a", "certificate", "/b"}};
    assert_int_equal(made(text, &all)->warnings.count, 0);
    const struct build *build = made(text, &mistyped);
    assert_int_equal(build->warnings.count, 2);
    assert_string_equal(build->warnings.items[0].message,
                        "no RUN of the recipe mounts the secret tokn; did you mean token?");
    assert_null(build->warnings.items[0].hint);
    assert_string_equal(build->warnings.items[1].message,
                        "no RUN of the recipe mounts the secret certificate");
    assert_string_equal(build->warnings.items[1].hint, "RUN --mount=type=secret,id=certificate does");
}

/* They are not in images, and say nothing of the files beside them. */
static void sockets_are_left_out(void **state)
{
    (void)state;
    const char *path = arena_printf(arena, "%s/dir/socket", scratch);
    const char *key = made("FROM base\nCOPY dir /d\nCOPY dir/* /e/\n", NULL)->steps[1].key;
    assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
    assert_string_equal(made("FROM base\nCOPY dir /d\nCOPY dir/* /e/\n", NULL)->steps[1].key, key);
    assert_null(make("FROM base\nCOPY dir/socket /d\n", NULL));
    assert_string_equal(problems.items[0].message,
                        "COPY: dir/socket is neither a file, a folder nor a symbolic link");
    assert_int_equal(unlink(path), 0);
}

static void missing_secrets(void **state)
{
    (void)state;
    const struct build *build = made("FROM base\nRUN --mount=type=secret,id=k,required ls\n", NULL);
    assert_int_equal(build->missing.count, 1);
    assert_string_equal(build->missing.items[0].message, "the secret k is required, and not given");
    assert_int_equal(build->missing.items[0].place.line, 2);
    build = made("FROM base\nRUN --mount=type=secret,id=k,env=K ls\n", NULL);
    assert_int_equal(build->missing.count, 0);
    const struct build_run *run = build->steps[0].request;
    const struct build_mount *mount = run->mounts.items[0];
    assert_string_equal(mount->env, "K");
    assert_null(mount->target);
}

static void unset_variables(void **state)
{
    (void)state;
    const struct build *build =
        made("FROM base\nENV A=1\nWORKDIR /$A/${B:-x}/$C\nLABEL l=${D}$C\nRUN $E\n", NULL);
    assert_int_equal(build->warnings.count, 3);
    assert_string_equal(build->warnings.items[0].message,
                        "WORKDIR: the variable C is set by no ARG and no ENV above");
    assert_int_equal(build->warnings.items[0].place.line, 3);
    assert_int_equal(build->warnings.items[1].place.line, 4);
}

/* ---- what has changed ---- */

static const struct place whole = {.file = "/x/Recipe"};

static const char *changes(const char *before, const char *after, const struct given *given_before,
                           const struct given *given_after)
{
    struct buffer out = {0};
    struct changes found = {0};
    const struct build *old = made(before, given_before), *new = made(after, given_after);
    buffer_text(&out, "");
    build_changes("Recipe", whole, old->made_of, new, arena, &found);
    for (size_t i = 0; i < found.count; i++)
        buffer_printf(&out, "%s: %s -> %s @%u\n", found.items[i].field,
                      found.items[i].old ? found.items[i].old : "-",
                      found.items[i].new ? found.items[i].new : "-", found.items[i].at.line);
    const char *text = arena_strdup(arena, out.bytes);
    buffer_clear(&out);
    return text;
}

static void differences(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *said;
    } cases[] = {
        {"FROM base\nRUN x\n", "# comment\nFROM base\n\nRUN x\n", ""},
        {"FROM base\nRUN x\nCMD a\n", "FROM base\nRUN x\nCMD b\n", "Recipe:3: CMD a -> CMD b @3\n"},
        {"FROM base\nRUN x\nRUN y\n", "FROM base\nRUN x\nRUN z\nRUN y\n", "Recipe:3: - -> RUN z @3\n"},
        {"FROM base\nRUN x\nRUN y\n", "FROM base\nRUN y\n", "Recipe:2: RUN x -> - @0\n"},
        {"FROM base\nENV A=1\nRUN x\n", "FROM base\nENV A=2\nRUN x\n", "Recipe:2: ENV A=1 -> ENV A=2 @2\n"},
        {"FROM base\nRUN <<E\na\nE\n", "FROM base\nRUN <<E\nb\nE\n",
         "Recipe:2: RUN <<E -> RUN <<E (with other values in it) @2\n"},
        {"FROM base\nSHELL [\"a\"]\n", "FROM base\nSHELL [\"b\"]\n",
         "Recipe:2: SHELL [\"a\"] -> SHELL [\"b\"] @2\n"},
        {"FROM base\nRUN x\n", "FROM other\nRUN x\n",
         "base image other: - -> aaaaaaaaaaaa @1\nbase image base: aaaaaaaaaaaa -> - @0\n"},
    };
    for (size_t i = 0; i < COUNT(cases) - 1; i++)
        assert_string_equal(changes(cases[i].before, cases[i].after, NULL, NULL), cases[i].said);
    const char *text = "FROM base\nARG V=1\nCOPY dir one.txt /x/\nRUN y\n";
    const struct build *old = made(text, NULL);
    struct changes found = {0};
    put("one.txt", "changed");
    build_changes("Recipe", whole, old->made_of, made(text, NULL), arena, &found);
    put("one.txt", "one");
    assert_int_equal(found.count, 1);
    assert_string_equal(found.items[0].field, "Recipe:3 COPY one.txt");
    assert_int_equal(found.items[0].at.line, 3);
    static const struct given given = {.arguments = {"V", "2"}};
    assert_string_equal(changes(text, text, NULL, &given),
                        "Recipe:2: ARG V=1 -> ARG V=1 (with other values in it) @2\n");
    found = (struct changes){0};
    base_digest = NULL;
    build_changes("Recipe", whole, old->made_of, made(text, NULL), arena, &found);
    base_digest = BASE;
    assert_int_equal(found.count, 1);
    assert_string_equal(found.items[0].field, "base image base");
    assert_string_equal(found.items[0].new, "to be made");
}

/* What was recorded may be of another version, or anything. */
static void odd_records(void **state)
{
    (void)state;
    const struct build *build = made("FROM base\nRUN x\n", NULL);
    static const char *const texts[] = {
        "", "\n", "x", "1", "1 ", "1 in", "2 in - a", "1 base", "9999999999999 - x\n1 in - a\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct changes found = {0};
        build_changes("Recipe", whole, texts[i], build, arena, &found);
        assert_true(found.count >= 2);
    }
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
    static const char *const folders[] = {"dir", "dir/sub", "ignored", "kept"};
    arena = arena_new();
    base_digest = BASE;
    if (!mkdtemp(scratch))
        return -1;
    for (size_t i = 0; i < COUNT(folders); i++)
        if (mkdir(arena_printf(arena, "%s/%s", scratch, folders[i]), 0755) < 0)
            return -1;
    put("one.txt", "one");
    put("two.txt", "two");
    put("with blank", "");
    put("dir/abc", "abc");
    put("dir/b.o", "");
    put("dir/sub/c", "");
    put("ignored/x", "");
    put("kept/this", "");
    put("kept/that", "");
    put(".dockerignore", "# comment\nignored\nkept\n!kept/this\nfifo\n");
    assert_int_equal(symlink("dir/abc", arena_printf(arena, "%s/link", scratch)), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(arena);
    return 0;
}

/* Only where they are wanted: all of them break a COPY of everything. */
static int add_traps(void **state)
{
    (void)state;
    put(".dockerignore", "# comment\nignored\n");
    assert_int_equal(symlink("../../etc/passwd", arena_printf(arena, "%s/out", scratch)), 0);
    assert_int_equal(symlink("/etc/passwd", arena_printf(arena, "%s/absolute", scratch)), 0);
    assert_int_equal(symlink("..", arena_printf(arena, "%s/up", scratch)), 0);
    return mkfifo(arena_printf(arena, "%s/fifo", scratch), 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(configs),
        cmocka_unit_test(keys),
        cmocka_unit_test(epochs),
        cmocka_unit_test(addresses),
        cmocka_unit_test(keys_of_files),
        cmocka_unit_test(unknown_base),
        cmocka_unit_test(unused_arguments),
        cmocka_unit_test(unused_secrets),
        cmocka_unit_test(sockets_are_left_out),
        cmocka_unit_test(missing_secrets),
        cmocka_unit_test(unset_variables),
        cmocka_unit_test(differences),
        cmocka_unit_test(odd_records),
        cmocka_unit_test_setup(refusals, add_traps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
