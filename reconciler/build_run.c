/* RUN and WORKDIR as steps. */
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "reconciler/build_internal.h"
#include "specs/forms.h"
#include "specs/recipe_mount.h"

#define SCRIPT_FOLDER                                                                                        \
    "/.fpsync-run/" /* of a here-document that names its own interpreter; seen by its RUN alone */

static struct texts command_of(struct making *making, const struct stage_state *state,
                               const struct recipe_instruction *instruction, struct build_run *run);
static struct pairs environment_of(struct making *making, const struct stage_state *state);
static bool add_mounts(struct making *making, struct stage_state *state,
                       const struct recipe_instruction *instruction, struct build_run *run,
                       struct build_part *part, struct digest *hashed, bool *known);

static bool is_on(const struct recipe_flag *flag)
{
    return flag && (!flag->value || strcmp(flag->value, "true") == 0);
}

static void hash_run(struct digest *hashed, const struct build_run *run, const struct stage_state *state,
                     bool has_network)
{
    key_texts(hashed, &run->argv);
    key_number(hashed, (int64_t)state->variables.count);
    for (size_t i = 0; i < run->env.count; i++) {
        /* Variables of the way to the network do not change what is made. */
        if (!variables_get(&state->variables, run->env.items[i].key))
            continue;
        key_text(hashed, run->env.items[i].key);
        key_text(hashed, run->env.items[i].value);
    }
    key_text(hashed, run->user);
    key_text(hashed, run->directory);
    key_number(hashed, run->init);
    key_number(hashed, has_network);
    key_number(hashed, (int64_t)run->files.count);
    for (size_t i = 0; i < run->files.count; i++)
        key_text(hashed, ((const struct root_file *)run->files.items[i])->content);
}

bool apply_run(struct making *making, struct stage_state *state, const struct recipe_instruction *instruction,
               struct build_part *part)
{
    const struct recipe_flag *network = recipe_flag(instruction, "network");
    const bool has_network = !network || !network->value || strcmp(network->value, "none") != 0;
    struct build_run *run = described_new(making->arena, &build_run_table);
    bool known = true;
    run->place = described_new(making->arena, &build_place_table);
    run->what = step_title(making, instruction);
    run->argv = command_of(making, state, instruction, run);
    run->env = environment_of(making, state);
    run->user = state->config->user;
    run->directory = state->config->directory;
    run->init = is_on(recipe_flag(instruction, "init"));
    run->epoch = making->epoch;
    struct digest *hashed = key_begin(making->epoch, "run");
    hash_run(hashed, run, state, has_network);
    if (!add_mounts(making, state, instruction, run, part, hashed, &known)) {
        digest_free(hashed);
        return false;
    }
    if (!known) {
        digest_free(hashed);
        hashed = NULL;
    }
    described_whole(&build_run_table, run);
    add_step(making, state, instruction, STEP_BUILD_RUN, run, run->place, has_network, hashed);
    return true;
}

/* ---- the command ---- */

static void add_text(struct making *making, struct texts *texts, const char *text)
{
    *arena_append(making->arena, texts->items, texts->count) = text;
}

static const char *add_script(struct making *making, const struct recipe_document *document,
                              struct build_run *run)
{
    struct root_file *file = described_new(making->arena, &root_file_table);
    file->path = arena_printf(making->arena, SCRIPT_FOLDER "%s", document->name);
    file->content = document->text;
    file->mode = 0755;
    *arena_append(making->arena, run->files.items, run->files.count) =
        described_whole(&root_file_table, file);
    return file->path;
}

/* A line that is but one here-document is that document: run by the interpreter that it names, or by the shell. Of others
 * the shell reads the documents itself. */
static const char *line_of(struct making *making, const struct recipe_instruction *instruction,
                           struct build_run *run)
{
    const char *line = instruction->words[0].text;
    const struct recipe_document *document = instruction->documents;
    if (instruction->document_count == 1 && !strpbrk(line, " \t")) {
        const bool is_name = !strchr(document->name, '/') && strcmp(document->name, "..") != 0;
        return strncmp(document->text, "#!", 2) == 0 && is_name ? add_script(making, document, run)
                                                                : document->text;
    }
    _cleanup_buffer_ struct buffer all = {0};
    buffer_text(&all, line);
    for (size_t i = 0; i < instruction->document_count; i++) {
        buffer_text(&all, "\n");
        buffer_text(&all, instruction->documents[i].text);
        buffer_text(&all, instruction->documents[i].name);
    }
    return arena_strdup(making->arena, all.bytes);
}

static struct texts command_of(struct making *making, const struct stage_state *state,
                               const struct recipe_instruction *instruction, struct build_run *run)
{
    struct texts command = {0};
    const struct texts *shell = &state->config->shell;
    if (instruction->exec) {
        for (size_t i = 0; i < instruction->word_count; i++)
            add_text(making, &command, instruction->words[i].text);
        return command;
    }
    for (size_t i = 0; i < shell->count; i++)
        add_text(making, &command, shell->items[i]);
    if (!shell->count) {
        add_text(making, &command, "/bin/sh");
        add_text(making, &command, "-c");
    }
    add_text(making, &command, line_of(making, instruction, run));
    return command;
}

/* ---- the environment ---- */

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct pair *)left)->key, ((const struct pair *)right)->key);
}

/* All that is set, and the proxies that were given: those are there without an ARG. */
static struct pairs environment_of(struct making *making, const struct stage_state *state)
{
    static const char *const proxies[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                          "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                          "ALL_PROXY",  "all_proxy"};
    struct pairs env = {0};
    for (size_t i = 0; i < state->variables.count; i++)
        *arena_append(making->arena, env.items, env.count) = state->variables.items[i];
    for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++) {
        const char *value = given_argument(making, proxies[i]);
        if (!value)
            continue;
        *arena_append(making->arena, making->consumed, making->consumed_count) = proxies[i];
        if (!variables_get(&state->variables, proxies[i]))
            *arena_append(making->arena, env.items, env.count) =
                (struct pair){.key = proxies[i], .value = value};
    }
    if (env.count)
        qsort(env.items, env.count, sizeof(*env.items), by_key);
    return env;
}

/* ---- mounts ---- */

struct mounting {
    struct making *making;
    struct stage_state *state;
    const struct recipe_instruction *instruction;
    const struct recipe_flag *flag;
    struct build_part *part;
    struct digest *hashed;
    const char *from; /* what of another root is mounted; NULL: nothing is, or it is not known yet */
    bool known;       /* all that goes into the key */
};

static const char *const type_names[] = {"bind", "cache", "tmpfs", "secret"};

static const char *look_up(void *context, const char *name)
{
    return variables_ask(context, name);
}

static bool refuse(struct mounting *mounting, const char *hint, const char *text)
{
    problem_add(mounting->making->problems, mounting->flag->place, hint, "RUN --mount: %s", text);
    return false;
}

/* What is mounted: a part of the context, or of another root. */
static bool add_source(struct mounting *mounting, const struct recipe_mount *read, struct build_mount *mount)
{
    struct making *making = mounting->making;
    const char *identity;
    if (read->from) {
        mount->path = path_clean(making->arena, "/", read->source ? read->source : "/");
        mount->from = place_of(making, mounting->state, "RUN --mount from=", read->from,
                               mounting->flag->place, &identity);
        key_text(mounting->hashed, identity);
        mounting->from = identity;
        mounting->known &= identity != NULL;
        return mount->from != NULL;
    }
    if (read->type == RECIPE_MOUNT_CACHE)
        return true;
    struct list sources = {0};
    const struct input_request request = {.pattern = read->source ? read->source : ".",
                                          .instruction = mounting->instruction,
                                          .place = mounting->flag->place};
    if (!find_inputs(making, &request, &mounting->state->variables, &sources, mounting->part))
        return false;
    const struct build_source *source = sources.items[0];
    mount->path = source->path;
    mount->folder = source->folder;
    mount->excluded = source->excluded;
    mount->included = source->included;
    key_text(mounting->hashed, source->digest);
    return true;
}

static bool add_secret(struct mounting *mounting, const struct recipe_mount *read, struct build_mount *mount)
{
    const struct pairs *secrets = mounting->making->request->secrets;
    const char *id = read->id;
    if (!id) {
        const char *slash = strrchr(read->target, '/');
        id = slash ? slash + 1 : read->target;
    }
    *arena_append(mounting->making->arena, mounting->making->mounted, mounting->making->mounted_count) = id;
    for (size_t i = 0; secrets && i < secrets->count && !mount->file; i++)
        if (strcmp(secrets->items[i].key, id) == 0)
            mount->file = secrets->items[i].value;
    mount->env = read->env;
    if (!mount->target && !read->env)
        mount->target = arena_printf(mounting->making->arena, "/run/secrets/%s", id);
    if (mount->env && !image_variable_is_valid(mount->env))
        return refuse(
            mounting, NULL,
            arena_printf(mounting->making->arena, "env: '%s' is no name of a variable", mount->env));
    if (!mount->file && read->required)
        problem_add(&mounting->making->build->missing, mounting->flag->place,
                    arena_printf(mounting->making->arena, "--secret id=%s,src=FILE", id),
                    "the secret %s is required, and not given", id);
    return true;
}

static void hash_mount(struct digest *hashed, const struct build_mount *mount)
{
    key_text(hashed, mount->type);
    key_text(hashed, mount->target);
    key_text(hashed, mount->id);
    key_text(hashed, mount->sharing);
    key_text(hashed, mount->path);
    key_text(hashed, mount->mode);
    key_number(hashed, mount->uid);
    key_number(hashed, mount->gid);
    key_number(hashed, mount->writable);
    key_number(hashed, mount->size);
    if (mount->env) /* keys of before there was such a thing are the same */
        key_text(hashed, mount->env);
}

/* What a cache begins as is told only to a new one: another beginning is another cache, as docker has it. One that begins
 * empty and is root's is known by the id alone. */
static const char *cache_of(const struct mounting *mounting, const struct build_mount *mount)
{
    const bool is_plain = !mount->uid && !mount->gid && (!mount->mode || strcmp(mount->mode, "0755") == 0);
    return is_plain && !mount->path
               ? mount->id
               : arena_printf(mounting->making->arena, "%s,%s,%lld,%lld,%s,%s", mount->id,
                              mount->mode ? mount->mode : "0755", (long long)mount->uid,
                              (long long)mount->gid, mounting->from ? mounting->from : "",
                              mount->path ? mount->path : "");
}

static const char *target_of(struct mounting *mounting, const struct recipe_mount *read)
{
    const char *directory = mounting->state->config->directory;
    return read->target ? path_clean(mounting->making->arena, directory ? directory : "/", read->target)
                        : NULL;
}

static bool add_mount(struct mounting *mounting, const struct recipe_mount *read, struct build_run *run)
{
    struct arena *arena = mounting->making->arena;
    struct build_mount *mount = described_new(arena, &build_mount_table);
    mount->key = arena_printf(arena, "%zu", run->mounts.count);
    mount->type = type_names[read->type];
    mount->target = target_of(mounting, read);
    if (mount->target && strcmp(mount->target, "/") == 0)
        return refuse(mounting, NULL, "nothing is mounted over the whole root");
    mount->mode = read->mode < 0 ? NULL : arena_printf(arena, "%04o", (unsigned)read->mode);
    mount->uid = read->uid < 0 ? 0 : read->uid;
    mount->gid = read->gid < 0 ? 0 : read->gid;
    mount->writable = !read->read_only;
    mount->size = read->size;
    if (read->type == RECIPE_MOUNT_CACHE) {
        mount->id = read->id ? read->id : mount->target;
        mount->sharing = read->sharing ? read->sharing : "shared";
    }
    if (read->type == RECIPE_MOUNT_SECRET && !add_secret(mounting, read, mount))
        return false;
    const bool has_source = read->type == RECIPE_MOUNT_BIND || read->type == RECIPE_MOUNT_CACHE;
    if (has_source && !add_source(mounting, read, mount))
        return false;
    hash_mount(mounting->hashed, mount);
    if (mount->id)
        mount->id = cache_of(mounting, mount);
    *arena_append(arena, run->mounts.items, run->mounts.count) = described_whole(&build_mount_table, mount);
    return true;
}

static bool add_mounts(struct making *making, struct stage_state *state,
                       const struct recipe_instruction *instruction, struct build_run *run,
                       struct build_part *part, struct digest *hashed, bool *known)
{
    const struct recipe_checker checker = {.arena = making->arena,
                                           .problems = making->problems,
                                           .warnings = &making->build->warnings,
                                           .escape = making->request->recipe->escape};
    const struct recipe_expansion expansion = {
        .escape = checker.escape, .get = look_up, .context = &state->variables};
    bool fine = true;
    for (size_t i = 0; i < instruction->flag_count; i++) {
        struct mounting mounting = {.making = making,
                                    .state = state,
                                    .instruction = instruction,
                                    .flag = &instruction->flags[i],
                                    .part = part,
                                    .hashed = hashed,
                                    .known = true};
        struct recipe_mount read;
        if (strcmp(instruction->flags[i].name, "mount") != 0)
            continue;
        if (!recipe_mount_read(&checker, &instruction->flags[i], &expansion, &read) ||
            !add_mount(&mounting, &read, run))
            fine = false;
        *known &= mounting.known;
    }
    return fine;
}

/* ---- WORKDIR ---- */

bool apply_workdir(struct making *making, struct stage_state *state,
                   const struct recipe_instruction *instruction, struct buffer *said)
{
    const struct recipe_word *word = &instruction->words[0];
    const char *path = expand_text(making, &state->variables, word->text, word->place, "WORKDIR");
    const char *before = state->config->directory ? state->config->directory : "/";
    const char *directory =
        path ? image_directory_parse(making->arena, path_clean(making->arena, before, path)) : NULL;
    if (path && !directory)
        problem_add(making->problems, word->place, NULL, "WORKDIR: expected a path, found '%s'", path);
    if (!directory)
        return false;
    state->config->directory = directory;
    buffer_add(said, directory, strlen(directory) + 1);
    if (strcmp(directory, "/") == 0)
        return true;
    struct build_folder *folder = described_new(making->arena, &build_folder_table);
    folder->place = described_new(making->arena, &build_place_table);
    folder->what = step_title(making, instruction);
    folder->path = directory;
    folder->owner = state->config->user;
    folder->epoch = making->epoch;
    described_whole(&build_folder_table, folder);
    struct digest *hashed = key_begin(making->epoch, "folder");
    key_text(hashed, folder->path);
    key_text(hashed, folder->owner);
    add_step(making, state, instruction, STEP_BUILD_FOLDER, folder, folder->place, false, hashed);
    return true;
}
