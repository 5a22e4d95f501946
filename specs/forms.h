/* Forms of scalars (enum field_form): what is accepted, its canonical spelling, and how to say what is expected. */
#pragma once

#include "specs/model.h"

struct form_context {
    struct arena *arena;
    const char *project; /* bare references belong to it */
    const char *folder;  /* absolute: relative paths start here; NULL: there are none */
};

/* The canonical spelling of `text`, or NULL when it is not of that form. */
const char *form_canonical(const struct form_context *context, enum field_form form, const char *text);
/* -EINVAL: not of that form; -ERANGE: too large to be one. In the stored unit. */
int form_number(enum field_form form, const char *text, int64_t *number);
const char *form_expectation(enum field_form form); /* "an IPv4 address" */
const char *form_example(enum field_form form);     /* "10.30.0.10", or NULL */
/* What was probably meant by a text that is not of that form, or why it is not; NULL when there is nothing to say. */
const char *form_hint(struct arena *arena, enum field_form form, const char *text);

/* `path`, or FOLDER/PATH when it is relative, without '.', '..' and '//': lexically, links are not resolved. */
const char *path_clean(struct arena *arena, const char *folder, const char *path);
/* Whether a context of a build is no path but an address or REMOTE:ALIAS; and that as it is kept, NULL: it is neither. */
bool context_is_elsewhere(const char *text);
const char *context_canonical(struct arena *arena, const char *text);

/* How many of the bytes are one line of printable UTF-8: a text that is so as a whole is safe in a log, in a line of
 * configuration and in the YAML that we print. */
size_t text_printable(const char *bytes, size_t length);

/* A dotted quad without leading zeros. Host byte order. */
bool ipv4_parse(const char *text, uint32_t *address);
const char *ipv4_print(struct arena *arena, uint32_t address);

/* ":PORT/PATH", which is what FORM_HTTP stores: the port, and where the path begins; NULL when it is not. */
const char *http_split(const char *text, int64_t *port);

struct subnet {
    uint32_t first, last; /* network address and broadcast address */
    unsigned prefix;
};
/* "FIRST-LAST", the first not above the last. */
bool range_parse(const char *text, uint32_t *first, uint32_t *last);
/* "FIRST-LAST" of IPv6, both in one subnet of 64 bits: the halves of an address, in host byte order. */
struct range6 {
    uint64_t subnet, first, last;
};
bool range6_parse(const char *text, struct range6 *range);
bool subnet_parse(const char *text, struct subnet *subnet);
