/* Instructions that only change what an image says about being run. */
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/build_internal.h"
#include "specs/forms.h"

struct saying { /* one instruction on its way into the config */
    struct making *making;
    struct stage_state *state;
    const struct recipe_instruction *instruction;
    struct buffer *said;
};

static bool apply_env(struct saying *saying);
static bool apply_label(struct saying *saying);
static bool apply_command(struct saying *saying);
static bool apply_health(struct saying *saying);
static bool apply_list(struct saying *saying);
static bool apply_database(struct saying *saying);
static bool apply_word(struct saying *saying);

static void say(struct saying *saying, const char *text)
{
    buffer_add(saying->said, text, strlen(text) + 1);
}

bool apply_config(struct making *making, struct stage_state *state,
                  const struct recipe_instruction *instruction, struct buffer *said)
{
    struct saying saying = {.making = making, .state = state, .instruction = instruction, .said = said};
    switch (instruction->keyword) {
    case RECIPE_ENV:
        return apply_env(&saying);
    case RECIPE_LABEL:
        return apply_label(&saying);
    case RECIPE_CMD:
    case RECIPE_ENTRYPOINT:
    case RECIPE_SHELL:
        return apply_command(&saying);
    case RECIPE_HEALTHCHECK:
        return apply_health(&saying);
    case RECIPE_PORT:
    case RECIPE_EXPOSE:
    case RECIPE_VOLUME:
        return apply_list(&saying);
    case RECIPE_DBASE:
        return apply_database(&saying);
    case RECIPE_ONBUILD: /* as it stands there: whoever runs it knows other variables */
        say(&saying, instruction->words[0].text);
        *arena_append(making->arena, state->config->triggers.items, state->config->triggers.count) =
            instruction->words[0].text;
        return true;
    default:
        return apply_word(&saying);
    }
}

static const char *expand(struct saying *saying, const char *text, struct place place)
{
    const char *result = expand_text(saying->making, &saying->state->variables, text, place,
                                     recipe_keyword_name(saying->instruction->keyword));
    if (result)
        say(saying, result);
    return result;
}

/* All of an instruction are expanded before the first is set: `ENV A=1 B=$A` has the A of before. */
static bool expand_pairs(struct saying *saying, struct pair *pairs)
{
    for (size_t i = 0; i < saying->instruction->pair_count; i++) {
        const struct recipe_pair *pair = &saying->instruction->pairs[i];
        pairs[i] = (struct pair){.key = expand(saying, pair->key, pair->place),
                                 .value = expand(saying, pair->value, pair->place)};
        if (!pairs[i].key || !pairs[i].value)
            return false;
    }
    return true;
}

static bool apply_env(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    const size_t count = saying->instruction->pair_count;
    struct pair *pairs = arena_array_of(arena, struct pair, count + 1);
    struct pairs *env = &saying->state->config->env;
    if (!expand_pairs(saying, pairs))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct place place = saying->instruction->pairs[i].place;
        if (!image_variable_is_valid(pairs[i].key)) {
            problem_add(saying->making->problems, place, NULL, "ENV: '%s' is no name of a variable",
                        pairs[i].key);
            return false;
        }
        if (text_printable(pairs[i].value, strlen(pairs[i].value)) != strlen(pairs[i].value)) {
            problem_add(saying->making->problems, place, NULL,
                        "ENV: the value of %s is not one line of printable characters", pairs[i].key);
            return false;
        }
        variables_set(arena, &saying->state->variables, pairs[i].key, pairs[i].value);
        *arena_append(arena, env->items, env->count) = pairs[i];
    }
    return true;
}

static bool apply_label(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    struct pair *pairs = arena_array_of(arena, struct pair, saying->instruction->pair_count + 1);
    struct pairs *labels = &saying->state->config->labels;
    if (!expand_pairs(saying, pairs))
        return false;
    for (size_t i = 0; i < saying->instruction->pair_count; i++) {
        if (!*pairs[i].key || !image_text_is_valid(pairs[i].key) || !image_text_is_valid(pairs[i].value)) {
            problem_add(saying->making->problems, saying->instruction->pairs[i].place, NULL,
                        "LABEL: expected a name and a value without control characters");
            return false;
        }
        *arena_append(arena, labels->items, labels->count) = pairs[i];
    }
    return true;
}

/* A command as it is run: an array is itself, a line is for the shell. */
static struct texts command_of(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    const struct recipe_instruction *instruction = saying->instruction;
    const struct texts *shell = &saying->state->config->shell;
    struct texts command = {0};
    if (!instruction->exec) {
        for (size_t i = 0; i < shell->count; i++)
            *arena_append(arena, command.items, command.count) = shell->items[i];
        if (!shell->count) {
            *arena_append(arena, command.items, command.count) = "/bin/sh";
            *arena_append(arena, command.items, command.count) = "-c";
        }
    }
    for (size_t i = 0; i < instruction->word_count; i++)
        *arena_append(arena, command.items, command.count) = instruction->words[i].text;
    for (size_t i = 0; i < command.count; i++)
        say(saying, command.items[i]);
    return command;
}

static bool apply_command(struct saying *saying)
{
    struct image_config *config = saying->state->config;
    if (saying->instruction->keyword == RECIPE_SHELL) {
        config->shell = (struct texts){0};
        for (size_t i = 0; i < saying->instruction->word_count; i++)
            *arena_append(saying->making->arena, config->shell.items, config->shell.count) =
                saying->instruction->words[i].text;
        return true;
    }
    const struct texts command = command_of(saying);
    if (saying->instruction->keyword == RECIPE_CMD) {
        config->command = command;
        saying->state->has_command = true;
        return true;
    }
    config->entrypoint = command;
    if (!saying->state->has_command)
        config->command = (struct texts){0};
    return true;
}

static bool apply_health(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    const struct recipe_instruction *instruction = saying->instruction;
    const struct recipe_health *read = instruction->health;
    struct image_health *health = described_new(arena, &image_health_table);
    health->none = read->none;
    health->interval = read->interval;
    health->timeout = read->timeout;
    health->start_period = read->start_period;
    health->start_interval = read->start_interval;
    health->retries = read->retries;
    if (!read->none)
        *arena_append(arena, health->test.items, health->test.count) =
            instruction->exec ? "CMD" : "CMD-SHELL";
    for (size_t i = 0; i < instruction->word_count; i++)
        *arena_append(arena, health->test.items, health->test.count) = instruction->words[i].text;
    saying->state->config->health = health;
    return true;
}

/* ---- lists ---- */

static void add_item(struct saying *saying, const char *text)
{
    struct arena *arena = saying->making->arena;
    struct image_config *config = saying->state->config;
    if (saying->instruction->keyword == RECIPE_EXPOSE)
        recipe_exposed(arena, text, &config->exposed);
    else if (saying->instruction->keyword == RECIPE_PORT)
        *arena_append(arena, config->ports.items, config->ports.count) = image_port_parse(arena, text);
    else
        *arena_append(arena, config->volumes.items, config->volumes.count) = image_volume_parse(arena, text);
}

static bool add_checked(struct saying *saying, const char *text, struct place place)
{
    const enum recipe_keyword keyword = saying->instruction->keyword;
    const char *expected = recipe_expected(saying->making->arena, keyword, text);
    if (expected)
        problem_add(saying->making->problems, place,
                    *text == '[' ? "a JSON array is [\"...\", \"...\"]" : NULL, "%s: expected %s, found '%s'",
                    recipe_keyword_name(keyword), expected, text);
    else
        add_item(saying, text);
    return !expected;
}

/* What a variable holds may be several ports; a path with blanks in it is one. */
static bool apply_list(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    bool fine = true;
    for (size_t i = 0; i < saying->instruction->word_count; i++) {
        const struct recipe_word *word = &saying->instruction->words[i];
        const char *text = expand(saying, word->text, word->place);
        if (!text)
            return false;
        if (saying->instruction->keyword == RECIPE_VOLUME || !recipe_has_variable(word->text)) {
            fine &= add_checked(saying, text, word->place);
            continue;
        }
        for (size_t length; *(text += strspn(text, " \t")); text += length) {
            length = strcspn(text, " \t");
            fine &= add_checked(saying, arena_strndup(arena, text, length), word->place);
        }
    }
    return fine;
}

static bool apply_database(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    const struct recipe_instruction *instruction = saying->instruction;
    struct list *databases = &saying->state->config->databases;
    const char *engine = expand(saying, instruction->words[0].text, instruction->words[0].place);
    const char *name = engine && instruction->word_count > 1
                           ? expand(saying, instruction->words[1].text, instruction->words[1].place)
                           : NULL;
    if (!engine || (instruction->word_count > 1 && !name))
        return false;
    struct image_database *database =
        image_database_parse(arena, name ? arena_join(arena, engine, ':', name) : engine);
    if (!database) {
        problem_add(saying->making->problems, instruction->words[0].place, NULL,
                    "DBASE: expected an engine, mysql, mariadb or postgres, and a name if wanted, found '%s'",
                    name ? arena_join(arena, engine, ' ', name) : engine);
        return false;
    }
    *arena_append(arena, databases->items, databases->count) = database;
    return true;
}

/* ---- one word ---- */

static bool apply_word(struct saying *saying)
{
    struct arena *arena = saying->making->arena;
    const struct recipe_instruction *instruction = saying->instruction;
    struct image_config *config = saying->state->config;
    const struct recipe_word *word = &instruction->words[0];
    const char *text = expand(saying, word->text, word->place);
    if (!text)
        return false;
    if (instruction->keyword == RECIPE_MAINTAINER) {
        if (image_text_is_valid(text))
            *arena_append(arena, config->labels.items, config->labels.count) =
                (struct pair){.key = "maintainer", .value = text};
        return true;
    }
    const char *expected = recipe_expected(arena, instruction->keyword, text);
    if (expected) {
        problem_add(saying->making->problems, word->place, NULL, "%s: expected %s, found '%s'",
                    recipe_keyword_name(instruction->keyword), expected, text);
        return false;
    }
    if (instruction->keyword == RECIPE_USER)
        config->user = text;
    else
        config->stop_signal = recipe_signal(arena, text);
    return true;
}
