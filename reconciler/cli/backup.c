/* backup, and restore --from: a whole root in one file, and back. The work is the worker's; what is asked of it here is
 * who stands still when, and that nobody else writes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "reconciler/archive_parts.h"
#include "reconciler/cli/cli.h"
#include "reconciler/ended.h"
#include "reconciler/pool.h"

/* The worker has streams of its own: it opens ours. */
static const char *path_for_worker(struct arena *arena, const char *word, int stream)
{
    char folder[PATH_MAX];
    if (strcmp(word, "-") == 0)
        return arena_printf(arena, "/proc/%d/fd/%d", getpid(), stream);
    if (*word == '/' || !getcwd(folder, sizeof(folder)))
        return word;
    return arena_printf(arena, "%s/%s", folder, word);
}

static int run_step(struct session *session, enum step_kind kind, struct archive *archive,
                    struct error *error)
{
    struct steps steps = {0};
    struct pool_reply reply = {0};
    _cleanup_(cleanup_pool) struct pool *pool = pool_new(&session->paths, 1, session->arena);
    steps_add(session->arena, &steps, kind, described_whole(&archive_table, archive));
    int result = pool_submit(pool, session, &steps, 0, error);
    while (result >= 0 && !reply.done) {
        result = pool_wait(pool, -1, &reply, error);
        if (result > 0 && !reply.done && !session->options->quiet && reply.progress)
            fprintf(stderr, "%s\n", reply.progress);
    }
    if (result < 0)
        return result;
    return reply.code < 0 ? error_set(error, reply.code, "%s", reply.message) : 0;
}

static int act(const struct options *options, enum step_kind kind, const char *word)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct error error = {0};
    int result = session_open(options, SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    bool writes = kind == STEP_BACKUP_WRITE;
    struct archive *archive = described_new(session.arena, &archive_table);
    archive->file = path_for_worker(session.arena, word, writes ? STDOUT_FILENO : STDIN_FILENO);
    if (writes && !session.snapshot.record_count)
        result = error_set(&error, -ENOENT, "there is nothing to back up: %s holds no record",
                           session.paths.state);
    if (result >= 0 && writes)
        result = session_look(&session, &error);
    if (result >= 0 && writes)
        result = ended_record(&session, &error);
    if (result >= 0 && writes)
        archive_parts(&session, archive);
    if (result >= 0)
        result = run_step(&session, kind, archive, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    if (!options->quiet)
        fprintf(stderr, writes ? "Written. fpsync restore --from reads it into an empty root.\n"
                               : "Restored. fpsync apply brings up what is declared.\n");
    return EXIT_IN_SYNC;
}

int run_backup(const struct options *options)
{
    struct error error = {0};
    if (options->argument_count == 1)
        return act(options, STEP_BACKUP_WRITE, options->arguments[0]);
    error_set(&error, -EINVAL, "backup: expected FILE, or - for stdout");
    return fail(options, &error, EXIT_ERROR);
}

int backup_restore(const struct options *options)
{
    return act(options, STEP_BACKUP_READ, options->from);
}
