/* fpsync: the command. Finds the command in the table, and leaves the rest to reconciler/cli/. */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/map.h"
#include "reconciler/cli/cli.h"

#define HEAP_STEP (1024 * 1024) /* bytes */

const struct command commands[] = {
    {"validate", NULL, "", "check spec files; needs no root", false, READS, run_validate},
    {"plan", "diff", "", "show what apply would do, and why; changes nothing", true, READS, run_plan},
    {"apply", "deploy", "", "make the host as declared", true, ACTS, run_apply},
    {"down", NULL, "", "remove what a source declares; layers, volumes and addresses are kept", true, ACTS,
     run_down},
    {"build", NULL, "[IMAGE... | FOLDER|ARCHIVE|RECIPE [-t NAME] | --shell IMAGE [-- COMMAND...]]",
     "build the images of recipes that changed, and what they stand on; or one that no spec lists", true,
     ACTS, run_build},
    {"status", "ps", "", "show what is there, and what drifted", true, READS, run_status},
    {"exec", NULL, "CONTAINER [--] COMMAND...", "run a command in a container", true, ACTS, run_exec},
    {"console", NULL, "CONTAINER", "join this terminal to a container's console", true, READS, run_console},
    {"logs", NULL, "CONTAINER|image/NAME",
     "print what a container wrote to its console, or the last RUN of an image's build", true, READS,
     run_logs},
    {"start", NULL, "CONTAINER...", "start containers, and let them run again after a stop", true, ACTS,
     run_start},
    {"stop", NULL, "CONTAINER...", "stop containers until they are started again by hand", true, ACTS,
     run_stop},
    {"restart", NULL, "CONTAINER...", "stop and start containers", true, ACTS, run_restart},
    {"snapshot", NULL, "[CONTAINER|layer/NAME|volume/NAME]", "keep data under a name, or list what is kept",
     true, ACTS_ON_ARGUMENTS, run_snapshot},
    {"reset", NULL, "CONTAINER", "let a container begin anew on its image; what it wrote is kept", true, ACTS,
     run_reset},
    {"restore", NULL, "CONTAINER|layer/NAME|volume/NAME SNAPSHOT | --from FILE|-",
     "bring data back; what it replaces is kept", true, ACTS, run_restore},
    {"backup", NULL, "FILE|-", "write record, secrets, images, layers and volumes into one file", true, ACTS,
     run_backup},
    {"gc", NULL, "[layer/NAME[@SNAPSHOT]|volume/NAME[@SNAPSHOT]|image/DIGEST...]",
     "free what is retained and no longer used", true, ACTS, run_gc},
    {"image", NULL,
     "[ls | inspect IMAGE... | export IMAGE FOLDER[:TAG]|FILE.tar[.xz] | import FILE [NAME] | publish "
     "IMAGE... --to FOLDER | "
     "pull IMAGE... | rm IMAGE... | gc]",
     "list images, show what is known of one, write one as an OCI layout or for a web server, make it anew, "
     "remove it, or those that nobody uses",
     true, ACTS_ON_VERB, run_image},
    {"store", NULL, "[search [WORD...] | info NAME]",
     "search the app store, or show what is known of one image of it", true, READS, run_store},
    {"forget", NULL, "KIND/NAME", "drop record and mark of an object and touch nothing else", true, ACTS,
     run_forget},
    {"export", NULL, "[KIND/NAME...]", "print what is recorded, or what LXC has, as a spec", true, READS,
     run_export},
    {"adopt", NULL, "[CONTAINER...]", "take over containers that LXC had before, in place", true, ACTS,
     run_adopt},
    {"ports", NULL, "", "show which ports of the host lead into which container", true, READS, run_ports},
    {"history", NULL, "[SOURCE]", "show what was applied when", true, READS, run_history},
    {"explain", NULL, "[KIND[.FIELD]]", "describe the fields of the language", false, READS, run_explain},
    {"schema", NULL, "", "print the JSON Schema of spec files", false, READS, run_schema},
    {"doctor", NULL, "", "say what this host lacks, what that costs, and how to mend it", false,
     ACTS_ON_REBUILD, run_doctor},
    {"version", NULL, "", "print the version", false, READS, run_version},
    {0},
};

/* Not for people, and in no list. */
static const struct command hidden = {
    "complete", NULL, "WORD...", "print what may come next on a command line", false, READS, run_complete};

static void usage(void)
{
    printf("usage: fpsync COMMAND [FLAGS] [ARGUMENTS]\n\nKeeps this host's LXC containers as the YAML files "
           "say.\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->help);
    options_usage(NULL);
    printf("\nExit: 0 in sync or done, 1 error, 2 changes pending, 3 some objects failed, 4 refused by a "
           "guard,\n"
           "5 locked, 6 spec invalid, 7 not healthy in time. See fpsync(8) and fpsync.yaml(5).\n");
}

static const struct command *find_command(const char *word)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, word) == 0 || (command->alias && strcmp(command->alias, word) == 0))
            return command;
    return strcmp(hidden.name, word) == 0 ? &hidden : NULL;
}

static int unknown_command(const struct options *options)
{
    const char *word = options->command;
    const char *best = NULL;
    for (const struct command *command = commands; command->name; command++)
        if (text_is_near(command->name, word) &&
            (!best || text_distance(command->name, word) < text_distance(best, word)))
            best = command->name;
    struct error error;
    error_set(&error, -EINVAL, "unknown command \"%s\"%s%s%s fpsync --help lists them", word,
              best ? "; did you mean " : "", best ? best : "", best ? "?" : ";");
    return fail(options, &error, EXIT_ERROR);
}

static void usage_of(const struct command *command)
{
    printf("usage: fpsync %s [FLAGS]%s%s\n", command->name, *command->arguments ? " " : "",
           command->arguments);
    if (command->alias)
        printf("       fpsync %s is the same\n", command->alias);
    printf("\nfpsync %s: %s.\n", command->name, command->help);
    options_usage(command->name);
}

static bool command_acts(const struct command *command, const struct options *options)
{
    switch (command->effect) {
    case READS:
        return false;
    case ACTS:
        return true;
    case ACTS_ON_ARGUMENTS:
        return options->argument_count > 0;
    case ACTS_ON_VERB:
        return options->argument_count > 0 &&
               (strcmp(options->arguments[0], "pull") == 0 || strcmp(options->arguments[0], "rm") == 0);
    case ACTS_ON_REBUILD:
        return options->rebuild;
    }
    return true;
}

static int run_command(const struct command *command, const struct options *options)
{
    struct error error;
    if (command != &hidden &&
        options_check(options, command->name, command_acts(command, options), &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    if (!*command->arguments && options->argument_count) {
        error_set(&error, -EINVAL, "%s takes no arguments, found \"%s\"; files are given with -f",
                  command->name, options->arguments[0]);
        return fail(options, &error, EXIT_ERROR);
    }
    return command->needs_root && geteuid() != 0 ? needs_root(options, command->name) : command->run(options);
}

int main(int argc, char **argv)
{
    struct options options;
    struct error error = {0};
    umask(022);
    /* The heap only grows: a run is short, and giving pages back to fetch them again was a twentieth of it. */
    mallopt(M_TOP_PAD, HEAP_STEP);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    int parsed = options_parse(argc, argv, &options, &error);
    int code = EXIT_ERROR;
    const struct command *command = options.command ? find_command(options.command) : NULL;
    if (parsed >= 0 && options.command && !command) {
        code = unknown_command(&options);
    } else if (parsed > 0) {
        command ? usage_of(command) : usage();
        code = EXIT_IN_SYNC;
    } else if (parsed == 0) {
        if (command)
            code = run_command(command, &options);
        else
            usage();
    } else {
        fail(&options, &error, code);
    }
    options_free(&options);
    return code;
}
