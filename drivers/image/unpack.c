/* Archives into folders, by fpsync-fetch, which is the only one to read them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "drivers/image/make.h"
#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
#include "lib/error.h"

struct fetch { /* what fpsync-fetch said */
    const struct call *call;
    const char *what; /* NULL */
    struct error *error;
    struct unpack_answer *answer;
    bool done, failed;
};

/* Beside `error`, `foreign` says that what was read is no archive at all. */
static int failure_of(const char *line, const char **text)
{
    static const struct {
        const char *word;
        int code;
    } words[] = {{"error ", -EBADMSG}, {"foreign ", -EMEDIUMTYPE}};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strncmp(line, words[i].word, strlen(words[i].word)) == 0) {
            *text = line + strlen(words[i].word);
            return words[i].code;
        }
    return 0;
}

static void hear(void *context, const char *line)
{
    struct fetch *fetch = context;
    char text[128];
    const char *said;
    int percent, code = failure_of(line, &said);
    if (sscanf(line, "progress %d", &percent) == 1) {
        snprintf(text, sizeof(text), "unpacking %d %%", percent);
        if (fetch->call->progress)
            fetch->call->progress(fetch->call->context, text);
    } else if (strncmp(line, "done ", 5) == 0) {
        struct unpack_answer *answer = fetch->answer;
        fetch->done = sscanf(line, "done %lld %lld %lld %64[0-9a-f] %64[0-9a-f]", &answer->entries,
                             &answer->bytes, &answer->skipped, answer->digest, answer->diff) >= 3;
    } else if (code) {
        error_set(fetch->error, code, "%s%s%s", fetch->what ? fetch->what : "", fetch->what ? ": " : "",
                  said);
        fetch->failed = true;
    }
}

void unpack_tell_skipped(const struct call *call, long long skipped)
{
    char text[128];
    snprintf(text, sizeof(text),
             "left out %lld device nodes, sockets, access lists, flags or attributes of another host",
             skipped);
    if (skipped && call->progress)
        call->progress(call->context, text);
}

int unpack_archive(const char *path, int archive, int target, const struct call *call, struct error *error)
{
    struct unpack_answer answer;
    int result = unpack_by("unpack", path, archive, target, call, &answer, error);
    if (result == 0)
        unpack_tell_skipped(call, answer.skipped);
    return result;
}

int unpack_by(const char *word, const char *what, int archive, int target, const struct call *call,
              struct unpack_answer *answer, struct error *error)
{
    char program[PATH_MAX];
    *answer = (struct unpack_answer){0};
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    char *const arguments[] = {program, arena_strdup(call->arena, word), NULL};
    struct fetch fetch = {.call = call, .what = what, .error = error, .answer = answer};
    const struct program run = {
        .arguments = arguments, .input = archive, .target = target, .line = hear, .context = &fetch};
    result = program_run(&run, call, error);
    if (result < 0)
        return result;
    if (fetch.failed)
        return error->code;
    if (result != 0 || !fetch.done)
        return error_set(error, -EIO, "%s%sfpsync-fetch ended with status %d and no result", what ? what : "",
                         what ? ": " : "", result);
    return 0;
}
