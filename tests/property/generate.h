/* Random specs, from the field tables: a new row is said by itself, a new form by its row's example until it has a
 * generator of its own here. What comes out need not be legal: a field a line, and whatever the loader complains of is
 * taken out again, line by line. */
#pragma once

#include "lib/arena.h"
#include "lib/buffer.h"
#include "specs/model.h"

struct part {                /* a line of the file: a field, or an item of a list */
    const struct field *row; /* of an item: that of its list */
    const char *text;        /* as written behind the key, or behind "- "; NULL: it has parts */
    struct part *parts;
    size_t count;
    unsigned line; /* as it was printed last */
};

struct body {
    enum kind kind;
    const char *name;
    struct part whole; /* `parts` are the fields */
};

struct spec {
    struct arena *arena;
    uint64_t random;
    bool served; /* its images come from a server: another system below a layer is held when it is fetched */
    struct body *bodies;
    size_t count;
};

/* From 0 to `bound` - 1. */
unsigned spec_random(struct spec *spec, unsigned bound);
void spec_generate(struct spec *spec);
/* Changes one thing: a field is said otherwise, said, or said no more; an object comes or goes. */
void spec_edit(struct spec *spec);
/* Says every field that has a default and is not said. */
void spec_say_defaults(struct spec *spec);
/* Puts the fields of every object into another order. */
void spec_shuffle(struct spec *spec);
/* An independent copy. */
struct spec spec_copy(const struct spec *spec);

/* As YAML; notes the lines. */
void spec_print(struct spec *spec, struct buffer *out);
/* Takes out what stands in that line; false when nothing does. */
bool spec_drop_line(struct spec *spec, unsigned line);
