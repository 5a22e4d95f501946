/* One layer into a root, by fpsync-fetch. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "drivers/image/oci.h"
#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
#include "lib/error.h"

struct fetch { /* what fpsync-fetch said */
    const struct call *call;
    struct error *error;
    char digest[DIGEST_TEXT_SIZE], diff[DIGEST_TEXT_SIZE];
    bool done, failed;
};

static void hear(void *context, const char *line)
{
    struct fetch *fetch = context;
    char text[128];
    int percent;
    if (sscanf(line, "progress %d", &percent) == 1) {
        snprintf(text, sizeof(text), "unpacking %d %%", percent);
        if (fetch->call->progress)
            fetch->call->progress(fetch->call->context, text);
    } else if (sscanf(line, "done %*d %*d %*d %64[0-9a-f] %64[0-9a-f]", fetch->digest, fetch->diff) == 2) {
        fetch->done = true;
    } else if (strncmp(line, "error ", 6) == 0) {
        error_set(fetch->error, -EBADMSG, "%s", line + 6);
        fetch->failed = true;
    }
}

int oci_unpack_layer(const struct oci_source *source, int blob, int root, const struct call *call,
                     char digest[static DIGEST_TEXT_SIZE], char diff[static DIGEST_TEXT_SIZE],
                     struct error *error)
{
    char program[PATH_MAX];
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    char *const arguments[] = {program, (char[]){"layer"}, NULL};
    struct fetch fetch = {.call = call, .error = error};
    const struct program run = {
        .arguments = arguments, .input = blob, .target = root, .line = hear, .context = &fetch};
    result = program_run(&run, call, error);
    if (result < 0)
        return result;
    if (fetch.failed)
        return -EBADMSG;
    if (result != 0 || !fetch.done)
        return error_set(error, -EIO, "%s: fpsync-fetch ended with status %d and no result", source->what,
                         result);
    memcpy(digest, fetch.digest, DIGEST_TEXT_SIZE);
    memcpy(diff, fetch.diff, DIGEST_TEXT_SIZE);
    return 0;
}
