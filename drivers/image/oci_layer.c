/* One layer into a root, by fpsync-fetch. */
#include <errno.h>
#include <string.h>

#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "lib/error.h"

int oci_unpack_layer(const struct oci_source *source, int blob, int root, const struct call *call,
                     char digest[static DIGEST_TEXT_SIZE], char diff[static DIGEST_TEXT_SIZE],
                     struct error *error)
{
    struct unpack_answer answer;
    int result = unpack_by("layer", NULL, blob, root, call, &answer, error);
    if (result == 0 && !*answer.diff)
        result = error_set(error, -EIO, "%s: fpsync-fetch said no digests", source->what);
    if (result < 0)
        return result;
    memcpy(digest, answer.digest, DIGEST_TEXT_SIZE);
    memcpy(diff, answer.diff, DIGEST_TEXT_SIZE);
    return 0;
}
