/* Flags of the command line; every one is also FPSYNC_NAME in the environment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/fields.h"

enum output { OUTPUT_TABLE, OUTPUT_DATA, OUTPUT_NAME };
struct build_flags;
struct error;

#define OPTIONS_WAIT INT64_MAX /* as long as each may take */

struct options {
    const char *command;
    const char *root;
    const char **files; /* -f, in order */
    size_t file_count;
    const char **targets; /* --target, in order */
    size_t target_count;
    const char *out, *plan; /* files of plan --out and apply --plan; NULL */
    bool exact;
    const char **lxc_names; /* --lxc, in order */
    size_t lxc_count;
    const char *lxc_path;                     /* --lxc-path or NULL */
    const char *source;                       /* --source or NULL */
    const char *format;                       /* of -o */
    enum output output;                       /* json and yaml are the same data */
    const char *from;                         /* --from of restore, or NULL */
    const char *name;                         /* --name of a snapshot, or NULL */
    const char *remote;                       /* --remote of store, or NULL */
    const char *tag;                          /* --tag of build, or NULL */
    const char *to, *root_format, *key, *gpg; /* of image publish; NULL: not given */
    size_t keep;                              /* 0: not given */
    const char *color;                        /* "auto", "always", "never" */
    const char *progress;                     /* "auto", "tty", "plain", "json" */
    struct texts build_args, secrets;         /* --build-arg, --secret, as written and in order */
    const struct build_flags *build; /* what `build` has made of those, and of --target STAGE; NULL */
    size_t parallel;
    int64_t timeout;       /* milliseconds; -1: not given */
    int64_t wait;          /* milliseconds, or OPTIONS_WAIT; -1: not given */
    int64_t lock_timeout;  /* milliseconds */
    int64_t budget, older; /* --budget, bytes, and --older-than, milliseconds, of image gc; 0: not given */
    bool yes, quiet, verbose, automatic, allow_mass_delete, take_over, detailed, drift, dry_run, force,
        follow, rebuild, offline, no_cache, shell, shell_on_failure;
    uint64_t given;         /* which flags the command line had: bits in the order of the table */
    char *const *arguments; /* what follows the flags; ends with NULL */
    size_t argument_count;
};

/* Fills from environment and argv. Returns 0, or -EINVAL with what is known so far, so that the error can be told as
 * -o asks. `--help` is 1. */
int options_parse(int argc, char **argv, struct options *options, struct error *error);
/* Refuses flags that `command` does not take. In the environment they may stand for others; but one that `acts` refuses a
 * --dry-run from there, too: what asks for nothing to be done must not be lost. */
int options_check(const struct options *options, const char *command, bool acts, struct error *error);
/* Whether the command line has the flag; the environment may have it for other commands. */
bool options_say(const struct options *options, const char *flag);
/* The flags, of all commands or (NULL: all) of one. */
void options_usage(const char *command);
void options_free(struct options *options);
/* Whether a spec comes from standard input, which can be read once. */
bool options_read_stdin(const struct options *options);

/* For completion, a candidate a line. Flags of all commands or of one; and what a flag may have for a value: false when
 * `flag` is none that takes one, nothing when it takes a file or what nobody can know. */
struct buffer;
#define OPTIONS_LXC "\n" /* names of LXC's containers */
void options_complete_flags(const char *command, struct buffer *out);
bool options_complete_value(const char *flag, struct buffer *out);
