/* All of a root in one file, and back: record, secrets, images, layers and volumes.
 *
 * The file is a pax archive (tar(1)) of what lies in the store, with owners by number, extended attributes, hard links
 * and holes, and behind its end one line with the digest of all before it. Read back, it is unpacked beside the store,
 * compared with the digest, and only then put in place, the record last. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct archive;

/* The file is such archives one behind the other: first what nobody writes to, then part after part. The guests of a
 * part stand still while it is read, and no longer: what a container writes is kept as of one moment. A file is complete
 * under its name, or not there. */
int archive_write(const struct paths *, const struct archive *, const struct call *, struct error *);
/* -EEXIST when the root is not empty, -EBADMSG when the digest does not match. One that was interrupted while it put things
 * in place goes on there with the same backup; another one is then refused. */
int archive_read(const struct paths *, const struct archive *, const struct call *, struct error *);
