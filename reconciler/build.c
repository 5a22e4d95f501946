/* See build.h. The stages that are needed, in the order of the recipe, which is one in which they can be made; of each its
 * instructions, one after another. */
#include "reconciler/build.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/build_internal.h"
#include "specs/forms.h"
#include "specs/read.h"

#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SCRATCH       "scratch"
#define EPOCH         "SOURCE_DATE_EPOCH"

static void read_epoch(struct making *making);
static struct build_part *add_part(struct making *making, struct place place, const char *text);
static struct stage_state *find_target(struct making *making);
static void need(struct making *making, struct stage_state *state);
static void make_stages(struct making *making);
static bool finish(struct making *making, const struct stage_state *target);
static void warn_of_arguments(struct making *making);
static void warn_of_secrets(struct making *making);

bool build_make(const struct build_request *request, struct arena *arena, struct problems *problems,
                struct build **build)
{
    struct making making = {.request = request, .arena = arena, .problems = problems, .folder = -1};
    struct stage_state *target = NULL;
    making.build = arena_new_of(arena, struct build);
    making.build->warnings.arena = making.build->missing.arena = arena;
    making.stages = arena_array_of(arena, struct stage_state, request->recipe->count + 1);
    for (size_t i = 0; i < request->recipe->count; i++)
        making.stages[i].stage = request->recipe->stages[i];
    const size_t before = problems->count;
    if (request->recipe->is_partial || !request->recipe->count)
        return false;
    globals_read(&making);
    read_epoch(&making);
    target = find_target(&making);
    if (target) {
        need(&making, target);
        make_stages(&making);
    }
    inputs_close(&making);
    if (problems->count > before || request->recipe->is_broken)
        return false;
    if (!finish(&making, target))
        return false;
    warn_of_arguments(&making);
    warn_of_secrets(&making);
    *build = making.build;
    return true;
}

static struct place first_place(const struct making *making)
{
    return making->request->recipe->stages[0]->place;
}

/* What was made with another one has to be made again, whatever its instructions are. */
static void add_epoch(struct making *making)
{
    struct build_part *part =
        add_part(making, first_place(making), arena_printf(making->arena, EPOCH "=%s", making->epoch));
    struct digest *digest = digest_new();
    key_text(digest, part->text);
    part->digest = key_end(making->arena, digest);
}

static void read_epoch(struct making *making)
{
    const char *declared = given_argument(making, EPOCH);
    if (!declared && !making->in_doubt)
        declared = variables_get(&making->globals, EPOCH);
    const char *epoch = declared && *declared ? declared : making->request->stamp;
    *arena_append(making->arena, making->consumed, making->consumed_count) = EPOCH;
    if (!epoch || !*epoch)
        return;
    making->epoch = making->build->epoch = epoch;
    if (strspn(epoch, "0123456789") == strlen(epoch) && strlen(epoch) <= 12) {
        if (epoch == declared)
            add_epoch(making);
        return;
    }
    problem_add(making->problems, first_place(making), "date +%s",
                "SOURCE_DATE_EPOCH: expected seconds since 1970, found '%s'", epoch);
}

/* ---- what is in doubt ---- */

/* A broken FROM may have been meant to give its stage any of its words as a name. Of the first `count` stages. */
static bool may_be_stage(const struct making *making, const char *name, size_t count)
{
    const struct recipe *recipe = making->request->recipe;
    for (size_t i = 0; i < count; i++)
        if (recipe->stages[i]->is_broken && strcasestr(recipe->stages[i]->text, name))
            return true;
    return false;
}

static bool has_variables(const struct recipe_instruction *instruction)
{
    for (size_t i = 0; i < instruction->flag_count; i++)
        if (instruction->flags[i].value && strchr(instruction->flags[i].value, '$'))
            return true;
    if (instruction->keyword == RECIPE_RUN) /* what else it says is the shell's */
        return false;
    for (size_t i = 0; i < instruction->document_count; i++)
        if (instruction->documents[i].expands && strchr(instruction->documents[i].text, '$'))
            return true;
    return strchr(instruction->text, '$');
}

/* What was told of an instruction is told in the same words, and so once; of others than these it is all that there is. */
static bool is_judged(const struct stage_state *state, const struct recipe_instruction *instruction)
{
    static const enum recipe_keyword in_parts[] = {RECIPE_COPY, RECIPE_ADD,    RECIPE_RUN,
                                                   RECIPE_PORT, RECIPE_EXPOSE, RECIPE_VOLUME};
    bool judged = instruction->flaw == RECIPE_SOUND;
    for (size_t i = 0; i < sizeof(in_parts) / sizeof(*in_parts) && instruction->flaw == RECIPE_FLAWED; i++)
        judged = judged || in_parts[i] == instruction->keyword;
    return judged && !(state->in_doubt && has_variables(instruction));
}

/* ---- which stages ---- */

/* "build, 1 (FROM debian)" */
static const char *list_stages(struct arena *arena, const struct recipe *recipe)
{
    _cleanup_buffer_ struct buffer list = {0};
    for (size_t i = 0; i < recipe->count; i++) {
        const struct recipe_stage *stage = recipe->stages[i];
        if (stage->name)
            buffer_printf(&list, "%s%s", i ? ", " : "", stage->name);
        else
            buffer_printf(&list, "%s%zu (%.60s)", i ? ", " : "", i, stage->text);
    }
    return arena_strdup(arena, list.bytes);
}

static struct stage_state *find_target(struct making *making)
{
    const struct recipe *recipe = making->request->recipe;
    const char *name = making->request->stage;
    const struct recipe_stage *stage = name ? recipe_stage(recipe, name) : recipe->stages[recipe->count - 1];
    if (stage)
        return &making->stages[stage->number];
    if (may_be_stage(making, name, recipe->count))
        return NULL;
    const char **names = arena_array_of(making->arena, const char *, recipe->count + 1);
    for (size_t i = 0; i < recipe->count; i++)
        names[i] = recipe->stages[i]->name ? recipe->stages[i]->name : arena_printf(making->arena, "%zu", i);
    const char *nearest = text_nearest(name, names);
    const struct place place = making->request->stage_place;
    problem_add(making->problems, place.line ? place : first_place(making),
                nearest ? arena_printf(making->arena, "did you mean '%s'?", nearest) : NULL,
                "the recipe has no stage '%s': it has %s", name, list_stages(making->arena, recipe));
    return NULL;
}

/* An earlier stage by that name, or NULL: then it is an image. Of an equal name the nearest one above. */
static struct stage_state *earlier(struct making *making, const struct recipe_stage *stage, const char *name,
                                   bool numbers)
{
    if (isdigit((unsigned char)*name) && !numbers)
        return NULL;
    const struct recipe_stage *found = recipe_stage(making->request->recipe, name);
    return found && found->number < stage->number ? &making->stages[found->number] : NULL;
}

/* NULL after a problem, told here or of the recipe. */
static const char *base_name(struct making *making, const struct recipe_stage *stage)
{
    if (stage->base_in_doubt || (making->in_doubt && strchr(stage->base.text, '$')))
        return NULL;
    const char *name = expand_text(making, &making->globals, stage->base.text, stage->base.place, "FROM");
    if (name && !*name)
        problem_add(making->problems, stage->base.place, NULL, "FROM: %s comes to nothing", stage->base.text);
    return name && *name ? name : NULL;
}

/* Of the --from of its instructions, and the from= of its mounts. */
static void need_sources(struct making *making, const struct stage_state *state)
{
    for (size_t i = 0; i < state->stage->count; i++) {
        const struct recipe_instruction *instruction = state->stage->instructions[i];
        for (size_t j = 0; j < instruction->flag_count; j++) {
            const struct recipe_flag *flag = &instruction->flags[j];
            const char *at = !flag->value                       ? NULL
                             : strcmp(flag->name, "from") == 0  ? flag->value
                             : strcmp(flag->name, "mount") == 0 ? strstr(flag->value, "from=")
                                                                : NULL;
            if (!at)
                continue;
            const char *name = strcmp(flag->name, "from") == 0
                                   ? at
                                   : arena_strndup(making->arena, at + 5, strcspn(at + 5, ",\""));
            struct stage_state *source = earlier(making, state->stage, name, true);
            if (source)
                need(making, source);
        }
    }
}

static void need(struct making *making, struct stage_state *state)
{
    if (state->needed)
        return;
    state->needed = true;
    need_sources(making, state);
    state->base.name = base_name(making, state->stage);
    if (!state->base.name)
        return;
    struct stage_state *parent = earlier(making, state->stage, state->base.name, false);
    state->parent = parent;
    if (parent)
        need(making, parent);
    else if (may_be_stage(making, state->base.name, state->stage->number))
        state->base.name = NULL;
}

/* ---- bases ---- */

/* `how` is what stands before the name. */
static bool find_base(struct making *making, const char *how, const char *reference, struct place place,
                      struct build_base *base)
{
    struct build *build = making->build;
    struct error error = {0};
    *base = (struct build_base){.asked = arena_printf(making->arena, "%s%s", how, reference), .at = place};
    if (making->request->find(making->request->context, reference, base, &error) < 0) {
        problem_add(making->problems, place, base->hint, "%s: %s", base->asked, error.text);
        return false;
    }
    for (size_t i = 0; i < build->base_count; i++)
        if (strcmp(build->bases[i].name, base->name) == 0)
            return true;
    if (base->hint)
        problem_add(&build->warnings, place, base->hint,
                    "%s: nothing on this host has the name, so that it is pulled from a registry",
                    base->asked);
    *arena_append(making->arena, build->bases, build->base_count) = *base;
    return true;
}

static void check_platform(struct making *making, const struct recipe_stage *stage)
{
    if (!stage->platform || (making->in_doubt && strchr(stage->platform, '$')))
        return;
    const char *platform =
        expand_text(making, &making->globals, stage->platform, stage->platform_place, "FROM");
    const char *own = arena_printf(making->arena, "linux/%s", making->request->architecture);
    if (!platform)
        return;
    const size_t length = strlen(own);
    if (strcmp(platform, "linux") == 0 || strcmp(platform, making->request->architecture) == 0 ||
        (strncmp(platform, own, length) == 0 && (!platform[length] || platform[length] == '/')))
        return;
    problem_add(making->problems, stage->platform_place, "leave it out: images are built for this host",
                "FROM --platform: this host is %s, not %s", own, platform);
}

static struct build_part *add_part(struct making *making, struct place place, const char *text)
{
    struct build *build = making->build;
    struct build_part *part = arena_append(making->arena, build->parts, build->part_count);
    *part = (struct build_part){.at = place, .text = text};
    return part;
}

static void begin_from_stage(struct making *making, struct stage_state *state)
{
    const struct stage_state *parent = state->parent;
    state->base = parent->base;
    state->key = parent->key;
    state->below = (struct texts){0};
    for (size_t i = 0; i < parent->below.count; i++)
        *arena_append(making->arena, state->below.items, state->below.count) = parent->below.items[i];
    state->variables.missed = parent->variables.missed ? &state->missed : NULL;
    for (size_t i = 0; i < parent->variables.count; i++)
        *arena_append(making->arena, state->variables.items, state->variables.count) =
            parent->variables.items[i];
    state->config = described_copy(making->arena, &image_config_table, parent->config);
}

/* PATH is always set, as docker has it. */
static void begin_from_image(struct making *making, struct stage_state *state)
{
    struct pairs *env = NULL;
    state->config = state->base.config
                        ? described_copy(making->arena, &image_config_table, state->base.config)
                        : image_config_new(making->arena);
    state->variables.missed =
        state->base.name && !state->base.digest && !state->base.config ? &state->missed : NULL;
    env = &state->config->env;
    for (size_t i = 0; i < env->count; i++)
        variables_set(making->arena, &state->variables, env->items[i].key, env->items[i].value);
    if (variables_get(&state->variables, "PATH"))
        return;
    variables_set(making->arena, &state->variables, "PATH", STANDARD_PATH);
    *arena_append(making->arena, env->items, env->count) =
        (struct pair){.key = "PATH", .value = STANDARD_PATH};
}

/* What sets variables and could not be read leaves those in doubt, as does an image that says nothing of them. */
static void begin_stage(struct making *making, struct stage_state *state)
{
    const struct recipe_stage *stage = state->stage;
    const char *reference = state->base.name;
    check_platform(making, stage);
    state->in_doubt = making->in_doubt;
    if (state->parent) {
        state->in_doubt |= state->parent->in_doubt;
        begin_from_stage(making, state);
        return;
    }
    state->base = (struct build_base){0};
    if (!reference || (strcmp(reference, SCRATCH) != 0 &&
                       !find_base(making, "FROM ", reference, stage->base.place, &state->base))) {
        state->base = (struct build_base){0};
        state->in_doubt = true;
        begin_from_image(making, state);
        return;
    }
    state->key = state->base.name ? state->base.digest : SCRATCH;
    struct build_part *part = add_part(making, stage->place, state->base.name ? state->base.name : SCRATCH);
    part->is_base = true;
    part->digest = state->key;
    begin_from_image(making, state);
}

static struct build_place *place_in(struct making *making, const char *image, const struct texts *below)
{
    struct build_place *place = described_new(making->arena, &build_place_table);
    place->image = image;
    for (size_t i = 0; i < below->count; i++)
        *arena_append(making->arena, place->below.items, place->below.count) = below->items[i];
    return described_whole(&build_place_table, place);
}

struct build_place *place_of(struct making *making, const struct stage_state *state, const char *how,
                             const char *from, struct place place, const char **identity)
{
    const struct stage_state *source = earlier(making, state->stage, from, true);
    const struct texts none = {0};
    struct build_base base;
    if (source) {
        *identity = source->key;
        struct build_place *found = place_in(making, source->base.digest, &source->below);
        found->name = arena_printf(making->arena, "stage %s", from);
        return described_whole(&build_place_table, found);
    }
    if (may_be_stage(making, from, state->stage->number) || !find_base(making, how, from, place, &base))
        return NULL;
    *identity = base.digest;
    struct build_place *found = place_in(making, base.digest, &none);
    found->name = base.name;
    return described_whole(&build_place_table, found);
}

/* ---- instructions ---- */

const char *step_title(const struct making *making, const struct recipe_instruction *instruction)
{
    return arena_printf(making->arena, "%s:%u %.200s", making->request->file, instruction->place.line,
                        instruction->text);
}

/* What a step is called that is made whatever there is: --no-cache. */
static const char *salted(const struct making *making, const char *key)
{
    if (!making->request->salt)
        return key;
    struct digest *digest = key_begin(NULL, "salted");
    key_text(digest, making->request->salt);
    key_text(digest, key);
    return key_end(making->arena, digest);
}

void add_step(struct making *making, struct stage_state *state, const struct recipe_instruction *instruction,
              enum step_kind kind, void *request, struct build_place *place, bool has_network,
              struct digest *hashed)
{
    const char *cached = NULL, *key = NULL;
    if (hashed && state->key) {
        key_text(hashed, NULL); /* once a salt stood here */
        key_text(hashed, state->key);
        cached = key_end(making->arena, hashed);
        key = salted(making, cached);
    } else {
        digest_free(hashed);
    }
    *place = *place_in(making, state->base.digest, &state->below);
    place->key = key;
    struct build_step *step = arena_append(making->arena, making->build->steps, making->build->count);
    *step = (struct build_step){.kind = kind,
                                .request = request,
                                .has_network = has_network,
                                .key = key,
                                .cached = cached,
                                .at = instruction->place,
                                .text = instruction->text};
    state->key = cached;
    if (!key)
        return;
    struct texts below = {0};
    *arena_append(making->arena, below.items, below.count) = key;
    for (size_t i = 0; i < state->below.count; i++)
        *arena_append(making->arena, below.items, below.count) = state->below.items[i];
    state->below = below;
}

static bool apply(struct making *making, struct stage_state *state,
                  const struct recipe_instruction *instruction, struct build_part *part, struct buffer *said)
{
    switch (instruction->keyword) {
    case RECIPE_ARG:
        if (!apply_arg(making, state, instruction))
            return false;
        for (size_t i = 0; i < instruction->pair_count; i++) {
            const char *value = variables_get(&state->variables, instruction->pairs[i].key);
            buffer_printf(said, "%s=%s", instruction->pairs[i].key, value ? value : "");
        }
        return true;
    case RECIPE_RUN:
        return apply_run(making, state, instruction, part);
    case RECIPE_WORKDIR:
        return apply_workdir(making, state, instruction, said);
    case RECIPE_COPY:
    case RECIPE_ADD:
        return apply_copy(making, state, instruction, part, said);
    default:
        return apply_config(making, state, instruction, said);
    }
}

/* What is written, what it comes to, and its here-documents: another of these, and the instruction is another one. */
static const char *digest_part(struct making *making, const struct recipe_instruction *instruction,
                               const struct buffer *said)
{
    struct digest *digest = key_begin(NULL, "part");
    const enum recipe_keyword keyword = instruction->keyword;
    /* Their words are taken as they are. */
    const bool has_texts = keyword == RECIPE_RUN || keyword == RECIPE_CMD || keyword == RECIPE_ENTRYPOINT ||
                           keyword == RECIPE_SHELL || keyword == RECIPE_HEALTHCHECK;
    key_text(digest, recipe_keyword_name(keyword));
    for (size_t i = 0; i < instruction->flag_count; i++) {
        key_text(digest, instruction->flags[i].name);
        key_text(digest, instruction->flags[i].value);
    }
    key_number(digest, instruction->exec);
    for (size_t i = 0; has_texts && i < instruction->word_count; i++)
        key_text(digest, instruction->words[i].text);
    for (size_t i = 0; i < instruction->document_count; i++)
        key_text(digest, instruction->documents[i].text);
    key_number(digest, (int64_t)said->length);
    digest_add(digest, said->length ? said->bytes : "", said->length);
    return key_end(making->arena, digest);
}

/* What plans and records say of an instruction: not what a variable is given whose name says that it holds a secret. */
static const char *text_told(struct arena *arena, const struct recipe_instruction *instruction)
{
    _cleanup_buffer_ struct buffer text = {0};
    bool hides = false;
    buffer_text(&text, recipe_keyword_name(instruction->keyword));
    for (size_t i = 0; i < instruction->pair_count; i++) {
        const struct recipe_pair *pair = &instruction->pairs[i];
        const bool hidden = pair->value && variable_is_hidden(pair->key);
        hides = hides || hidden;
        buffer_printf(&text, " %s%s%s", pair->key, pair->value ? "=" : "",
                      hidden        ? "(sensitive)"
                      : pair->value ? pair->value
                                    : "");
    }
    return hides ? arena_strdup(arena, text.bytes) : instruction->text;
}

static bool make_instruction(struct making *making, struct stage_state *state,
                             const struct recipe_instruction *instruction)
{
    _cleanup_buffer_ struct buffer said = {0};
    struct build_part part = {.at = instruction->place, .text = text_told(making->arena, instruction)};
    const bool fine = apply(making, state, instruction, &part, &said);
    part.digest = fine ? digest_part(making, instruction, &said) : NULL;
    *add_part(making, part.at, part.text) = part;
    return fine;
}

/* What an image that is not known yet may set is not known either: an instruction that asks for it is judged when that is, by
 * the same run. */
static bool try_instruction(struct making *making, struct stage_state *state,
                            const struct recipe_instruction *instruction)
{
    struct problems told = {.arena = making->arena}, *const problems = making->problems;
    const struct build before = *making->build;
    const size_t env = state->config->env.count;
    state->missed = false;
    making->problems = &told;
    const bool fine = make_instruction(making, state, instruction);
    making->problems = problems;
    if (!state->missed) {
        for (size_t i = 0; i < told.count; i++)
            *arena_append(problems->arena, problems->items, problems->count) = told.items[i];
        return fine;
    }
    making->build->warnings.count = before.warnings.count;
    making->build->addresses.count = before.addresses.count;
    making->build->fetched = before.fetched;
    making->build->taken.count = before.taken.count;
    state->config->env.count = env;
    for (size_t i = 0; i < instruction->pair_count; i++)
        variables_unset(&state->variables, instruction->pairs[i].key);
    return true;
}

/* A stage of this recipe is another one than where the instruction was written. */
static bool check_trigger(struct making *making, const struct stage_state *state,
                          const struct recipe_instruction *instruction)
{
    const struct recipe_flag *from = recipe_flag(instruction, "from");
    if (!from || !from->value || !earlier(making, state->stage, from->value, true))
        return true;
    problem_add(making->problems, state->stage->place, "give the stage another name",
                "its --from means an image, and this recipe has a stage of that name");
    return false;
}

/* What is wrong with it stands in no line of this recipe. */
static void tell_trigger(struct making *making, const struct stage_state *state, const char *trigger,
                         const struct problems *told)
{
    for (size_t i = 0; i < told->count; i++)
        problem_add(making->problems, told->items[i].place, told->items[i].hint,
                    "FROM %s: its ONBUILD %.200s is done here: %s", state->stage->base.text, trigger,
                    told->items[i].message);
}

/* What its base has put off comes first, and is done with. */
static void make_triggers(struct making *making, struct stage_state *state)
{
    const struct texts triggers = state->config->triggers;
    bool fine = true;
    state->config->triggers = (struct texts){0};
    for (size_t i = 0; fine && i < triggers.count; i++) {
        struct problems told = {.arena = making->arena}, *const problems = making->problems;
        making->problems = &told;
        struct recipe_instruction *instruction =
            recipe_trigger(triggers.items[i], '\\', state->stage->place, making->arena, making->problems);
        if (instruction)
            instruction->text = arena_printf(making->arena, "ONBUILD %s", triggers.items[i]);
        fine = instruction && check_trigger(making, state, instruction) &&
               make_instruction(making, state, instruction);
        making->problems = problems;
        tell_trigger(making, state, triggers.items[i], &told);
    }
    state->in_doubt |= !fine;
}

/* What is judged by a variable that could not be set, or by what an image says that is none, would be told on false
 * grounds. */
static void make_stage(struct making *making, struct stage_state *state)
{
    begin_stage(making, state);
    make_triggers(making, state);
    for (size_t i = 0; i < state->stage->count; i++) {
        const struct recipe_instruction *instruction = state->stage->instructions[i];
        const enum recipe_keyword keyword = instruction->keyword;
        const bool fine = is_judged(state, instruction) && try_instruction(making, state, instruction);
        if (!fine && (keyword == RECIPE_ARG || keyword == RECIPE_ENV || keyword == RECIPE_KEYWORDS))
            state->in_doubt = true;
    }
}

static void make_stages(struct making *making)
{
    for (size_t i = 0; i < making->request->recipe->count; i++)
        if (making->stages[i].needed)
            make_stage(making, &making->stages[i]);
}

/* ---- the end ---- */

/* Many lines may say more than an image can hold: what cannot be read again is not built. */
static bool is_readable(const struct making *making, const struct stage_state *target)
{
    struct image_config *again;
    struct error error = {0};
    const char *text = image_config_to_text(making->arena, making->build->config);
    if (image_config_parse(making->arena, text, &again, &error) == 0)
        return true;
    problem_add(making->problems, target->stage->place, NULL, "what the image says about being run: %s",
                error.text);
    return false;
}

static bool finish(struct making *making, const struct stage_state *target)
{
    struct build *build = making->build;
    build->place = place_in(making, target->base.digest, &target->below);
    build->is_known = target->key != NULL;
    for (size_t i = 0; i < build->count; i++)
        build->is_known &= build->steps[i].key != NULL;
    build->config = target->config;
    image_config_settle(making->arena, build->config);
    build->made_of = made_of(making->arena, build);
    return is_readable(making, target);
}

static bool has_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

/* `asked`: the names that the recipe has for such things. */
static void warn_of_unasked(struct making *making, const struct pair *given, const char *what,
                            const char *hint, const char *const *asked, size_t count)
{
    _cleanup_map_ struct map names = {0};
    for (size_t i = 0; i < count; i++)
        map_add(&names, asked[i], making);
    const char *near = map_nearest(&names, given->key);
    const struct place place = given->place.file ? given->place : first_place(making);
    problem_add(&making->build->warnings, place, near ? NULL : hint, "%s %s%s%s%s", what, given->key,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void warn_of_arguments(struct making *making)
{
    const struct pairs *given = making->request->arguments;
    for (size_t i = 0; given && i < given->count; i++)
        if (!has_word(making->consumed, making->consumed_count, given->items[i].key) &&
            !strcasestr(given->items[i].key, "_proxy"))
            warn_of_unasked(making, &given->items[i], "no ARG of the recipe takes the argument",
                            "add an ARG for it", making->consumed, making->consumed_count);
}

static void warn_of_secrets(struct making *making)
{
    const struct pairs *given = making->request->secrets;
    for (size_t i = 0; given && i < given->count; i++)
        if (!has_word(making->mounted, making->mounted_count, given->items[i].key))
            warn_of_unasked(
                making, &given->items[i], "no RUN of the recipe mounts the secret",
                arena_printf(making->arena, "RUN --mount=type=secret,id=%s does", given->items[i].key),
                making->mounted, making->mounted_count);
}
