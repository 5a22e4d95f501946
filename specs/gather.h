/* Files into documents: what a file is read as (itself, or its template), its drop-ins, its variables, and the files
 * that it includes, each loaded once. */
#pragma once

#include "lib/digest.h"
#include "specs/document.h"
#include "specs/sources.h"

struct gathered {
    struct document *items; /* in the order of reading */
    size_t count;
    struct texts files; /* that were read, as shown to people, and templates; without drop-ins */
    struct texts heard; /* sources with a file that says something, drop-ins apart, or that was held back */
    bool incomplete;    /* a file could not be read as a whole: what it declares is unknown */
};

/* `files` grows by what is included. What is wrong is a problem. */
void gather(const struct spec_request *request, struct file_list *files, struct arena *arena,
            struct problems *problems, struct digest *digest, struct gathered *gathered);
