/* `defaults:` by kind: what every object of a project says within one source, unless it says otherwise. */
#pragma once

#include "specs/document.h"

struct defaults {
    struct map by_scope; /* of struct node, merged mappings */
};
void defaults_clear(struct defaults *defaults);
#define _cleanup_defaults_ _cleanup_(defaults_clear)

/* Takes what the document says. Like files these are united: one key twice is a problem. */
void defaults_add(struct defaults *defaults, struct collection *collection, const struct document *document);
/* Reads all of them once for their own errors, also those that no object uses. */
void defaults_check(const struct defaults *defaults, struct collection *collection);
/* An object's value with the defaults below it. */
const struct node *defaults_below(const struct defaults *defaults, struct collection *collection,
                                  const struct document *document, enum kind kind, const struct node *value);
