/* complete: what may come next on a command line, one a line; `:files` leaves it to the shell. Hidden, for the scripts in
 * dist/completion, and quick: it reads tables and record, and looks at nothing else. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"

#define FILES ":files\n"

struct completing {
    struct session session;
    struct options said; /* what stands on the line so far */
    const char *word;    /* that is being written, perhaps "" */
    struct map found;    /* candidates, each once */
};

static void offer(struct completing *completing, const char *candidate)
{
    if (strncmp(candidate, completing->word, strlen(completing->word)) == 0)
        map_add(&completing->found, candidate, NULL);
}

static void offer_lines(struct completing *completing, const struct buffer *lines)
{
    char *rest = lines->length ? arena_strdup(completing->session.arena, lines->bytes) : NULL;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (*line)
            offer(completing, line);
}

static const struct command *command_of(const char *word)
{
    for (const struct command *command = commands; word && command->name; command++)
        if (text_is_same(command->name, word) || text_is_same(command->alias, word))
            return command;
    return NULL;
}

static void offer_commands(struct completing *completing)
{
    for (const struct command *command = commands; command->name; command++) {
        offer(completing, command->name);
        if (command->alias)
            offer(completing, command->alias);
    }
}

/* ---- objects ---- */

/* As a command takes it: bare in project `default`. */
static const char *short_name(const char *name)
{
    static const char standard[] = "default/";
    return strncmp(name, standard, strlen(standard)) == 0 ? name + strlen(standard) : name;
}

/* `kind` NULL: of every kind. Containers may stand without theirs. */
static void offer_objects(struct completing *completing, const char *kind, bool bare)
{
    struct arena *arena = completing->session.arena;
    for (size_t i = 0; i < completing->session.actual.count; i++) {
        const struct entry *entry = &completing->session.actual.items[i];
        if (kind && strcmp(kind_name(entry->kind), kind) != 0)
            continue;
        const char *name = short_name(entry->name);
        offer(completing, bare ? name : arena_join(arena, kind_name(entry->kind), '/', name));
    }
}

static void offer_sources(struct completing *completing)
{
    for (size_t i = 0; i < completing->session.snapshot.source_count; i++)
        offer(completing, completing->session.snapshot.sources[i]->name);
}

/* "container", "container.limits.memory": as far as the word goes, and one step on. */
static void offer_fields(struct completing *completing)
{
    struct arena *arena = completing->session.arena;
    const char *last = strrchr(completing->word, '.');
    const struct table *table = NULL;
    char *rest = last ? arena_strndup(arena, completing->word, (size_t)(last - completing->word)) : NULL;
    enum kind kind;
    for (kind = 0; !last && kind < KIND_COUNT; kind++)
        offer(completing, kind_name(kind));
    const char *step = strsep(&rest, ".");
    if (step && kind_parse(step, &kind) == 0)
        table = kind_table(kind);
    while (table && (step = strsep(&rest, "."))) {
        const struct field *row = field_by_key(table, step);
        table = row ? row->nested : NULL;
    }
    for (size_t i = 0; table && i < table->count; i++)
        if (!(table->rows[i].flags & FIELD_DERIVED))
            offer(completing, arena_printf(arena, "%.*s.%s", (int)(last - completing->word), completing->word,
                                           table->rows[i].key));
}

static void offer_lxc_names(struct completing *completing)
{
    const char *path = completing->said.lxc_path ? completing->said.lxc_path : completing->session.paths.lxc;
    DIR *folder = opendir(path);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder))
        if (*entry->d_name != '.')
            offer(completing, entry->d_name);
    if (folder)
        closedir(folder);
}

/* ---- the line ---- */

/* By the words of the command's usage: what a command takes is said there and nowhere else. */
static bool offer_arguments(struct completing *completing, const struct command *command)
{
    const char *takes = command->arguments;
    if (strcmp(command->name, "exec") == 0 && completing->said.argument_count > 1)
        return false;
    if (strcmp(command->name, "build") == 0 && (*completing->word == '.' || *completing->word == '/'))
        return false;
    if (strcmp(command->name, "image") == 0 && completing->said.argument_count < 2) {
        static const char *const words[] = {"ls",      "inspect", "export", "import",
                                            "publish", "gc",      "pull",   "rm"};
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            offer(completing, words[i]);
        return true;
    }
    if (strcmp(command->name, "store") == 0) {
        if (completing->said.argument_count < 2) {
            offer(completing, "search");
            offer(completing, "info");
        }
        return true;
    }
    if (strstr(takes, "IMAGE"))
        offer_objects(completing, kind_name(KIND_IMAGE), true);
    if (strstr(takes, "CONTAINER"))
        offer_objects(completing, kind_name(KIND_CONTAINER), true);
    if (strstr(takes, "KIND/NAME"))
        offer_objects(completing, NULL, false);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        if (strstr(takes, arena_printf(completing->session.arena, "%s/", kind_name(kind))))
            offer_objects(completing, kind_name(kind), false);
    if (strstr(takes, "SOURCE"))
        offer_sources(completing);
    if (strstr(takes, "[.FIELD]"))
        offer_fields(completing);
    return true;
}

/* False where the shell knows better: files. */
static bool complete_line(struct completing *completing, char *const *words, size_t count)
{
    const char *before = count > 1 ? words[count - 2] : "";
    if (strcmp(before, "=") == 0 && count > 2) /* bash parts --flag=value there */
        before = words[count - 3];
    _cleanup_buffer_ struct buffer lines = {0};
    if (options_complete_value(before, &lines)) {
        if (lines.length && strcmp(lines.bytes, OPTIONS_LXC) == 0)
            offer_lxc_names(completing);
        else
            offer_lines(completing, &lines);
        return lines.length;
    }
    const struct command *command = command_of(completing->said.command);
    if (*completing->word == '-') {
        options_complete_flags(command ? command->name : NULL, &lines);
        offer_lines(completing, &lines);
        return true;
    }
    if (!command || completing->said.command == completing->word) {
        offer_commands(completing);
        return true;
    }
    return offer_arguments(completing, command);
}

int run_complete(const struct options *options)
{
    struct completing completing = {.session = {.lock = -1}, .word = ""};
    struct error error = {0};
    size_t count = options->argument_count;
    if (!count)
        return EXIT_IN_SYNC;
    char **argv = calloc(count + 2, sizeof(*argv)); /* getopt moves words about */
    if (!argv)
        abort();
    argv[0] = (char *)"fpsync";
    memcpy(argv + 1, options->arguments, count * sizeof(*argv));
    options_parse((int)count + 1, argv, &completing.said, &error);
    completing.word = options->arguments[count - 1];
    struct options look = *options;
    look.root = strcmp(completing.said.root, "/") == 0 ? options->root : completing.said.root;
    session_open(&look, SESSION_READ, &completing.session, &error);
    if (!complete_line(&completing, options->arguments, count))
        fputs(FILES, stdout);
    for (size_t i = 0; i < completing.found.count; i++)
        printf("%s\n", completing.found.entries[i].key);
    map_clear(&completing.found);
    session_close(&completing.session);
    options_free(&completing.said);
    free(argv);
    return EXIT_IN_SYNC;
}
