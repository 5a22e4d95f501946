/* Recipes that are fine, and what is read from them: each case is a text and how its struct looks, written out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "specs/recipe_check.h"
#include "specs/recipe_mount.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void show_instruction(const struct recipe_instruction *instruction, struct buffer *out)
{
    buffer_printf(out, "%u:%u %s", instruction->place.line, instruction->place.column,
                  recipe_keyword_name(instruction->keyword));
    for (size_t i = 0; i < instruction->flag_count; i++)
        buffer_printf(out, " --%s=%s", instruction->flags[i].name,
                      instruction->flags[i].value ? instruction->flags[i].value : "");
    if (instruction->exec || instruction->json)
        buffer_text(out, " json");
    for (size_t i = 0; i < instruction->word_count; i++)
        buffer_printf(out, " [%s]%s", instruction->words[i].text, instruction->words[i].document ? "<<" : "");
    for (size_t i = 0; i < instruction->pair_count; i++)
        buffer_printf(out, " %s=(%s)", instruction->pairs[i].key,
                      instruction->pairs[i].value ? instruction->pairs[i].value : "none");
    for (size_t i = 0; i < instruction->document_count; i++)
        buffer_printf(out, " %s%s{%s}", instruction->documents[i].name,
                      instruction->documents[i].expands ? "" : "'", instruction->documents[i].text);
    buffer_text(out, "\n");
}

static void show(const struct recipe *recipe, struct buffer *out)
{
    buffer_text(out, "");
    for (size_t i = 0; i < recipe->argument_count; i++)
        buffer_printf(out, "ARG %s=(%s)\n", recipe->arguments[i].key,
                      recipe->arguments[i].value ? recipe->arguments[i].value : "none");
    for (size_t i = 0; i < recipe->count; i++) {
        const struct recipe_stage *stage = recipe->stages[i];
        buffer_printf(out, "%u:%u FROM %s", stage->place.line, stage->place.column, stage->base.text);
        if (stage->platform)
            buffer_printf(out, " on %s", stage->platform);
        buffer_printf(out, stage->name ? " as %s\n" : "\n", stage->name);
        for (size_t j = 0; j < stage->count; j++)
            show_instruction(stage->instructions[j], out);
    }
}

static struct recipe *read_text(struct arena *arena, const char *text, struct problems *problems)
{
    struct recipe *recipe;
    const struct recipe_piece piece = {
        .text = text, .length = strlen(text), .place = {.file = "Recipe", .line = 1, .column = 1}};
    *problems = (struct problems){.arena = arena};
    recipe_read(&piece, 1, arena, problems, &recipe);
    return recipe;
}

static void reads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"FROM debian\n", "1:1 FROM debian\n"},
        {"from debian as Build", "1:1 FROM debian as build\n"},
        {"\xef\xbb\xbf"
         "FROM debian\n",
         "1:1 FROM debian\n"},
        {"# a comment\n\n  \n  FROM debian\r\n\tUSER www-data\r\n", "4:3 FROM debian\n5:2 USER [www-data]\n"},
        {"ARG V=12\nARG W\nFROM --platform=$BUILDPLATFORM debian:$V AS a\nFROM a\n",
         "ARG V=(12)\nARG W=(none)\n3:1 FROM debian:$V on $BUILDPLATFORM as a\n4:1 FROM a\n"},
        /* continuations */
        {"FROM a\nRUN one \\\n  two\\\n three\nUSER b\n",
         "1:1 FROM a\n2:1 RUN [one   two three]\n5:1 USER [b]\n"},
        {"FROM a\nRUN one \\  \n# no\n   # nor this\n\n  two\n", "1:1 FROM a\n2:1 RUN [one   two]\n"},
        {"FROM a\nRUN one \\\\\nUSER b\n", "1:1 FROM a\n2:1 RUN [one \\\\]\n3:1 USER [b]\n"},
        {"FROM a\nRUN one \\", "1:1 FROM a\n2:1 RUN [one]\n"},
        {"# escape=`\nFROM a\nRUN one `\n two \\\nUSER b\n",
         "2:1 FROM a\n3:1 RUN [one  two \\]\n5:1 USER [b]\n"},
        {"# syntax=docker/dockerfile:1.7\n#  Escape = `\n# check=skip=all\nFROM a\nCMD b `\n c\n",
         "4:1 FROM a\n5:1 CMD [b  c]\n"},
        {"# nothing\n# escape=`\nFROM a\nCMD b \\\n c\n", "3:1 FROM a\n4:1 CMD [b  c]\n"},
        {"FROM a\nENV A=1 \\\n    # why\n    B=2\n", "1:1 FROM a\n2:1 ENV A=(1) B=(2)\n"},
        {"FROM a\nRUN echo \\\n# c\n\"# kept\"\n", "1:1 FROM a\n2:1 RUN [echo \"# kept\"]\n"},
        /* forms */
        {"FROM a\nRUN [\"/bin/sh\", \"-c\", \"a \\\"b\\\"\"]\nCMD []\nENTRYPOINT exec $X\n",
         "1:1 FROM a\n2:1 RUN json [/bin/sh] [-c] [a \"b\"]\n3:1 CMD json\n4:1 ENTRYPOINT [exec $X]\n"},
        {"FROM a\nRUN [ -f /x ] && echo y\nRUN ['a']\n",
         "1:1 FROM a\n2:1 RUN [[ -f /x ] && echo y]\n3:1 RUN [['a']]\n"},
        {"FROM a\nCOPY a  b\tc/ /d/\nADD [\"a b\", \"/c d/\"]\nVOLUME /a data:/b\nVOLUME [\"/a b\"]\n",
         "1:1 FROM a\n2:1 COPY [a] [b] [c/] [/d/]\n3:1 ADD json [a b] [/c d/]\n4:1 VOLUME [/a] [data:/b]\n"
         "5:1 VOLUME json [/a b]\n"},
        {"FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nSTOPSIGNAL sigint\nSTOPSIGNAL 9\nWORKDIR /a b\n",
         "1:1 FROM a\n2:1 SHELL json [/bin/bash] [-c]\n3:1 STOPSIGNAL [sigint]\n4:1 STOPSIGNAL [9]\n"
         "5:1 WORKDIR [/a b]\n"},
        {"FROM a\nENV A=1 B='x y' C=\"p q\" D=e\\ f\nENV OLD  the \"value\"  here \nLABEL a.b=\"c\" d=\n",
         "1:1 FROM a\n2:1 ENV A=(1) B=('x y') C=(\"p q\") D=(e\\ f)\n3:1 ENV OLD=(the \"value\"  here)\n"
         "4:1 LABEL a.b=(\"c\") d=()\n"},
        {"FROM a\nARG A B=2 C= D=\"x y\"\n", "1:1 FROM a\n2:1 ARG A=(none) B=(2) C=() D=(\"x y\")\n"},
        {"FROM a\nHEALTHCHECK --interval=1m30s --timeout=3s --retries=2 CMD curl -f http://x/ || exit 1\n"
         "HEALTHCHECK none\nHEALTHCHECK cmd [\"a\", \"b\"]\n",
         "1:1 FROM a\n2:1 HEALTHCHECK --interval=1m30s --timeout=3s --retries=2 [curl -f http://x/ || exit "
         "1]\n"
         "3:1 HEALTHCHECK\n4:1 HEALTHCHECK json [a] [b]\n"},
        {"FROM a\nPORT 80 8080:80/tcp 127.0.0.1:53:5353/udp [::1]:1-3:7-9\nEXPOSE 80 443/TCP 7000-7002/udp "
         "$P\n",
         "1:1 FROM a\n2:1 PORT [80] [8080:80/tcp] [127.0.0.1:53:5353/udp] [[::1]:1-3:7-9]\n"
         "3:1 EXPOSE [80] [443/TCP] [7000-7002/udp] [$P]\n"},
        {"FROM a\nDBASE mysql\nDBASE postgres blog\nUSER a:b\nUSER $U\nMAINTAINER Some Body <a@b>\n",
         "1:1 FROM a\n2:1 DBASE [mysql]\n3:1 DBASE [postgres] [blog]\n4:1 USER [a:b]\n5:1 USER [$U]\n"
         "6:1 MAINTAINER [Some Body <a@b>]\n"},
        /* flags */
        {"FROM a AS b\nFROM c\nCOPY --from=b --chown=1:2 --chmod=0755 --link /x /y\nRUN --init true\n"
         "RUN --network=none --security=sandbox --mount=type=cache,target=/c --mount=target=/s,from=b ls\n",
         "1:1 FROM a as b\n2:1 FROM c\n3:1 COPY --from=b --chown=1:2 --chmod=0755 --link= [/x] [/y]\n"
         "4:1 RUN --init= [true]\n5:1 RUN --network=none --security=sandbox --mount=type=cache,target=/c "
         "--mount=target=/s,from=b [ls]\n"},
        {"FROM a\nCOPY --chown=\"a\" --exclude='*.o x' -- --b /c\nRUN -- --init\n",
         "1:1 FROM a\n2:1 COPY --chown=a --exclude=*.o x [--b] [/c]\n3:1 RUN [--init]\n"},
        {"FROM a\nRUN --mount=type=tmpfs,target=/t,size=64m \\\n  --network=none \\\n  ls --all\n",
         "1:1 FROM a\n2:1 RUN --mount=type=tmpfs,target=/t,size=64m --network=none [ls --all]\n"},
        /* here-documents */
        {"FROM a\nRUN <<EOF\none\n# kept\n\ntwo \\\nEOF\nUSER b\n",
         "1:1 FROM a\n2:1 RUN [<<EOF] EOF{one\n# kept\n\ntwo \\\n}\n8:1 USER [b]\n"},
        {"FROM a\nCOPY <<A <<-'B C' \"<<D\" /x/\n$V\nA\n\tone\n\t\ttwo\n\tB C\nUSER b\n",
         "1:1 FROM a\n2:1 COPY [<<A]<< [<<-'B] [C'] [\"<<D\"] [/x/] A{$V\n} B C'{one\ntwo\n}\n8:1 USER "
         "[b]\n"},
        {"FROM a\nRUN cat <<-\"E\" 3<<F > /x; ls\n\t1\n\tE\n2\nF\n",
         "1:1 FROM a\n2:1 RUN [cat <<-\"E\" 3<<F > /x; ls] E'{1\n} F{2\n}\n"},
        {"FROM a\nRUN cat <<< word $((1<<2)) '<<EOF' \\<<EOF a<<EOF\nUSER b\n",
         "1:1 FROM a\n2:1 RUN [cat <<< word $((1<<2)) '<<EOF' \\<<EOF a<<EOF]\n3:1 USER [b]\n"},
        {"FROM a\nCMD cat <<EOF\nUSER b\n", "1:1 FROM a\n2:1 CMD [cat <<EOF]\n3:1 USER [b]\n"},
        {"FROM a\nRUN cat <<EOF \\\n  | sort\nb\nEOF\n",
         "1:1 FROM a\n2:1 RUN [cat <<EOF   | sort] EOF{b\n}\n"},
        {"FROM a\nRUN <<EOF\nEOF", "1:1 FROM a\n2:1 RUN [<<EOF] EOF{}\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_buffer_ struct buffer out = {0};
        struct problems problems;
        struct recipe *recipe = read_text(arena, cases[i].text, &problems);
        if (problems.count)
            fail_msg("%s: %u: %s", cases[i].text, problems.items[0].place.line, problems.items[0].message);
        show(recipe, &out);
        assert_string_equal(out.bytes, cases[i].shown);
    }
}

/* Words behind a continuation keep their line and column, counted in characters. */
static void places(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems;
    const struct recipe *recipe = read_text(arena,
                                            "FROM a\n  COPY --chown=1 \\\n# x\n   ä b \\\n\n c/ /d/\n"
                                            "ENV A=1 \\\n  BC=2\nCMD [\"a\", \\\n  \"b\"]\n",
                                            &problems);
    const struct recipe_instruction *copy = recipe->stages[0]->instructions[0],
                                    *env = recipe->stages[0]->instructions[1],
                                    *cmd = recipe->stages[0]->instructions[2];
    static const struct {
        uint32_t line, column;
    } words[] = {{4, 4}, {4, 6}, {6, 2}, {6, 5}};
    assert_int_equal(problems.count, 0);
    assert_int_equal(copy->place.column, 3);
    assert_int_equal(copy->flags[0].place.column, 8);
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_int_equal(copy->words[i].place.line, words[i].line);
        assert_int_equal(copy->words[i].place.column, words[i].column);
    }
    assert_int_equal(env->pairs[1].place.line, 8);
    assert_int_equal(env->pairs[1].place.column, 3);
    assert_int_equal(cmd->words[1].place.line, 10);
    assert_int_equal(cmd->words[1].place.column, 3);
    assert_string_equal(copy->text, "COPY --chown=1    ä b  c/ /d/");
    assert_int_equal(recipe->warnings.count, 1);
    assert_int_equal(recipe->warnings.items[0].place.line, 5);
}

/* Steps of a spec: a piece each, all of it placed where the spec has it. */
static void pieces(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems = {.arena = arena};
    struct recipe *recipe;
    static const char *const texts[] = {"FROM base", "RUN <<EOF\nid\nEOF\n", "COPY a \\\n b", "RUN true"};
    struct recipe_piece list[4];
    for (size_t i = 0; i < 4; i++)
        list[i] = (struct recipe_piece){.text = texts[i],
                                        .length = strlen(texts[i]),
                                        .place = {"web.yaml", 10 + (uint32_t)i, 7},
                                        .fixed = true};
    assert_true(recipe_read(list, 4, arena, &problems, &recipe));
    _cleanup_buffer_ struct buffer out = {0};
    show(recipe, &out);
    assert_string_equal(out.bytes,
                        "10:7 FROM base\n11:7 RUN [<<EOF] EOF{id\n}\n12:7 COPY [a] [b]\n13:7 RUN [true]\n");
    assert_int_equal(recipe->stages[0]->instructions[1]->words[1].place.line, 12);
    list[2].text = "COPY --form=x a b";
    list[2].length = strlen(list[2].text);
    assert_false(recipe_read(list, 4, arena, &problems, &recipe));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].place.file, "web.yaml");
    assert_int_equal(problems.items[0].place.line, 12);
    assert_int_equal(problems.items[0].place.column, 7);
}

static void stages_are_found(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems;
    const struct recipe *recipe = read_text(arena, "FROM a AS one\nFROM one\nFROM one AS Two\n", &problems);
    assert_ptr_equal(recipe_stage(recipe, "one"), recipe->stages[0]);
    assert_ptr_equal(recipe_stage(recipe, "TWO"), recipe->stages[2]);
    assert_ptr_equal(recipe_stage(recipe, "1"), recipe->stages[1]);
    assert_null(recipe_stage(recipe, "3"));
    assert_null(recipe_stage(recipe, "three"));
    assert_null(recipe_stage(recipe, "99999999999999999999"));
}

static void health(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems;
    const struct recipe *recipe = read_text(
        arena,
        "FROM a\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=250ms --start-interval=1h2m "
        "--retries=7 CMD x\n",
        &problems);
    const struct recipe_health *read = recipe->stages[0]->instructions[0]->health;
    assert_int_equal(read->interval, 90000);
    assert_int_equal(read->timeout, 1500);
    assert_int_equal(read->start_period, 250);
    assert_int_equal(read->start_interval, 3720000);
    assert_int_equal(read->retries, 7);
    assert_false(read->none);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milliseconds; /* -1: none */
    } cases[] = {{"0", 0},      {"0s", 0},        {"1s", 1000},         {"1.5s", 1500},
                 {".5s", 500},  {"1.s", 1000},    {"1h", 3600000},      {"1m1s", 61000},
                 {"1500us", 1}, {"1000000ns", 1}, {"+5s", 5000},        {"1", -1},
                 {"", -1},      {"s", -1},        {"-1s", -1},          {"1d", -1},
                 {"1s ", -1},   {"500us", -1},    {"99999999999s", -1}, {".s", -1},
                 {"1000µs", 1}, {"+", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value;
        const bool fine = recipe_duration(cases[i].text, &value);
        if (fine != (cases[i].milliseconds >= 0) || (fine && value != cases[i].milliseconds))
            fail_msg("%s: %d %lld", cases[i].text, fine, (long long)value);
    }
}

static void values(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    static const struct {
        enum recipe_keyword keyword;
        const char *text;
        bool fine;
    } cases[] = {{RECIPE_PORT, "80", true},         {RECIPE_PORT, "127.0.0.1:8080:80/udp", true},
                 {RECIPE_PORT, "1-3:7-8", false},   {RECIPE_PORT, "a:80:80", false},
                 {RECIPE_EXPOSE, "80/tcp", true},   {RECIPE_EXPOSE, "80/icmp", false},
                 {RECIPE_VOLUME, "data:/a", true},  {RECIPE_VOLUME, "data:a", false},
                 {RECIPE_STOPSIGNAL, "term", true}, {RECIPE_STOPSIGNAL, "SIGFOO", false},
                 {RECIPE_USER, "www-data:0", true}, {RECIPE_USER, "a b", false},
                 {RECIPE_WORKDIR, "anything", true}};
    for (size_t i = 0; i < COUNT(cases); i++)
        if ((recipe_expected(arena, cases[i].keyword, cases[i].text) == NULL) != cases[i].fine)
            fail_msg("%s %s", recipe_keyword_name(cases[i].keyword), cases[i].text);
    struct texts exposed = {0};
    assert_true(recipe_exposed(arena, "8000-8002/UDP", &exposed) &&
                recipe_exposed(arena, "1-9999", &exposed));
    assert_int_equal(exposed.count, 4);
    assert_string_equal(exposed.items[2], "8002/udp");
    assert_string_equal(exposed.items[3], "1-9999/tcp");
    int64_t mode;
    assert_true(recipe_mode("04755", &mode) && mode == 04755);
    assert_false(recipe_mode("u+x", &mode) || recipe_mode("10000", &mode) || recipe_mode("8", &mode));
}

static const char *get(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "T") == 0 ? "/target" : strcmp(name, "KIND") == 0 ? "cache" : NULL;
}

static void mounts(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct problems problems = {.arena = arena}, warnings = {.arena = arena};
    const struct recipe_checker checker = {arena, &problems, &warnings, '\\'};
    const struct recipe_expansion expansion = {.escape = '\\', .get = get};
    struct recipe_mount mount;
    const struct recipe_flag cache = {.name = "mount",
                                      .value =
                                          "type=$KIND,\"target=$T/a,b\",id=x,sharing=LOCKED,mode=0700,uid=5,"
                                          "gid=6,from=stage,source=/s,ro"},
                             bind = {.name = "mount", .value = "target=/a,rw=true"},
                             secret = {.name = "mount",
                                       .value = "type=secret,id=key,env=KEY,required,dst=/run/k"},
                             tmpfs = {.name = "mount", .value = "type=tmpfs,target=/t,size=1G"};
    assert_true(recipe_mount_read(&checker, &cache, &expansion, &mount));
    assert_int_equal(mount.type, RECIPE_MOUNT_CACHE);
    assert_string_equal(mount.target, "/target/a,b");
    assert_string_equal(mount.id, "x");
    assert_string_equal(mount.sharing, "locked");
    assert_string_equal(mount.from, "stage");
    assert_string_equal(mount.source, "/s");
    assert_int_equal(mount.mode, 0700);
    assert_int_equal(mount.uid, 5);
    assert_int_equal(mount.gid, 6);
    assert_true(mount.read_only);
    assert_true(recipe_mount_read(&checker, &bind, &expansion, &mount));
    assert_int_equal(mount.type, RECIPE_MOUNT_BIND);
    assert_false(mount.read_only);
    assert_true(recipe_mount_read(&checker, &secret, &expansion, &mount));
    assert_true(mount.required && mount.read_only);
    assert_string_equal(mount.env, "KEY");
    assert_true(recipe_mount_read(&checker, &tmpfs, &expansion, &mount));
    assert_int_equal(mount.size, INT64_C(1) << 30);
    recipe_mount_check(&checker, &cache); /* what is a variable is judged later */
    assert_int_equal(problems.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),  cmocka_unit_test(places),
        cmocka_unit_test(pieces), cmocka_unit_test(stages_are_found),
        cmocka_unit_test(health), cmocka_unit_test(durations),
        cmocka_unit_test(values), cmocka_unit_test(mounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
