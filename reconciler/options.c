#include "reconciler/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"

enum flag_type {
    FLAG_BOOL,
    FLAG_TEXT,
    FLAG_DURATION,
    FLAG_SIZE,
    FLAG_NUMBER,
    FLAG_OUTPUT,
    FLAG_FILE,
    FLAG_TARGET,
    FLAG_LXC,
    FLAG_CHOICE,
    FLAG_WAIT, /* a duration, which may be left out */
    FLAG_TEXTS
};

struct flag {
    const char *name;
    char letter; /* 0: none */
    enum flag_type type;
    size_t offset;
    const char *help;
    const char *commands; /* those that take it, between spaces; NULL: all */
};

#define MEMBER(name) offsetof(struct options, name)
#define READ_SPECS   " validate plan apply down build export adopt doctor "
static const struct flag flags[] = {
    {"file", 'f', FLAG_FILE, MEMBER(files),
     "spec file or folder, - for stdin; may be repeated (/etc/fpsync/specs.d)", READ_SPECS},
    {"root", 0, FLAG_TEXT, MEMBER(root), "put every path below DIR and mark names with its hash (/)", NULL},
    {"source", 0, FLAG_TEXT, MEMBER(source), "name of the source, instead of the path of -f", READ_SPECS},
    {"output", 'o', FLAG_OUTPUT, MEMBER(format), "table, json, yaml or name", NULL},
    {"color", 0, FLAG_CHOICE, MEMBER(color), "auto, always or never", NULL},
    {"progress", 0, FLAG_CHOICE, MEMBER(progress), "auto, tty, plain or json", NULL},
    {"parallel", 0, FLAG_NUMBER, MEMBER(parallel), "steps side by side (2 x CPUs)", NULL},
    {"timeout", 0, FLAG_DURATION, MEMBER(timeout),
     "bound for a stop, 0 kills at once; else for one action (5m)", NULL},
    {"wait", 0, FLAG_WAIT, MEMBER(wait),
     "until all containers that say how are healthy; =T waits T at most for each", " apply "},
    {"lock-timeout", 0, FLAG_DURATION, MEMBER(lock_timeout), "how long to wait for another run (0)", NULL},
    {"yes", 'y', FLAG_BOOL, MEMBER(yes), "answer questions with yes", NULL},
    {"quiet", 'q', FLAG_BOOL, MEMBER(quiet), "print nothing when nothing changed", NULL},
    {"verbose", 'v', FLAG_BOOL, MEMBER(verbose),
     "say also what actions wait for, and list layers of containers", NULL},
    {"auto", 0, FLAG_BOOL, MEMBER(automatic),
     "automatic run; a broken or missing set leaves the last good one in force", " plan apply "},
    {"allow-mass-delete", 0, FLAG_BOOL, MEMBER(allow_mass_delete),
     "remove more than a quarter of the objects", " plan apply "},
    {"take-over", 0, FLAG_BOOL, MEMBER(take_over), "take objects over from another source", " plan apply "},
    {"detailed-exitcode", 0, FLAG_BOOL, MEMBER(detailed), "2 when something was changed", " plan apply "},
    {"drift", 0, FLAG_BOOL, MEMBER(drift), "2 when something drifted", " status "},
    {"dry-run", 0, FLAG_BOOL, MEMBER(dry_run), "say what would be done and do nothing",
     " plan apply down build gc image adopt "},
    {"offline", 0, FLAG_BOOL, MEMBER(offline), "ask no server: what would be fetched is held, or refused",
     " plan apply build store "},
    {"remote", 0, FLAG_TEXT, MEMBER(remote), "the remote that is asked, as fpsync.conf names it (store)",
     " store "},
    {"rebuild", 0, FLAG_BOOL, MEMBER(rebuild),
     "make a lost record again from what exists and the files of -f", " doctor "},
    {"follow", 0, FLAG_BOOL, MEMBER(follow), "go on with what comes, until interrupted", " logs "},
    {"from", 0, FLAG_TEXT, MEMBER(from), "a file that backup wrote, or - for stdin", " restore "},
    {"name", 0, FLAG_TEXT, MEMBER(name), "its name (snapshot-TIME)", " snapshot "},
    {"lxc", 0, FLAG_LXC, MEMBER(lxc_names), "a container of LXC, whoever made it; may be repeated",
     " export "},
    {"lxc-path", 0, FLAG_TEXT, MEMBER(lxc_path), "where --lxc looks (/var/lib/lxc)", " export "},
    {"budget", 0, FLAG_SIZE, MEMBER(budget), "gc: free until all images together are not larger", " image "},
    {"older-than", 0, FLAG_DURATION, MEMBER(older), "gc: free what was not used for so long", " image "},
    {"no-cache", 0, FLAG_BOOL, MEMBER(no_cache), "make every step again", " build "},
    {"to", 0, FLAG_TEXT, MEMBER(to), "the folder that a web server serves (publish)", " image "},
    {"format", 0, FLAG_CHOICE, MEMBER(root_format), "squashfs or tar.xz", " image "},
    {"keep", 0, FLAG_NUMBER, MEMBER(keep), "versions that stay (2)", " image "},
    {"key", 0, FLAG_TEXT, MEMBER(key),
     "file of the secret key of minisign or signify that signs the folder's indexes", " image "},
    {"gpg", 0, FLAG_TEXT, MEMBER(gpg), "which of GPG's keys signs them", " image "},
    {"build-arg", 0, FLAG_TEXTS, MEMBER(build_args),
     "NAME=VALUE, or NAME with the value that it has here, for ARG; may be repeated", " build "},
    {"secret", 0, FLAG_TEXTS, MEMBER(secrets),
     "id=ID,src=FILE or id=ID,env=NAME, for RUN --mount=type=secret; may be repeated", " build "},
    {"tag", 't', FLAG_TEXT, MEMBER(tag), "name of the image that a FOLDER, ARCHIVE or RECIPE makes",
     " build "},
    {"shell", 0, FLAG_BOOL, MEMBER(shell),
     "a shell, or COMMAND, in the root that the last RUN to fail of IMAGE has left, for a day", " build "},
    {"shell-on-failure", 0, FLAG_BOOL, MEMBER(shell_on_failure),
     "at once, when a RUN fails; needs a terminal", " build "},
    {"target", 0, FLAG_TARGET, MEMBER(targets),
     "only the object KIND/NAME and what it needs; may be repeated; with build also a STAGE, which becomes "
     "the image",
     " plan apply build "},
    {"out", 0, FLAG_TEXT, MEMBER(out), "write the plan into FILE, too", " plan "},
    {"plan", 0, FLAG_TEXT, MEMBER(plan), "only if what is planned now is the plan in FILE", " apply "},
    {"exact", 0, FLAG_BOOL, MEMBER(exact), "look again before the first step, and stop if the plan changed",
     " apply "},
    {"force", 0, FLAG_BOOL, MEMBER(force),
     "let limits go below what is used (apply), free what is younger than the retention (gc)",
     " plan apply gc "},
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))
_Static_assert(FLAGS <= 64, "options.given has a bit each");

static bool is_taken(const struct flag *flag, const char *command)
{
    char word[32];
    snprintf(word, sizeof(word), " %s ", command);
    return !flag->commands || strstr(flag->commands, word);
}

/* " plan apply gc " as "plan, apply, gc" */
static void name_commands(const struct flag *flag, struct buffer *out)
{
    const char *at = flag->commands + 1;
    for (const char *end; (end = strchr(at, ' ')); at = end + 1)
        buffer_printf(out, "%s%.*s", at == flag->commands + 1 ? "" : ", ", (int)(end - at), at);
}

void options_usage(const char *command)
{
    printf("\nFlags (each also FPSYNC_NAME in the environment):\n");
    for (size_t i = 0; i < FLAGS; i++) {
        _cleanup_buffer_ struct buffer of = {0};
        if (command && !is_taken(&flags[i], command))
            continue;
        if (!command && flags[i].commands && strcmp(flags[i].commands, READ_SPECS) != 0) {
            name_commands(&flags[i], &of);
            buffer_text(&of, ": ");
        }
        char letter[8] = "    ";
        if (flags[i].letter)
            snprintf(letter, sizeof(letter), "-%c, ", flags[i].letter);
        printf("  %s--%-18s %s%s\n", letter, flags[i].name, of.length ? of.bytes : "", flags[i].help);
    }
}

int options_check(const struct options *options, const char *command, bool acts, struct error *error)
{
    for (size_t i = 0; i < FLAGS; i++) {
        bool said =
            options->given >> i & 1 || (flags[i].offset == MEMBER(dry_run) && options->dry_run && acts);
        if (!said || is_taken(&flags[i], command))
            continue;
        _cleanup_buffer_ struct buffer of = {0};
        name_commands(&flags[i], &of);
        return error_set(error, -EINVAL, "%s has no --%s; it is for %s", command, flags[i].name, of.bytes);
    }
    return 0;
}

bool options_say(const struct options *options, const char *flag)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (strcmp(flags[i].name, flag) == 0)
            return options->given >> i & 1;
    return false;
}

/* The help of a FLAG_CHOICE is the list of its choices. */
static bool is_choice(const struct flag *flag, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = flag->help; *at; at += strcspn(at, ", "), at += strspn(at, ", "))
        if (strcspn(at, ", ") == length && strncmp(at, value, length) == 0)
            return strcmp(value, "or") != 0;
    return false;
}

/* What the environment says of a flag without a value: a text that is neither must not be taken for a yes. */
static bool truth_parse(const char *text, bool *truth)
{
    static const char *const words[][2] = {{"0", "1"}, {"false", "true"}, {"no", "yes"}, {"off", "on"}};
    *truth = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        *truth = strcasecmp(text, words[i][1]) == 0;
        if (*truth || strcasecmp(text, words[i][0]) == 0)
            return true;
    }
    return !*text;
}

static void append(const char ***items, size_t *count, const char *value)
{
    *items = realloc(*items, (*count + 1) * sizeof(**items));
    if (!*items)
        abort();
    (*items)[(*count)++] = value;
}

static int set_flag(struct options *options, const struct flag *flag, const char *value, struct error *error)
{
    void *at = (char *)options + flag->offset;
    int64_t number = 0;
    bool truth = false;
    switch (flag->type) {
    case FLAG_BOOL:
        if (value && !truth_parse(value, &truth))
            break;
        *(bool *)at = !value || truth;
        return 0;
    case FLAG_TEXT:
        *(const char **)at = value;
        return 0;
    case FLAG_FILE:
        append(&options->files, &options->file_count, value);
        return 0;
    case FLAG_LXC:
        append(&options->lxc_names, &options->lxc_count, value);
        return 0;
    case FLAG_TEXTS:
        append(&((struct texts *)at)->items, &((struct texts *)at)->count, value);
        return 0;
    case FLAG_TARGET:
        options->targets = realloc(options->targets, (options->target_count + 1) * sizeof(*options->targets));
        if (!options->targets)
            abort();
        options->targets[options->target_count++] = value;
        return 0;
    case FLAG_OUTPUT:
        if (strcmp(value, "json") == 0 || strcmp(value, "yaml") == 0)
            options->output = OUTPUT_DATA;
        else if (strcmp(value, "name") == 0)
            options->output = OUTPUT_NAME;
        else if (strcmp(value, "table") == 0)
            options->output = OUTPUT_TABLE;
        else
            break;
        options->format = value;
        return 0;
    case FLAG_CHOICE:
        if (!is_choice(flag, value))
            break;
        *(const char **)at = value;
        return 0;
    case FLAG_NUMBER:
        if (number_parse(value, &number) < 0 || number < 1 || number > 256)
            break;
        *(size_t *)at = (size_t)number;
        return 0;
    case FLAG_SIZE:
        if (size_parse(value, &number) < 0 || number < 1)
            break;
        *(int64_t *)at = number;
        return 0;
    case FLAG_DURATION:
        if (duration_parse(value, &number) < 0)
            break;
        *(int64_t *)at = number;
        return 0;
    case FLAG_WAIT:
        if (value && (duration_parse(value, &number) < 0 || !number))
            break;
        *(int64_t *)at = value ? number : OPTIONS_WAIT;
        return 0;
    }
    const char *expected = flag->type == FLAG_DURATION || flag->type == FLAG_WAIT ? "a duration like 30s"
                           : flag->type == FLAG_SIZE                              ? "a size like 20GiB"
                           : flag->type == FLAG_NUMBER                            ? "a number from 1 to 256"
                           : flag->type == FLAG_BOOL                              ? "1 or 0"
                                                                                  : flag->help;
    return error_set(error, -EINVAL, "--%s: expected %s, found \"%s\"", flag->name, expected, value);
}

static int read_environment(struct options *options, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < FLAGS; i++) {
        char name[64] = "FPSYNC_";
        size_t length = strlen(name);
        for (const char *at = flags[i].name; *at; at++)
            name[length++] = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
        name[length] = '\0';
        const char *value = getenv(name);
        int set = value ? set_flag(options, &flags[i], value, result < 0 ? NULL : error) : 0;
        result = result < 0 ? result : set;
    }
    return result;
}

static const struct flag *flag_by_letter(int letter)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

static int unknown_flag(const char *word, struct error *error)
{
    const char *best = NULL;
    for (size_t i = 0; i < FLAGS; i++)
        if (text_is_near(flags[i].name, word) &&
            (!best || text_distance(flags[i].name, word) < text_distance(best, word)))
            best = flags[i].name;
    return error_set(error, -EINVAL, "unknown flag --%s%s%s%s", word, best ? "; did you mean --" : "",
                     best ? best : "", best ? "?" : "");
}

static int refuse(int found, const char *word, struct error *error)
{
    if (found == ':')
        return error_set(error, -EINVAL, "%s needs a value", word);
    if (strncmp(word, "--", 2) == 0)
        return unknown_flag(word + 2, error);
    return error_set(error, -EINVAL, "unknown flag -%c", optopt);
}

struct parsing {
    struct options *options;
    size_t environment_files;  /* named there: the command line replaces them */
    const char *values[FLAGS]; /* what the command line has given each for a value */
    struct option longs[FLAGS + 2];
    char shorts[2 * FLAGS + 4];
};

static void describe_flags(struct parsing *parsing)
{
    for (size_t i = 0; i < FLAGS; i++) {
        int wants = flags[i].type == FLAG_BOOL   ? no_argument
                    : flags[i].type == FLAG_WAIT ? optional_argument
                                                 : required_argument;
        parsing->longs[i] = (struct option){.name = flags[i].name, .has_arg = wants, .val = 256 + (int)i};
        if (flags[i].letter)
            snprintf(parsing->shorts + strlen(parsing->shorts), 3, "%c%s", flags[i].letter,
                     wants == required_argument ? ":" : "");
    }
    parsing->longs[FLAGS] = (struct option){.name = "help", .val = 'h'};
}

/* Of one that has one value and says what a command does, the last is not to win in silence. How fpsync is to run and to
 * tell may be said once for all, in an alias, and again. */
static int check_repeated(struct parsing *parsing, const struct flag *flag, const char *value,
                          struct error *error)
{
    const char **before = &parsing->values[flag - flags];
    const bool has_one = flag->type == FLAG_TEXT || flag->type == FLAG_DURATION || flag->type == FLAG_SIZE ||
                         flag->type == FLAG_NUMBER || flag->type == FLAG_CHOICE || flag->type == FLAG_WAIT;
    if (!has_one || !flag->commands)
        return 0;
    if (parsing->options->given >> (flag - flags) & 1 && !text_is_same(*before, value))
        return error_set(error, -EINVAL, "--%s is given twice, %s%s and %s%s, and takes one value",
                         flag->name, *before ? "as " : "without a value", *before ? *before : "",
                         value ? "as " : "without a value", value ? value : "");
    *before = value;
    return 0;
}

/* Reads flags behind argv[0]; `shorts` says with its first letter whether words may stand between them. The first error
 * counts, and what stands behind it is read all the same: it may say how errors are to be written. */
static int parse_flags(struct parsing *parsing, const char *shorts, int argc, char **argv,
                       struct error *error)
{
    struct options *options = parsing->options;
    int found, result = 0;
    optind = 0; /* glibc: begin anew, with the order that `shorts` asks for */
    while ((found = getopt_long(argc, argv, shorts, parsing->longs, NULL)) != -1) {
        if (found == 'h')
            return 1;
        struct error *first = result < 0 ? NULL : error;
        int read;
        if (found == '?' || found == ':') {
            read = refuse(found, argv[optind - 1], first);
            result = result < 0 ? result : read;
            continue;
        }
        const struct flag *flag = found >= 256 ? &flags[found - 256] : flag_by_letter(found);
        if (flag->type == FLAG_FILE && parsing->environment_files)
            options->file_count = parsing->environment_files = 0;
        read = check_repeated(parsing, flag, optarg, first);
        options->given |= UINT64_C(1) << (flag - flags);
        read = read < 0 ? read : set_flag(options, flag, optarg, first);
        result = result < 0 ? result : read;
    }
    return result;
}

int options_parse(int argc, char **argv, struct options *options, struct error *error)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *options = (struct options){.root = "/",
                                .format = "table",
                                .color = "auto",
                                .progress = "auto",
                                .timeout = -1,
                                .wait = -1,
                                .parallel = cpus > 0 ? (size_t)cpus * 2 : 2};
    int environment = read_environment(options, error);
    struct parsing parsing = {.options = options,
                              .environment_files = options->file_count,
                              .shorts = "+:h"}; /* '+': stop at the first word */
    describe_flags(&parsing);
    int result = parse_flags(&parsing, parsing.shorts, argc, argv, environment < 0 ? NULL : error);
    if (result <= 0 && optind < argc) {
        argc -= optind;
        argv += optind;
        options->command = argv[0];
        /* Flags may stand anywhere; `exec` takes all that follows its container as it is. */
        bool all = strcmp(options->command, "exec") == 0 || strcmp(options->command, "complete") == 0;
        bool failed = environment < 0 || result < 0;
        int rest = parse_flags(&parsing, parsing.shorts + (all ? 0 : 1), argc, argv, failed ? NULL : error);
        result = result < 0 ? result : rest;
    }
    options->arguments = argv + optind;
    options->argument_count = (size_t)(argc - optind);
    return result > 0 || environment == 0 ? result : environment;
}

bool options_read_stdin(const struct options *options)
{
    for (size_t i = 0; i < options->file_count; i++)
        if (strcmp(options->files[i], "-") == 0)
            return true;
    return false;
}

void options_free(struct options *options)
{
    free(options->files);
    free(options->targets);
    free(options->lxc_names);
    free(options->build_args.items);
    free(options->secrets.items);
}

void options_complete_flags(const char *command, struct buffer *out)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (!command || is_taken(&flags[i], command))
            buffer_printf(out, "--%s\n", flags[i].name);
    buffer_text(out, "--help\n");
}

/* "auto, always or never" */
static void print_choices(const char *text, struct buffer *out)
{
    for (size_t length; *text; text += length, text += strspn(text, ", ")) {
        length = strcspn(text, ", ");
        if (length != 2 || strncmp(text, "or", 2) != 0)
            buffer_printf(out, "%.*s\n", (int)length, text);
    }
}

bool options_complete_value(const char *word, struct buffer *out)
{
    const struct flag *flag = NULL;
    for (size_t i = 0; i < FLAGS && !flag; i++)
        if ((strncmp(word, "--", 2) == 0 && strcmp(word + 2, flags[i].name) == 0) ||
            (word[0] == '-' && word[1] && !word[2] && word[1] == flags[i].letter))
            flag = &flags[i];
    if (!flag || flag->type == FLAG_BOOL || flag->type == FLAG_WAIT)
        return false;
    if (flag->type == FLAG_CHOICE || flag->type == FLAG_OUTPUT)
        print_choices(flag->help, out);
    else if (flag->type == FLAG_LXC)
        buffer_text(out, OPTIONS_LXC);
    return true;
}
