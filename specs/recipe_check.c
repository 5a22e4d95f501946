/* See recipe_check.h. */
#include "specs/recipe_check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "lib/units.h"
#include "specs/image_config.h"
#include "specs/read.h"
#include "specs/recipe_mount.h"

enum flag_kind { FLAG_TEXT, FLAG_MANY, FLAG_SWITCH, FLAG_UNSUPPORTED };

#define LAST_ID 65535 /* of a container */

struct flag_rule {
    enum recipe_keyword keyword;
    const char *name;
    enum flag_kind kind;
};

static const struct flag_rule flag_rules[] = {
    {RECIPE_FROM, "platform", FLAG_TEXT},
    {RECIPE_RUN, "mount", FLAG_MANY},
    {RECIPE_RUN, "network", FLAG_TEXT},
    {RECIPE_RUN, "security", FLAG_TEXT},
    {RECIPE_RUN, "init", FLAG_SWITCH},
    {RECIPE_RUN, "device", FLAG_UNSUPPORTED},
    {RECIPE_COPY, "from", FLAG_TEXT},
    {RECIPE_COPY, "chown", FLAG_TEXT},
    {RECIPE_COPY, "chmod", FLAG_TEXT},
    {RECIPE_COPY, "link", FLAG_SWITCH},
    {RECIPE_COPY, "parents", FLAG_SWITCH},
    {RECIPE_COPY, "exclude", FLAG_MANY},
    {RECIPE_ADD, "chown", FLAG_TEXT},
    {RECIPE_ADD, "chmod", FLAG_TEXT},
    {RECIPE_ADD, "link", FLAG_SWITCH},
    {RECIPE_ADD, "exclude", FLAG_MANY},
    {RECIPE_ADD, "unpack", FLAG_SWITCH},
    {RECIPE_ADD, "checksum", FLAG_TEXT},
    {RECIPE_ADD, "keep-git-dir", FLAG_UNSUPPORTED},
    {RECIPE_HEALTHCHECK, "interval", FLAG_TEXT},
    {RECIPE_HEALTHCHECK, "timeout", FLAG_TEXT},
    {RECIPE_HEALTHCHECK, "start-period", FLAG_TEXT},
    {RECIPE_HEALTHCHECK, "start-interval", FLAG_TEXT},
    {RECIPE_HEALTHCHECK, "retries", FLAG_TEXT},
};
#define FLAG_RULES (sizeof(flag_rules) / sizeof(*flag_rules))

/* How many words follow a keyword, and what they are. */
static const struct {
    size_t least, most; /* most 0: any */
    const char *expected, *example;
} counts[RECIPE_KEYWORDS] = {
    [RECIPE_ADD] = {2, 0, "sources and a target", "ADD app.tar.gz /srv/"},
    [RECIPE_COPY] = {2, 0, "sources and a target", "COPY app.py /srv/"},
    [RECIPE_DBASE] = {1, 2, "an engine, and a name if wanted", "DBASE postgres blog"},
    [RECIPE_EXPOSE] = {1, 0, "ports", "EXPOSE 80/tcp"},
    [RECIPE_FROM] = {1, 3, "an image, and AS and a name if wanted", "FROM debian AS build"},
    [RECIPE_MAINTAINER] = {1, 1, "a name", "MAINTAINER somebody@example.org"},
    [RECIPE_PORT] = {1, 0, "ports", "PORT 8080:80"},
    [RECIPE_RUN] = {1, 0, "a command", "RUN apt-get update"},
    [RECIPE_SHELL] = {1, 0, "a command", "SHELL [\"/bin/bash\", \"-c\"]"},
    [RECIPE_STOPSIGNAL] = {1, 1, "a signal", "STOPSIGNAL SIGTERM"},
    [RECIPE_USER] = {1, 1, "a user, and a group if wanted", "USER www-data"},
    [RECIPE_VOLUME] = {1, 0, "paths", "VOLUME /var/lib/data"},
    [RECIPE_WORKDIR] = {1, 1, "a path", "WORKDIR /srv"},
};

static void check_flags(const struct recipe_checker *checker, const struct recipe_instruction *instruction);
static bool check_count(const struct recipe_checker *checker, const struct recipe_instruction *instruction);
static void check_from(const struct recipe_checker *checker, const struct recipe_instruction *instruction);
static void check_kept(const struct recipe_checker *checker, const struct recipe_instruction *instruction);
static void check_words(const struct recipe_checker *checker, const struct recipe_instruction *instruction);
static void check_health(const struct recipe_checker *checker, struct recipe_instruction *instruction);
static void check_values(const struct recipe_checker *checker, const struct recipe_instruction *instruction);

static void check_parts(const struct recipe_checker *checker, struct recipe_instruction *instruction)
{
    const size_t before = checker->problems->count;
    check_flags(checker, instruction);
    if (instruction->keyword == RECIPE_COPY)
        check_from(checker, instruction);
    const bool counted = check_count(checker, instruction);
    if (checker->problems->count > before)
        instruction->flaw = RECIPE_BROKEN;
    check_values(checker, instruction);
    if (counted)
        check_words(checker, instruction);
}

void recipe_check(const struct recipe_checker *checker, struct recipe_instruction *instruction)
{
    const size_t before = checker->problems->count;
    check_kept(checker, instruction);
    if (instruction->keyword == RECIPE_ONBUILD)
        recipe_trigger(instruction->word_count ? instruction->words[0].text : "", checker->escape,
                       instruction->word_count ? instruction->words[0].place : instruction->place,
                       checker->arena, checker->problems);
    else
        check_parts(checker, instruction);
    if (checker->problems->count > before && instruction->flaw == RECIPE_SOUND)
        instruction->flaw = RECIPE_FLAWED;
}

bool recipe_from_is_whole(const struct recipe_instruction *from)
{
    return from->word_count == 1 || (from->word_count == 3 && strcasecmp(from->words[1].text, "AS") == 0);
}

bool recipe_has_variable(const char *text)
{
    return strpbrk(text, "$\"'\\`") != NULL;
}

/* ---- flags ---- */

static const struct flag_rule *find_rule(enum recipe_keyword keyword, const char *name)
{
    for (size_t i = 0; i < FLAG_RULES; i++)
        if (flag_rules[i].keyword == keyword && strcmp(flag_rules[i].name, name) == 0)
            return &flag_rules[i];
    return NULL;
}

static const char *hint_flag(const struct recipe_checker *checker, enum recipe_keyword keyword,
                             const char *name)
{
    const char *known[FLAG_RULES + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < FLAG_RULES; i++)
        if (flag_rules[i].keyword == keyword && flag_rules[i].kind != FLAG_UNSUPPORTED)
            known[count++] = flag_rules[i].name;
    return count ? hint_nearest(checker->arena, name, known) : "it takes no flags";
}

static bool is_switch_value(const char *value)
{
    return !value || strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static void check_flag(const struct recipe_checker *checker, const struct recipe_instruction *instruction,
                       const struct recipe_flag *flag)
{
    const char *keyword = recipe_keyword_name(instruction->keyword);
    const struct flag_rule *rule = find_rule(instruction->keyword, flag->name);
    if (!rule)
        problem_add(checker->problems, flag->place, hint_flag(checker, instruction->keyword, flag->name),
                    "%s: unknown flag --%s", keyword, flag->name);
    else if (rule->kind == FLAG_UNSUPPORTED)
        problem_add(checker->problems, flag->place, NULL, "%s --%s is not supported", keyword, flag->name);
    else if (rule->kind == FLAG_SWITCH ? !is_switch_value(flag->value) : !flag->value || !*flag->value)
        problem_add(
            checker->problems, flag->place, NULL, "%s --%s: expected %s, found %s%s%s", keyword, flag->name,
            rule->kind == FLAG_SWITCH ? "true or false" : "=VALUE", flag->value && *flag->value ? "'" : "",
            flag->value && *flag->value ? flag->value : "nothing", flag->value && *flag->value ? "'" : "");
    else if (rule->kind != FLAG_MANY && recipe_flag(instruction, flag->name) != flag)
        problem_add(checker->problems, flag->place, "keep one of them", "%s --%s: given twice", keyword,
                    flag->name);
}

static void check_flags(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    for (size_t i = 0; i < instruction->flag_count; i++)
        check_flag(checker, instruction, &instruction->flags[i]);
}

/* ---- values of flags ---- */

static void check_one_of(const struct recipe_checker *checker, const struct recipe_instruction *instruction,
                         const char *name, const char *const *known, const char *expected, const char *hint)
{
    const struct recipe_flag *flag = recipe_flag(instruction, name);
    if (!flag || !flag->value || !*flag->value)
        return;
    for (; *known; known++)
        if (strcmp(*known, flag->value) == 0)
            return;
    problem_add(checker->problems, flag->place, hint, "%s --%s: expected %s, found '%s'",
                recipe_keyword_name(instruction->keyword), name, expected, flag->value);
}

static void check_from(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const struct recipe_flag *from = recipe_flag(instruction, "from");
    if (from && from->value && strchr(from->value, '$'))
        problem_add(checker->problems, from->place, "FROM with the variable AS a name, and --from that name",
                    "COPY --from: variables are not expanded here, found '%s'", from->value);
}

static void check_checksum(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const struct recipe_flag *flag = recipe_flag(instruction, "checksum");
    const char *value = flag ? flag->value : NULL;
    if (!value || !*value || strchr(value, '$'))
        return;
    const char *digits = strncmp(value, "sha256:", 7) == 0 ? value + 7 : "";
    if (strlen(digits) != 64 || strspn(digits, "0123456789abcdef") != 64)
        problem_add(checker->problems, flag->place, NULL,
                    "ADD --checksum: expected sha256: and 64 hex digits, found '%s'", value);
}

static void check_values(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    static const char *const networks[] = {"default", "none", NULL}, *const securities[] = {"sandbox", NULL};
    int64_t mode;
    const struct recipe_flag *chmod = recipe_flag(instruction, "chmod");
    if (chmod && chmod->value && *chmod->value && !recipe_has_variable(chmod->value) &&
        !recipe_mode(chmod->value, &mode))
        problem_add(checker->problems, chmod->place, "--chmod=755",
                    "%s --chmod: expected octal permissions up to 07777, found '%s'",
                    recipe_keyword_name(instruction->keyword), chmod->value);
    const struct recipe_flag *chown = recipe_flag(instruction, "chown");
    if (chown && chown->value && *chown->value && !recipe_has_variable(chown->value) &&
        recipe_user_expected(chown->value))
        problem_add(checker->problems, chown->place, NULL, "%s --chown: expected %s, found '%s'",
                    recipe_keyword_name(instruction->keyword), recipe_user_expected(chown->value),
                    chown->value);
    if (instruction->keyword == RECIPE_ADD)
        check_checksum(checker, instruction);
    if (instruction->keyword == RECIPE_RUN) {
        check_one_of(checker, instruction, "network", networks, "default or none",
                     "a build has no other network than its own");
        check_one_of(checker, instruction, "security", securities, "sandbox",
                     "a build is never given more than an unprivileged container has");
        for (size_t i = 0; i < instruction->flag_count; i++)
            if (strcmp(instruction->flags[i].name, "mount") == 0 && instruction->flags[i].value)
                recipe_mount_check(checker, &instruction->flags[i]);
    }
    if (instruction->keyword == RECIPE_HEALTHCHECK)
        check_health(checker, (struct recipe_instruction *)instruction);
}

/* ---- counts ---- */

static bool check_count(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const enum recipe_keyword keyword = instruction->keyword;
    const char *name = recipe_keyword_name(keyword);
    const bool pairs = keyword == RECIPE_ARG || keyword == RECIPE_ENV || keyword == RECIPE_LABEL;
    if (pairs && !instruction->pair_count)
        problem_add(checker->problems, instruction->place,
                    arena_printf(checker->arena, "%s NAME=value", name), "%s: expected a name", name);
    else if (keyword == RECIPE_HEALTHCHECK)
        return true;
    else if ((keyword == RECIPE_CMD || keyword == RECIPE_ENTRYPOINT) && !instruction->exec &&
             !instruction->word_count)
        problem_add(checker->problems, instruction->place,
                    arena_printf(checker->arena, "%s [] takes it back", name),
                    "%s: expected a command, found nothing", name);
    else if (instruction->word_count < counts[keyword].least)
        problem_add(checker->problems, instruction->place, counts[keyword].example,
                    "%s: expected %s, found %s", name, counts[keyword].expected,
                    instruction->word_count ? "one word" : "nothing");
    else if (counts[keyword].most && instruction->word_count > counts[keyword].most)
        problem_add(checker->problems, instruction->words[counts[keyword].most].place,
                    counts[keyword].example, "%s: expected %s, found '%s' behind it", name,
                    counts[keyword].expected, instruction->words[counts[keyword].most].text);
    else
        return true;
    return false;
}

/* ---- words ---- */

/* What the image says about being run holds these as they stand here, and an image's texts are text. */
static void check_kept(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    static const enum recipe_keyword kept[] = {RECIPE_CMD, RECIPE_ENTRYPOINT, RECIPE_SHELL,
                                               RECIPE_HEALTHCHECK, RECIPE_ONBUILD};
    bool is_kept = false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        is_kept = is_kept || kept[i] == instruction->keyword;
    for (size_t i = 0; is_kept && i < instruction->word_count; i++)
        if (!image_text_is_valid(instruction->words[i].text))
            problem_add(checker->problems, instruction->words[i].place, NULL,
                        "%s: expected text without control characters",
                        recipe_keyword_name(instruction->keyword));
}

static void check_target(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const struct recipe_word *target = &instruction->words[instruction->word_count - 1];
    if (target->document) {
        problem_add(checker->problems, target->place, NULL, "%s: a here-document is no target",
                    recipe_keyword_name(instruction->keyword));
        return;
    }
    const size_t length = strlen(target->text);
    if (instruction->word_count > 2 && !recipe_has_variable(target->text) &&
        (!length || (target->text[length - 1] != '/' && strcmp(target->text, ".") != 0)))
        problem_add(checker->problems, target->place,
                    arena_printf(checker->arena, "write %.200s/", target->text),
                    "%s: the target of several sources must be a folder, found '%s'",
                    recipe_keyword_name(instruction->keyword), target->text);
}

/* What two words were meant as. */
static const char *hint_as(struct arena *arena, const struct recipe_instruction *from)
{
    const char *image = from->words[0].text, *second = from->words[1].text;
    if (from->word_count > 2)
        return "FROM debian AS build";
    if (strcasecmp(second, "AS") == 0)
        return arena_printf(arena, "write a name behind it: FROM %.200s AS build", image);
    if (isdigit((unsigned char)*second))
        return arena_printf(arena, "did you mean FROM %.200s:%.200s?", image, second);
    char *lower = arena_printf(arena, "%.200s", image);
    for (char *at = lower; *at && !recipe_has_variable(image); at++)
        *at = (char)tolower((unsigned char)*at);
    return arena_printf(arena, "did you mean FROM %s AS %.200s?%s", lower, second,
                        strcmp(lower, image) == 0 ? "" : " Names of images are in lower case");
}

static void check_as(const struct recipe_checker *checker, const struct recipe_instruction *from)
{
    if (recipe_from_is_whole(from))
        return;
    problem_add(checker->problems, from->words[1].place, hint_as(checker->arena, from),
                "FROM: expected AS and a name behind the image, found '%s'", from->words[1].text);
}

static void check_engine(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    static const char *const engines[] = {"mysql", "mariadb", "postgres", NULL};
    const struct recipe_word *engine = &instruction->words[0];
    bool known = recipe_has_variable(engine->text);
    for (const char *const *at = engines; *at && !known; at++)
        known = strcmp(*at, engine->text) == 0;
    if (!known)
        problem_add(checker->problems, engine->place, hint_nearest(checker->arena, engine->text, engines),
                    "DBASE: expected mysql, mariadb or postgres, found '%s'", engine->text);
    if (instruction->word_count > 1 && !recipe_has_variable(instruction->words[1].text) &&
        !name_is_valid(instruction->words[1].text))
        problem_add(checker->problems, instruction->words[1].place, NULL,
                    "DBASE: expected a name of a-z, 0-9 and '-', found '%s'", instruction->words[1].text);
}

/* A name is looked up where it is used; a number that no container has is none anywhere. */
static bool is_of_container(const char *text, size_t length)
{
    return strspn(text, "0123456789") < length || strtoull(text, NULL, 10) <= LAST_ID;
}

const char *recipe_user_expected(const char *text)
{
    const size_t user = strcspn(text, ":");
    if (!image_user_is_valid(text))
        return "user[:group]";
    const char *group = text + user + (text[user] == ':');
    return is_of_container(text, user) && (!*group || is_of_container(group, strlen(group)))
               ? NULL
               : "user[:group], as numbers 0 to 65535";
}

const char *recipe_expected(struct arena *arena, enum recipe_keyword keyword, const char *text)
{
    struct texts ports = {0};
    switch (keyword) {
    case RECIPE_PORT:
        return image_port_parse(arena, text)
                   ? NULL
                   : "[[address:]host:]container[/tcp|udp|tcp+udp], ports from 1 to 65535 or ranges of them";
    case RECIPE_EXPOSE:
        return recipe_exposed(arena, text, &ports) ? NULL : "port[-port][/tcp|udp|sctp] from 1 to 65535";
    case RECIPE_VOLUME:
        return image_volume_parse(arena, text) ? NULL : "an absolute path, or name:path";
    case RECIPE_STOPSIGNAL:
        return recipe_signal(arena, text) ? NULL : "a signal";
    case RECIPE_USER:
        return recipe_user_expected(text);
    default:
        return NULL;
    }
}

/* "80,81" */
static const char *hint_list(const struct recipe_checker *checker, enum recipe_keyword keyword,
                             const char *text)
{
    const size_t length = strlen(text);
    if ((keyword != RECIPE_PORT && keyword != RECIPE_EXPOSE) || !strchr(text, ','))
        return NULL;
    if (strcspn(text, ",") == length - 1)
        return "blanks alone stand between several";
    char *list = arena_printf(checker->arena, "%.200s", text);
    for (char *at = list; (at = strchr(at, ',')); at++)
        *at = ' ';
    return arena_printf(checker->arena, "blanks stand between several: %s %s", recipe_keyword_name(keyword),
                        list);
}

/* A word of EXPOSE that is one of PORT was meant as such. */
static const char *example_of(const struct recipe_checker *checker, enum recipe_keyword keyword,
                              const char *text)
{
    const char *list = hint_list(checker, keyword, text);
    if (list)
        return list;
    return keyword == RECIPE_EXPOSE && image_port_parse(checker->arena, text)
               ? arena_printf(checker->arena, "PORT %s forwards a port of the host; EXPOSE has none of it",
                              text)
               : counts[keyword].example;
}

/* `PORT 80 80` is one port twice, and no pair of them. */
static void warn_of_pair(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const struct recipe_word *words = instruction->words;
    if (instruction->word_count == 2 && strcmp(words[0].text, words[1].text) == 0 &&
        !strchr(words[0].text, ':'))
        problem_add(checker->warnings, words[1].place,
                    arena_printf(checker->arena,
                                 "PORT %.*s:%.64s is the host's port and the container's, as PORT %.64s is",
                                 (int)strcspn(words[0].text, "/"), words[0].text, words[0].text,
                                 words[0].text),
                    "PORT: '%s' stands there twice", words[1].text);
}

static void check_words(const struct recipe_checker *checker, const struct recipe_instruction *instruction)
{
    const enum recipe_keyword keyword = instruction->keyword;
    for (size_t i = 0; i < instruction->pair_count; i++)
        if (!*instruction->pairs[i].key)
            problem_add(checker->problems, instruction->pairs[i].place, NULL,
                        "%s: expected a name before '='", recipe_keyword_name(keyword));
    for (size_t i = 0; i < instruction->word_count; i++) {
        const char *text = instruction->words[i].text, *expected = NULL;
        if (!recipe_has_variable(text))
            expected = recipe_expected(checker->arena, keyword, text);
        if (expected)
            problem_add(checker->problems, instruction->words[i].place, example_of(checker, keyword, text),
                        "%s: expected %s, found '%s'", recipe_keyword_name(keyword), expected, text);
    }
    if (keyword == RECIPE_COPY || keyword == RECIPE_ADD)
        check_target(checker, instruction);
    else if (keyword == RECIPE_FROM)
        check_as(checker, instruction);
    else if (keyword == RECIPE_DBASE)
        check_engine(checker, instruction);
    else if (keyword == RECIPE_PORT)
        warn_of_pair(checker, instruction);
    else if (keyword == RECIPE_MAINTAINER)
        problem_add(checker->warnings, instruction->place, "LABEL org.opencontainers.image.authors=...",
                    "MAINTAINER is deprecated, and kept as a label");
}

/* ---- HEALTHCHECK ---- */

/* "5" lacks a unit. */
static const char *hint_duration(struct arena *arena, const char *name, const char *text)
{
    const size_t length = strlen(text);
    if (length && length < 10 && strspn(text, "0123456789.") == length && strspn(text, "0.") < length)
        return arena_printf(arena, "say the unit, ms, s, m or h: --%s=%ss", name, text);
    return arena_printf(arena, "--%s=30s", name);
}

static void take_duration(const struct recipe_checker *checker, const struct recipe_instruction *instruction,
                          const char *name, int64_t *value)
{
    const struct recipe_flag *flag = recipe_flag(instruction, name);
    if (flag && flag->value && *flag->value && !recipe_duration(flag->value, value))
        problem_add(checker->problems, flag->place, hint_duration(checker->arena, name, flag->value),
                    "HEALTHCHECK --%s: expected a duration as 30s or 1m30s, 1ms at least, found '%s'", name,
                    flag->value);
}

static void check_health(const struct recipe_checker *checker, struct recipe_instruction *instruction)
{
    struct recipe_health *health = instruction->health;
    const struct recipe_flag *retries = recipe_flag(instruction, "retries");
    take_duration(checker, instruction, "interval", &health->interval);
    take_duration(checker, instruction, "timeout", &health->timeout);
    take_duration(checker, instruction, "start-period", &health->start_period);
    take_duration(checker, instruction, "start-interval", &health->start_interval);
    if (retries && retries->value && *retries->value &&
        (number_parse(retries->value, &health->retries) < 0 || health->retries < 0 ||
         health->retries > 1000000))
        problem_add(checker->problems, retries->place, "--retries=3",
                    "HEALTHCHECK --retries: expected a number, found '%s'", retries->value);
    if (health->none && (instruction->word_count || instruction->flag_count))
        problem_add(checker->problems, instruction->place,
                    "HEALTHCHECK NONE takes back that of the image below; one of its own is HEALTHCHECK "
                    "[FLAGS] CMD COMMAND",
                    "HEALTHCHECK NONE: nothing else may be said");
    else if (!health->none && !instruction->word_count)
        problem_add(checker->problems, instruction->place, "HEALTHCHECK CMD curl -f http://localhost/",
                    "HEALTHCHECK CMD: expected a command");
    else if (!health->none && strncmp(instruction->words[0].text, "--", 2) == 0)
        problem_add(checker->warnings, instruction->words[0].place,
                    "flags stand before CMD: HEALTHCHECK --interval=30s CMD ...",
                    "HEALTHCHECK CMD: '%.*s' is taken for the command",
                    (int)strcspn(instruction->words[0].text, " \t"), instruction->words[0].text);
}
