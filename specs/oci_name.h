/* Names of images in registries, as docker writes them: [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST].
 *
 * A first part without a dot or a colon that is not "localhost" is no host: the host is docker.io then, and a path of one
 * part lies in its library/. */
#pragma once

#include "lib/arena.h"

struct oci_name {
    const char *host;   /* "registry.example.org:5000", "docker.io" */
    const char *path;   /* "library/debian" */
    const char *tag;    /* "latest" where neither tag nor digest is said; NULL: only the digest */
    const char *digest; /* "sha256:..."; NULL */
};

/* NULL where the text is none. */
const struct oci_name *oci_name_parse(struct arena *arena, const char *text);
