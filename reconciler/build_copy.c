/* COPY and ADD as steps. */
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "reconciler/build_internal.h"
#include "specs/forms.h"

struct copying {
    struct making *making;
    struct stage_state *state;
    const struct recipe_instruction *instruction;
    struct build_copy *copy;
    struct build_part *part;
    const char *identity; /* of what --from names; NULL: there is none, or it is not known yet */
    struct build_place *from;
    bool is_unknown; /* what an address holds */
};

static bool read_from(struct copying *copying);
static bool read_flags(struct copying *copying);
static bool read_target(struct copying *copying, struct buffer *said);
static bool read_source(struct copying *copying, const struct recipe_word *word, struct buffer *said);
static struct digest *hash_copy(const struct copying *copying);

static const char *keyword(const struct copying *copying)
{
    return recipe_keyword_name(copying->instruction->keyword);
}

bool apply_copy(struct making *making, struct stage_state *state,
                const struct recipe_instruction *instruction, struct build_part *part, struct buffer *said)
{
    struct copying copying = {.making = making, .state = state, .instruction = instruction, .part = part};
    struct build_copy *copy = copying.copy = described_new(making->arena, &build_copy_table);
    copy->place = described_new(making->arena, &build_place_table);
    copy->what = step_title(making, instruction);
    copy->epoch = making->epoch;
    bool fine = read_flags(&copying);
    if (!read_from(&copying) || !read_target(&copying, said))
        return false;
    for (size_t i = 0; i + 1 < instruction->word_count; i++)
        fine &= read_source(&copying, &instruction->words[i], said);
    if (!fine)
        return false;
    const struct recipe_word *target = &instruction->words[instruction->word_count - 1];
    if (copy->sources.count > 1 && copy->target[strlen(copy->target) - 1] != '/') {
        problem_add(making->problems, target->place, arena_printf(making->arena, "write %s/", target->text),
                    "%s: the target of several sources must be a folder, found '%s'", keyword(&copying),
                    target->text);
        return false;
    }
    described_whole(&build_copy_table, copy);
    add_step(making, state, instruction, STEP_BUILD_COPY, copy, copy->place, false, hash_copy(&copying));
    return true;
}

/* ---- flags ---- */

/* Expanded; NULL: it is not there, or `fine` says that it is wrong. */
static const char *flag_value(struct copying *copying, const char *name, bool *fine)
{
    const struct recipe_flag *flag = recipe_flag(copying->instruction, name);
    if (!flag)
        return NULL;
    const char *value =
        expand_text(copying->making, &copying->state->variables, flag->value, flag->place, keyword(copying));
    *fine &= value != NULL;
    return value;
}

static bool refuse_flag(struct copying *copying, const char *name, const char *expected, const char *found)
{
    problem_add(copying->making->problems, recipe_flag(copying->instruction, name)->place, NULL,
                "%s --%s: expected %s, found '%s'", keyword(copying), name, expected, found);
    return false;
}

static bool refuse_with_from(struct copying *copying, const char *name)
{
    const struct recipe_flag *flag = recipe_flag(copying->instruction, name);
    if (!flag || (flag->value && strcmp(flag->value, "false") == 0))
        return true;
    problem_add(copying->making->problems, flag->place,
                "copy the folder, and remove in a RUN what is too much",
                "COPY --from: --%s is not supported with it", name);
    return false;
}

static bool is_set(const struct copying *copying, const char *name)
{
    const struct recipe_flag *flag = recipe_flag(copying->instruction, name);
    return flag && !(flag->value && strcmp(flag->value, "false") == 0);
}

/* "a/./b": what comes before the dot is left out of what --parents keeps. */
static int64_t skipped_of(const char *text)
{
    const char *pivot = strstr(text, "/./");
    int64_t count = 0;
    for (const char *at = text; pivot && at < pivot; count++) {
        at += strspn(at, "/");
        if (at >= pivot)
            break;
        at += strcspn(at, "/");
    }
    return count - (pivot && strncmp(text, "./", 2) == 0 ? 1 : 0);
}

static bool read_from(struct copying *copying)
{
    const struct recipe_flag *from = recipe_flag(copying->instruction, "from");
    if (!from)
        return true;
    copying->from = place_of(copying->making, copying->state, "COPY --from=", from->value, from->place,
                             &copying->identity);
    return copying->from && refuse_with_from(copying, "exclude");
}

static bool read_flags(struct copying *copying)
{
    struct build_copy *copy = copying->copy;
    bool fine = true;
    int64_t mode;
    const struct recipe_flag *unpack = recipe_flag(copying->instruction, "unpack");
    const char *owner = flag_value(copying, "chown", &fine), *chmod = flag_value(copying, "chmod", &fine);
    if (!fine)
        return false;
    if (owner && recipe_user_expected(owner))
        return refuse_flag(copying, "chown", recipe_user_expected(owner), owner);
    if (chmod && !recipe_mode(chmod, &mode))
        return refuse_flag(copying, "chmod", "octal permissions up to 07777", chmod);
    copy->owner = owner;
    copy->mode = chmod ? arena_printf(copying->making->arena, "%04o", (unsigned)mode) : NULL;
    copy->parents = is_set(copying, "parents");
    copy->unpack = copying->instruction->keyword == RECIPE_ADD &&
                   !(unpack && unpack->value && strcmp(unpack->value, "false") == 0);
    copy->unpack_fetched = copy->unpack && unpack; /* as docker has it: only where that is said */
    return true;
}

/* ---- words ---- */

static const char *expand(struct copying *copying, const struct recipe_word *word, struct buffer *said)
{
    const char *text =
        expand_text(copying->making, &copying->state->variables, word->text, word->place, keyword(copying));
    if (text && (!*text || text_printable(text, strlen(text)) != strlen(text))) {
        problem_add(copying->making->problems, word->place, NULL, "%s: expected a path, found '%s'",
                    keyword(copying), text);
        return NULL;
    }
    if (text)
        buffer_add(said, text, strlen(text) + 1);
    return text;
}

/* A '/' at its end is kept: it says that the target is a folder, as "." does. */
static bool read_target(struct copying *copying, struct buffer *said)
{
    const struct recipe_instruction *instruction = copying->instruction;
    const char *directory = copying->state->config->directory;
    const char *text = expand(copying, &instruction->words[instruction->word_count - 1], said);
    if (!text)
        return false;
    const size_t length = strlen(text);
    const char *path = path_clean(copying->making->arena, directory ? directory : "/", text);
    const bool is_folder = text[length - 1] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
                           (length > 1 && strcmp(text + length - 2, "/.") == 0);
    copying->copy->target =
        is_folder && strcmp(path, "/") != 0 ? arena_printf(copying->making->arena, "%s/", path) : path;
    return true;
}

static struct build_source *add_source(struct copying *copying)
{
    struct arena *arena = copying->making->arena;
    struct list *sources = &copying->copy->sources;
    struct build_source *source = described_new(arena, &build_source_table);
    source->key = arena_printf(arena, "%zu", sources->count);
    *arena_append(arena, sources->items, sources->count) = described_whole(&build_source_table, source);
    return source;
}

static const char *look_up(void *context, const char *name)
{
    return variables_ask(context, name);
}

static bool add_document(struct copying *copying, const struct recipe_document *document)
{
    struct making *making = copying->making;
    const struct recipe_expansion expansion = {
        .escape = '\\', .keeps_quotes = true, .get = look_up, .context = &copying->state->variables};
    struct error error = {0};
    const char *text = document->text;
    if (strchr(document->name, '/') || strcmp(document->name, ".") == 0 ||
        strcmp(document->name, "..") == 0) {
        problem_add(making->problems, document->place, NULL,
                    "%s: '%s' is no name of a file, which the here-document becomes", keyword(copying),
                    document->name);
        return false;
    }
    if (document->expands && recipe_expand(&expansion, document->text, making->arena, &text, &error) < 0) {
        problem_add(making->problems, document->place, NULL, "%s <<%s: %s", keyword(copying), document->name,
                    error.text);
        return false;
    }
    struct build_source *source = add_source(copying);
    source->text = text;
    source->path = document->name;
    return true;
}

/* A glob is matched when its root is there: by whoever copies. */
static void add_from(struct copying *copying, const char *text)
{
    struct build_source *source = add_source(copying);
    source->from = copying->from;
    source->path = path_clean(copying->making->arena, "/", text);
    source->skipped = skipped_of(text);
    described_whole(&build_source_table, source);
    add_input(copying->making, copying->part,
              arena_printf(copying->making->arena, "%s:%s", recipe_flag(copying->instruction, "from")->value,
                           source->path),
              copying->identity);
}

static const char *known_digest(const struct making *making, const char *url)
{
    const struct pairs *fetched = making->request->fetched;
    for (size_t i = 0; fetched && i < fetched->count; i++)
        if (strcmp(fetched->items[i].key, url) == 0)
            return fetched->items[i].value;
    return NULL;
}

/* "https://host/a/b.tar?x" is "b.tar". */
static const char *name_in(struct arena *arena, const char *url)
{
    const char *path = strchr(url + strlen("https://"), '/');
    const size_t length = path ? strcspn(path, "?#") : 0;
    const char *whole = path ? arena_strndup(arena, path, length) : "/", *name = strrchr(whole, '/') + 1;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? "" : name;
}

static const char *declared_digest(struct copying *copying, bool *fine)
{
    const char *value = flag_value(copying, "checksum", fine);
    if (!value)
        return NULL;
    const char *digits = strncmp(value, "sha256:", 7) == 0 ? value + 7 : "";
    if (strlen(digits) == 64 && strspn(digits, "0123456789abcdef") == 64)
        return digits;
    *fine = refuse_flag(copying, "checksum", "sha256: and 64 hex digits", value);
    return NULL;
}

/* Without a checksum the bytes are those that were fetched last: by this run, or, until it makes the image, by the one that
 * made it. */
static bool add_address(struct copying *copying, const struct recipe_word *word, const char *url)
{
    struct making *making = copying->making;
    struct build *build = making->build;
    const char *name = name_in(making->arena, url), *target = copying->copy->target;
    bool fine = true;
    const char *checksum = declared_digest(copying, &fine),
               *digest = checksum ? checksum : known_digest(making, url);
    if (!fine)
        return false;
    if (!*name && target[strlen(target) - 1] == '/') {
        problem_add(making->problems, word->place, "say the name: write it behind the target",
                    "ADD: '%s' ends in no name of a file", url);
        return false;
    }
    if (digest && *digest == '!') {
        problem_add(making->problems, word->place, NULL, "ADD: %s cannot be fetched: %s", url, digest + 1);
        return false;
    }
    struct build_source *source = add_source(copying);
    source->url = url;
    source->fetched = digest;
    source->path = *name ? name : "file";
    described_whole(&build_source_table, source);
    add_input(making, copying->part, url, digest);
    copying->is_unknown |= !digest;
    if (!checksum) {
        *arena_append(making->arena, build->addresses.items, build->addresses.count) = url;
        if (digest)
            build->fetched =
                arena_printf(making->arena, "%s%s %s\n", build->fetched ? build->fetched : "", digest, url);
    }
    return true;
}

/* As BuildKit tells them from files: https://HOST/PATH.git, "#" and what of it is meant behind that. */
static bool is_repository(const char *url)
{
    const size_t length = strcspn(url, "#?");
    return length > strlen(".git") && strncmp(url + length - strlen(".git"), ".git", strlen(".git")) == 0;
}

static bool is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 ||
           strncmp(text, "git://", 6) == 0 || strncmp(text, "git@", 4) == 0 ||
           strncmp(text, "ssh://", 6) == 0;
}

static bool read_source(struct copying *copying, const struct recipe_word *word, struct buffer *said)
{
    if (word->document)
        return add_document(copying, word->document);
    const char *text = expand(copying, word, said);
    if (!text)
        return false;
    if (strncmp(text, "https://", 8) == 0 && copying->instruction->keyword == RECIPE_ADD) {
        if (!is_repository(text))
            return add_address(copying, word, text);
        problem_add(copying->making->problems, word->place, "ADD an archive of it, or clone it in a RUN",
                    "ADD: repositories are not cloned, found '%s'", text);
        return false;
    }
    if (is_address(text) && !copying->from) {
        const bool is_add = copying->instruction->keyword == RECIPE_ADD;
        problem_add(copying->making->problems, word->place,
                    is_add ? "fetch it in a RUN, or put it into the context" : "ADD fetches https://",
                    is_add ? "%s: of addresses only https:// ones are fetched, found '%s'"
                           : "%s fetches no address, found '%s'",
                    keyword(copying), text);
        return false;
    }
    if (copying->from) {
        add_from(copying, text);
        return true;
    }
    const struct input_request request = {.pattern = text,
                                          .is_glob = glob_is_wild(text),
                                          .instruction = copying->instruction,
                                          .place = word->place};
    const size_t before = copying->copy->sources.count;
    if (!find_inputs(copying->making, &request, &copying->state->variables, &copying->copy->sources,
                     copying->part))
        return false;
    for (size_t i = before; i < copying->copy->sources.count; i++)
        ((struct build_source *)copying->copy->sources.items[i])->skipped = skipped_of(text);
    return true;
}

/* ---- the key ---- */

/* Of files what their digest says, and the name under which they come; where the context lies is no part of it. */
static struct digest *hash_copy(const struct copying *copying)
{
    const struct build_copy *copy = copying->copy;
    if ((copying->from && !copying->identity) || copying->is_unknown)
        return NULL;
    struct digest *hashed = key_begin(copying->making->epoch, "copy");
    key_text(hashed, copy->target);
    key_text(hashed, copy->owner);
    key_text(hashed, copy->mode);
    key_number(hashed, copy->unpack);
    key_text(hashed, copying->from ? copying->identity : NULL);
    key_number(hashed, (int64_t)copy->sources.count);
    for (size_t i = 0; i < copy->sources.count; i++) {
        const struct build_source *source = copy->sources.items[i];
        if (copy->parents)
            key_number(hashed, source->skipped);
        key_text(hashed, source->path);
        key_text(hashed, source->text);
        key_text(hashed, source->digest);
        if (source->fetched)
            key_text(hashed, source->fetched);
        if (source->fetched && copy->unpack_fetched) /* keys of before there was such a thing are the same */
            key_number(hashed, 1);
    }
    return hashed;
}
