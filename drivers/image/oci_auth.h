/* What a registry wants to know of who asks (distribution-spec; docker's token authentication), and where it is written
 * (containers-auth.json(5)). */
#pragma once

#include "drivers/call.h"
#include "drivers/image/remote.h"
#include "drivers/paths.h"
#include "specs/oci_name.h"

struct error;

/* user:password in base64, as auth.json has it; NULL: none. Looked for in auth.json beside fpsync.conf, then where podman,
 * skopeo and docker have theirs. */
const char *oci_credentials(const struct paths *paths, const struct oci_name *name, struct arena *arena);

/* An "Authorization: ..." by what the registry's 401 asks for; `first` is the request that it answered. NULL: error. */
const char *oci_authorize(const struct paths *paths, const struct oci_name *name,
                          const struct remote_request *first, const struct remote_answer *refused,
                          const struct call *call, struct error *error);
