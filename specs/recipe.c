/* See recipe.h. Pieces into logical lines (recipe_lines.c), these into instructions (recipe_words.c), which are judged one
 * by one (recipe_check.c) and gathered into stages here. */
#include "specs/recipe.h"

#include <ctype.h>
#include <string.h>

#include "lib/units.h"
#include "specs/forms.h"
#include "specs/recipe_check.h"
#include "specs/recipe_words.h"

struct reading {
    struct arena *arena;
    struct problems *problems;
    struct recipe *recipe;
    struct recipe_stage *stage; /* that instructions go to; NULL: before the first FROM */
    size_t instructions;
    bool told_early; /* that something stands before the first FROM */
};

static bool check_piece(struct reading *reading, const struct recipe_piece *piece, struct recipe_scan *scan);
static void read_piece(struct reading *reading, struct recipe_scan *scan);
static void place_instruction(struct reading *reading, struct recipe_instruction *instruction, bool whole);
static void check_sources(struct reading *reading);

bool recipe_read(const struct recipe_piece *pieces, size_t count, struct arena *arena,
                 struct problems *problems, struct recipe **recipe)
{
    const size_t before = problems->count;
    struct reading reading = {.arena = arena, .problems = problems};
    reading.recipe = *recipe = arena_new_of(arena, struct recipe);
    reading.recipe->escape = '\\';
    reading.recipe->warnings.arena = arena;
    for (size_t i = 0; i < count; i++) {
        struct recipe_scan scan = {.arena = arena,
                                   .problems = problems,
                                   .warnings = &reading.recipe->warnings,
                                   .escape = reading.recipe->escape};
        const size_t readable = problems->count;
        const bool is_text = check_piece(&reading, &pieces[i], &scan);
        if (is_text && i == 0)
            recipe_scan_directives(&scan, reading.recipe);
        reading.recipe->escape = scan.escape;
        reading.recipe->is_partial |= problems->count > readable;
        if (is_text)
            read_piece(&reading, &scan);
    }
    if (!reading.recipe->count && problems->count == before)
        problem_add(problems, count ? pieces[0].place : (struct place){0}, "begin it with FROM and an image",
                    "the recipe has no FROM");
    check_sources(&reading);
    problems_sort(&reading.recipe->warnings);
    reading.recipe->is_broken = problems->count > before;
    return !reading.recipe->is_broken;
}

const struct recipe_stage *recipe_stage(const struct recipe *recipe, const char *name)
{
    int64_t number;
    if (isdigit((unsigned char)*name))
        return number_parse(name, &number) == 0 && number < (int64_t)recipe->count ? recipe->stages[number]
                                                                                   : NULL;
    for (size_t i = recipe->count; i-- > 0;)
        if (recipe->stages[i]->name && strcasecmp(recipe->stages[i]->name, name) == 0)
            return recipe->stages[i];
    return NULL;
}

/* ---- text ---- */

/* How many bytes are UTF-8 without NUL. */
static size_t valid_length(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    while (at < end && *at) {
        const size_t more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : 3;
        if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || (size_t)(end - at) <= more)
            break;
        const bool bad_second = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
                                (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f);
        size_t fine = 0;
        while (fine < more && (at[1 + fine] & 0xc0) == 0x80)
            fine++;
        if (bad_second || fine < more)
            break;
        at += 1 + more;
    }
    return (size_t)((const char *)at - text);
}

/* The piece in a copy that ends with a NUL, without a mark of byte order. */
static bool check_piece(struct reading *reading, const struct recipe_piece *piece, struct recipe_scan *scan)
{
    struct recipe_piece *copy = arena_copy(reading->arena, piece, sizeof(*piece));
    scan->piece = copy;
    if (piece->length > RECIPE_SIZE) {
        problem_add(reading->problems, piece->place, NULL, "the recipe is larger than %zu KiB",
                    RECIPE_SIZE >> 10);
        return false;
    }
    if (copy->length >= 3 && memcmp(copy->text, "\xef\xbb\xbf", 3) == 0) {
        copy->text += 3;
        copy->length -= 3;
    }
    const size_t valid = valid_length(copy->text, copy->length);
    copy->text = arena_strndup(reading->arena, copy->text, valid);
    if (valid == copy->length)
        return true;
    struct place place = piece->place;
    for (const char *at = copy->text; !piece->fixed && (at = strchr(at, '\n')); at++) {
        place.line++;
    }
    problem_add(reading->problems, place, NULL, "the line is not text in UTF-8");
    return false;
}

static void read_piece(struct reading *reading, struct recipe_scan *scan)
{
    const struct recipe_checker checker = {.arena = reading->arena,
                                           .problems = reading->problems,
                                           .warnings = &reading->recipe->warnings,
                                           .escape = scan->escape};
    struct recipe_line line;
    for (size_t before = reading->problems->count; recipe_scan_next(scan, &line);
         before = reading->problems->count) {
        struct recipe_instruction *instruction = arena_new_of(reading->arena, struct recipe_instruction);
        reading->recipe->is_partial |= reading->problems->count > before;
        if (++reading->instructions > RECIPE_INSTRUCTIONS) {
            problem_add(reading->problems, recipe_line_place(&line, 0), NULL,
                        "the recipe has more than %d instructions", RECIPE_INSTRUCTIONS);
            reading->recipe->is_partial = true;
            return;
        }
        const bool whole = recipe_split(scan, &line, instruction);
        if (whole)
            recipe_check(&checker, instruction);
        place_instruction(reading, instruction, whole);
    }
}

struct recipe_instruction *recipe_trigger(const char *text, char escape, struct place place,
                                          struct arena *arena, struct problems *problems)
{
    const size_t before = problems->count;
    struct problems warnings = {.arena = arena};
    const struct recipe_piece piece = {.text = text, .length = strlen(text), .place = place, .fixed = true};
    const struct recipe_checker checker = {
        .arena = arena, .problems = problems, .warnings = &warnings, .escape = escape};
    struct recipe_scan scan = {
        .arena = arena, .problems = problems, .warnings = &warnings, .piece = &piece, .escape = escape};
    struct recipe_instruction *instruction = arena_new_of(arena, struct recipe_instruction);
    struct recipe_line line;
    if (!recipe_scan_next(&scan, &line)) {
        problem_add(problems, place, "ONBUILD RUN true", "ONBUILD: expected an instruction, found nothing");
        return NULL;
    }
    if (!recipe_split(&scan, &line, instruction))
        return NULL;
    const enum recipe_keyword keyword = instruction->keyword;
    if (keyword == RECIPE_ONBUILD || keyword == RECIPE_FROM || keyword == RECIPE_MAINTAINER)
        problem_add(problems, place,
                    keyword == RECIPE_ONBUILD ? "write ONBUILD once"
                    : keyword == RECIPE_FROM
                        ? "leave it out: what is put off is done by the builds whose FROM names this image"
                        : "ONBUILD LABEL org.opencontainers.image.authors=...",
                    "ONBUILD: %s cannot be put off", recipe_keyword_name(keyword));
    else
        recipe_check(&checker, instruction);
    return problems->count == before ? instruction : NULL;
}

/* ---- stages ---- */

static bool stage_name_is_valid(const char *name)
{
    if (!islower((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && !strchr("-_.", *name))
            return false;
    return true;
}

static const char *stage_name(struct reading *reading, const struct recipe_instruction *from)
{
    if (from->word_count != 3)
        return NULL;
    char *name = arena_strdup(reading->arena, from->words[2].text);
    for (char *at = name; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (!stage_name_is_valid(name)) {
        problem_add(reading->problems, from->words[2].place, "begin it with a letter",
                    "FROM: expected a name of letters, digits, '-', '_' and '.', found '%s'",
                    from->words[2].text);
        return NULL;
    }
    if (strcmp(name, "scratch") == 0) {
        problem_add(reading->problems, from->words[2].place, "take another name",
                    "FROM: scratch is the empty image, and no name of a stage");
        return NULL;
    }
    if (recipe_stage(reading->recipe, name)) {
        problem_add(reading->problems, from->words[2].place, "take another name",
                    "FROM: there is a stage %s already", name);
        return NULL;
    }
    return name;
}

static void begin_stage(struct reading *reading, const struct recipe_instruction *from, bool whole)
{
    struct recipe *recipe = reading->recipe;
    const size_t before = reading->problems->count;
    const struct recipe_flag *platform = recipe_flag(from, "platform");
    struct recipe_stage *stage = arena_new_of(reading->arena, struct recipe_stage);
    *stage = (struct recipe_stage){.number = recipe->count,
                                   .name = stage_name(reading, from),
                                   .platform = platform ? platform->value : NULL,
                                   .platform_place = platform ? platform->place : from->place,
                                   .text = from->text,
                                   .place = from->place};
    stage->base = from->word_count ? from->words[0] : (struct recipe_word){.text = "", .place = from->place};
    stage->is_broken = from->flaw != RECIPE_SOUND || reading->problems->count > before;
    stage->base_in_doubt = !whole || !recipe_from_is_whole(from);
    if (recipe->count == RECIPE_STAGES) {
        problem_add(reading->problems, from->place, NULL, "the recipe has more than %d stages",
                    RECIPE_STAGES);
        recipe->is_partial = true;
    }
    *arena_append(reading->arena, recipe->stages, recipe->count) = stage;
    reading->stage = stage;
}

/* One that is not whole stands where it was meant to stand, for what follows it. Before the first FROM it may have been that. */
static void place_instruction(struct reading *reading, struct recipe_instruction *instruction, bool whole)
{
    struct recipe *recipe = reading->recipe;
    if (instruction->keyword == RECIPE_FROM) {
        begin_stage(reading, instruction, whole);
    } else if (reading->stage) {
        *arena_append(reading->arena, reading->stage->instructions, reading->stage->count) = instruction;
    } else if (instruction->keyword == RECIPE_KEYWORDS) {
        recipe->arguments_in_doubt = reading->told_early = true;
    } else if (instruction->flaw != RECIPE_SOUND && instruction->keyword == RECIPE_ARG) {
        recipe->arguments_in_doubt = true;
    } else if (!whole) {
        return;
    } else if (instruction->keyword == RECIPE_ARG) {
        for (size_t i = 0; i < instruction->pair_count; i++)
            *arena_append(reading->arena, recipe->arguments, recipe->argument_count) = instruction->pairs[i];
    } else if (!reading->told_early) {
        problem_add(reading->problems, instruction->place, "begin it with FROM and an image",
                    "%s: there is no FROM above it", recipe_keyword_name(instruction->keyword));
        reading->told_early = true;
    }
}

/* COPY --from=NUMBER, or the name of the stage itself or a later one: what is not built yet cannot be copied from. */
static void check_source(struct reading *reading, const struct recipe_stage *stage,
                         struct recipe_instruction *instruction)
{
    const struct recipe_flag *flag = recipe_flag(instruction, "from");
    const char *from = flag ? flag->value : NULL;
    const size_t before = reading->problems->count;
    if (!from || instruction->keyword != RECIPE_COPY)
        return;
    const struct recipe_stage *source = recipe_stage(reading->recipe, from);
    if (source && source->number >= stage->number)
        problem_add(reading->problems, flag->place, "move the other stage above this one",
                    "'%s' is a stage that is not built before this one", from);
    else if (!source && !reading->recipe->is_partial && *from && strspn(from, "0123456789") == strlen(from))
        problem_add(reading->problems, flag->place, NULL, "there is no stage %s: the recipe has %zu", from,
                    reading->recipe->count);
    if (reading->problems->count > before)
        instruction->flaw = RECIPE_BROKEN;
}

static void check_sources(struct reading *reading)
{
    for (size_t i = 0; i < reading->recipe->count; i++) {
        const struct recipe_stage *stage = reading->recipe->stages[i];
        for (size_t j = 0; j < stage->count; j++)
            check_source(reading, stage, stage->instructions[j]);
    }
}
