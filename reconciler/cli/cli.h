/* The command line: one file a command, all behind one table (reconciler/main.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/session.h"

enum exit_code { /* DESIGN §5 */
                 EXIT_IN_SYNC = 0,
                 EXIT_ERROR = 1,
                 EXIT_PENDING = 2,
                 EXIT_SOME_FAILED = 3,
                 EXIT_REFUSED = 4,
                 EXIT_LOCKED = 5,
                 EXIT_INVALID = 6,
                 EXIT_NOT_HEALTHY = 7,
};

enum command_effect {
    READS,
    ACTS,
    ACTS_ON_ARGUMENTS, /* lists when there are none */
    ACTS_ON_VERB,      /* by some first words: pull, rm */
    ACTS_ON_REBUILD    /* with --rebuild */
};

struct command {
    const char *name, *alias; /* alias may be NULL */
    const char *arguments;    /* "[KIND/NAME]" for usage */
    const char *help;         /* one sentence */
    bool needs_root;
    enum command_effect effect; /* what acts and has no --dry-run refuses it, wherever it was said */
    int (*run)(const struct options *options);
};
extern const struct command commands[]; /* ends with a NULL name */

int run_validate(const struct options *options);
int run_plan(const struct options *options);
int run_apply(const struct options *options);
int run_down(const struct options *options);
int run_build(const struct options *options);
int run_status(const struct options *options);
int run_exec(const struct options *options);
int run_console(const struct options *options);
int run_stop(const struct options *options);
int run_start(const struct options *options);
int run_restart(const struct options *options);
int run_snapshot(const struct options *options);
int run_reset(const struct options *options);
int run_restore(const struct options *options);
int run_backup(const struct options *options);
int run_gc(const struct options *options);
int run_image(const struct options *options);
int run_store(const struct options *options);
int run_forget(const struct options *options);
int run_export(const struct options *options);
int run_adopt(const struct options *options);
int run_logs(const struct options *options);
int run_ports(const struct options *options);
int run_history(const struct options *options);
int run_explain(const struct options *options);
int run_schema(const struct options *options);
int run_doctor(const struct options *options);
int run_version(const struct options *options);
int run_complete(const struct options *options);

int backup_restore(const struct options *options); /* of --from */
/* Starts those of the containers that do not run; what they were stopped for has failed, and is told already. */
void start_again(const struct options *options, const struct texts *containers, struct arena *arena);
/* Full name of the layer or volume with this file name. */
const char *snapshot_owner(struct arena *arena, const char *file);

/* Prints an error (as data under -o json and yaml, to stderr otherwise) and returns the exit code given. */
int fail(const struct options *options, const struct error *error, enum exit_code code);
/* Prints the problems of a broken set; returns EXIT_INVALID. */
int fail_invalid(const struct options *options, const struct problems *problems);
int needs_root(const struct options *options, const char *command); /* says so; EXIT_ERROR */
bool use_color(const struct options *options);
void print_out(const struct buffer *text);
void print_err(const struct buffer *text); /* the same for standard error, so that data stays data */
void show_plan(const struct options *options, const struct plan *plan); /* as -o says */
/* As -o says, JSON or YAML; frees it. */
void print_data(const struct options *options, struct json *value);

/* What a run tells on stderr while it is under way; lives in the arena. */
struct progress *progress_new(const struct options *options, size_t count, struct arena *arena);
void progress_watch(struct progress *progress, struct execution *execution);
void progress_end(const struct progress *progress);

/* Runs the worker program in this process's place, in a mode for a container, with what follows `--`. Returns only an
 * exit code of what failed. */
int become_worker(const struct options *options, const char *mode, const char *container, char *const *rest,
                  size_t count);

/* {schema, KEY: list}, as above; frees the list. */
void print_list(const struct options *options, const char *key, struct json *list);

/* Executes a plan with progress on stderr, and prints the outcome; shared by apply, down, stop, start, restart. */
struct execution_request {
    const struct spec_source *sources;
    size_t source_count;
    const char *digest;
    bool down;
    const char *stopped_by;
    int64_t stop_timeout; /* -1: each container's own */
    struct json **report; /* what was done is added here, to be printed by the caller; NULL: it is printed */
};
int execute_and_report(struct session *session, const struct plan *plan,
                       const struct execution_request *request);
/* How often somebody asked for its end since; what runs after that may be asked anew. */
int take_interruptions(void);
