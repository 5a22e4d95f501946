/* Variables of a build: where they come from, who sees them, and what they make of a text. As the Dockerfile reference
 * says under ARG and "Scope of variables": an ARG before the first FROM is seen by FROM alone, until a stage asks for it;
 * one of a stage is seen from its line on, also by stages that begin with that one; a build argument wins over a default,
 * and whichever of ARG and ENV comes last over the other. */
#include <ctype.h>
#include <string.h>

#include "lib/error.h"
#include "reconciler/build_internal.h"
#include "specs/image_config.h"

const char *variables_get(const struct variables *variables, const char *name)
{
    for (size_t i = 0; i < variables->count; i++)
        if (strcmp(variables->items[i].key, name) == 0)
            return variables->items[i].value;
    return NULL;
}

void variables_set(struct arena *arena, struct variables *variables, const char *name, const char *value)
{
    struct pair *pair = NULL;
    for (size_t i = 0; i < variables->count && !pair; i++)
        if (strcmp(variables->items[i].key, name) == 0)
            pair = &variables->items[i];
    if (!pair)
        pair = arena_append(arena, variables->items, variables->count);
    *pair = (struct pair){.key = name, .value = value};
}

const char *variables_ask(const struct variables *variables, const char *name)
{
    const char *value = variables_get(variables, name);
    if (!value && variables->missed)
        *variables->missed = true;
    return value;
}

void variables_unset(struct variables *variables, const char *name)
{
    for (size_t i = 0; i < variables->count; i++)
        if (strcmp(variables->items[i].key, name) == 0) {
            variables->items[i] = variables->items[--variables->count];
            return;
        }
}

struct lookup {
    struct making *making;
    const struct variables *variables;
    const char *text, *what;
    struct place place;
};

/* "$NAME" or "${NAME}": no word says what is meant where it is not set. */
static bool is_used_plainly(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = text; (at = strchr(at, '$')); at++) {
        const bool braced = at[1] == '{';
        const char *begin = at + 1 + braced;
        const char end = strncmp(begin, name, length) == 0 ? begin[length] : 'a';
        if (braced ? end == '}' : !isalnum((unsigned char)end) && end != '_')
            return true;
    }
    return false;
}

static const char *look_up(void *context, const char *name)
{
    const struct lookup *lookup = context;
    const char *value = variables_ask(lookup->variables, name);
    if (!value && !lookup->variables->missed && is_used_plainly(lookup->text, name))
        problem_add(&lookup->making->build->warnings, lookup->place,
                    arena_printf(lookup->making->arena, "add ARG %s, or write ${%s:-} where nothing is meant",
                                 name, name),
                    "%s: the variable %s is set by no ARG and no ENV above", lookup->what, name);
    return value;
}

const char *expand_text(struct making *making, const struct variables *variables, const char *text,
                        struct place place, const char *what)
{
    struct lookup lookup = {
        .making = making, .variables = variables, .text = text, .what = what, .place = place};
    const struct recipe_expansion expansion = {
        .escape = making->request->recipe->escape, .get = look_up, .context = &lookup};
    struct error error = {0};
    const char *result;
    if (!recipe_has_variable(text))
        return text;
    if (recipe_expand(&expansion, text, making->arena, &result, &error) == 0)
        return result;
    problem_add(making->problems, place, NULL, "%s: %s", what, error.text);
    return NULL;
}

const char *given_argument(const struct making *making, const char *name)
{
    const struct pairs *given = making->request->arguments;
    for (size_t i = 0; given && i < given->count; i++)
        if (strcmp(given->items[i].key, name) == 0)
            return given->items[i].value;
    return strcmp(name, "SOURCE_DATE_EPOCH") == 0 ? making->request->epoch : NULL;
}

static void consume(struct making *making, const char *name)
{
    *arena_append(making->arena, making->consumed, making->consumed_count) = name;
}

/* What the reference calls the automatic platform ARGs. */
static void add_platform(struct making *making)
{
    const char *architecture = making->request->architecture;
    const char *platform = arena_printf(making->arena, "linux/%s", architecture);
    const char *const values[][2] = {
        {"BUILDPLATFORM", platform}, {"BUILDOS", "linux"},    {"BUILDOSVERSION", ""},
        {"BUILDARCH", architecture}, {"BUILDVARIANT", ""},    {"TARGETPLATFORM", platform},
        {"TARGETOS", "linux"},       {"TARGETOSVERSION", ""}, {"TARGETARCH", architecture},
        {"TARGETVARIANT", ""},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        const char *given = given_argument(making, values[i][0]);
        variables_set(making->arena, &making->globals, values[i][0], given ? given : values[i][1]);
        consume(making, values[i][0]);
    }
}

void globals_read(struct making *making)
{
    const struct recipe *recipe = making->request->recipe;
    const size_t before = making->problems->count;
    making->in_doubt = recipe->arguments_in_doubt;
    add_platform(making);
    for (size_t i = 0; i < recipe->argument_count; i++) {
        const struct recipe_pair *pair = &recipe->arguments[i];
        const char *value = given_argument(making, pair->key);
        consume(making, pair->key);
        if (!value && pair->value && !(making->in_doubt && strchr(pair->value, '$')))
            value = expand_text(making, &making->globals, pair->value, pair->place, "ARG");
        if (value)
            variables_set(making->arena, &making->globals, pair->key, value);
        making->in_doubt |= making->problems->count > before;
    }
}

/* Without default and argument it has what the one before the first FROM had, and else is not set. */
static bool value_of(struct making *making, const struct stage_state *state, const struct recipe_pair *pair,
                     const char **value)
{
    *value = given_argument(making, pair->key);
    if (*value)
        return true;
    if (!pair->value) {
        *value = variables_get(&making->globals, pair->key);
        return true;
    }
    *value = expand_text(making, &state->variables, pair->value, pair->place, "ARG");
    return *value != NULL;
}

bool apply_arg(struct making *making, struct stage_state *state, const struct recipe_instruction *instruction)
{
    for (size_t i = 0; i < instruction->pair_count; i++) {
        const struct recipe_pair *pair = &instruction->pairs[i];
        const char *value;
        consume(making, pair->key);
        if (!image_variable_is_valid(pair->key)) {
            problem_add(making->problems, pair->place, NULL, "ARG: '%s' is no name of a variable", pair->key);
            return false;
        }
        if (!value_of(making, state, pair, &value))
            return false;
        if (value)
            variables_set(making->arena, &state->variables, pair->key, value);
    }
    return true;
}
