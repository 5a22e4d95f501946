/* Structs described by rows.
 *
 * One row per field: key, type, range, default, class, offset, help. The rows drive everything that would
 * otherwise be written once per field and per purpose: reading YAML, unknown-key errors, defaults, diffs,
 * canonical printing, `fpsync explain`, the JSON Schema, the records in LMDB and the messages to workers.
 *
 * A described struct begins with `struct described`. Row i of its table owns bit i of `present`: set means that
 * the field was written (or recorded), even if to its default or to nothing. A field that is not present holds
 * its default, nested structs included, so that code reads values without asking.
 *
 * The encoding is a sequence of (id: u16, length: u32, payload), little endian. Ids are never reused. A field
 * that is absent or equals its default is not encoded, so writing a default out changes no digest. Ids that a
 * version does not know are kept as they are and survive a rewrite. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/buffer.h"

struct error;

/* Where a value came from. `file` is NULL when it did not come from text. Lines and columns count from 1. */
struct place {
    const char *file;
    uint32_t line, column;
};

/* Of a text that may have several lines. */
struct text_place {
    struct place place; /* of its first character */
    bool is_block;      /* its lines stand there as they are, each from that column on */
};

struct described {
    uint64_t present;
    struct place place;           /* of the mapping itself */
    struct place *places;         /* one a row, or NULL when nothing came from text */
    const unsigned char *unknown; /* encoded fields of a newer version */
    size_t unknown_size;          /* bytes */
};

struct bytes { /* opaque to the tables: an encoding inside an encoding */
    const void *data;
    size_t size;
};

struct texts {
    const char **items;
    size_t count;
};
bool texts_have(const struct texts *texts, const char *text);

struct pair {
    const char *key, *value;
    struct place place;
};

struct pairs { /* sorted by key, keys unique */
    struct pair *items;
    size_t count;
};

struct list { /* of described structs, all of the row's nested table; row 0 of that table is the key */
    void **items;
    size_t count;
};

enum field_type {
    FIELD_TEXT,   /* const char *; NULL when absent without default */
    FIELD_BOOL,   /* bool */
    FIELD_NUMBER, /* int64_t, unit by form */
    FIELD_TEXTS,  /* struct texts */
    FIELD_PAIRS,  /* struct pairs */
    FIELD_LIST,   /* struct list */
    FIELD_STRUCT, /* pointer to a described struct */
    FIELD_BYTES,  /* struct bytes; in records and messages only, never in YAML */
};

/* How a scalar is written and checked. Texts are stored as the canonical spelling of their form. */
enum field_form {
    FORM_PLAIN,
    FORM_NAME,         /* [a-z]([a-z0-9-]{0,29}[a-z0-9])? */
    FORM_REFERENCE,    /* NAME or PROJECT/NAME; stored as PROJECT/NAME */
    FORM_IPV4,         /* dotted quad */
    FORM_GATEWAY,      /* dotted quad, NAME, PROJECT/NAME or none; a name stored as PROJECT/NAME */
    FORM_GATEWAY6,     /* IPv6, one of the link's own, too; NAME, PROJECT/NAME or none; as FORM_GATEWAY */
    FORM_INTERFACE,    /* name of a network interface of the host */
    FORM_RANGE,        /* IPv4-IPv4, the first not above the last */
    FORM_RANGE6,       /* IPv6-IPv6, the same in one subnet of 64 bits */
    FORM_SUBNET,       /* IPv4/prefix, host bits zero */
    FORM_IPV6,         /* stored as RFC 5952 has it */
    FORM_SUBNET6,      /* IPv6/64, host bits zero; or "auto" */
    FORM_ADDRESS,      /* IPv4, or IPv6 with or without brackets; stored without */
    FORM_GUEST_PATH,   /* absolute and clean, inside a container */
    FORM_IMAGE_SOURCE, /* bootstrap:SUITE, file:PATH, https://... or REMOTE:ALIAS; the path stored absolute */
    FORM_PACKAGE,      /* a Debian package name */
    FORM_VARIABLE,     /* name of an environment variable */
    FORM_SIGNAL,       /* SIGTERM, SIGRTMIN+3; stored with SIG */
    FORM_SIZE,         /* number: bytes */
    FORM_DURATION,     /* number: milliseconds */
    FORM_CPUS,         /* number: thousandths of a CPU */
    FORM_PORT,         /* number: 1-65535 */
    FORM_HOSTNAME,   /* labels of a-z, 0-9 and '-' with dots between; at most 64 bytes, as the kernel keeps */
    FORM_CAPABILITY, /* net_raw; CAP_NET_RAW is stored so, too */
    FORM_HOST_PATH,  /* absolute and clean, on the host; a relative one starts at the spec file's folder */
    FORM_LXC_LINE,   /* "lxc.KEY = VALUE" of lxc.container.conf(5); "lxc.KEY =" takes back what was said */
    FORM_ROOT, /* "layer", "copy", or what lxc.rootfs.path says, without "dir:": /PATH, overlay:/LOWER:/UPPER */
    FORM_LXC_NAME, /* what LXC may call a container */
    FORM_CPUSET,   /* processors by number, "0-3,8"; stored in order, neighbours joined */
    FORM_LIMIT,    /* number: bytes, or "unlimited", which is INT64_MAX */
    FORM_MODE,     /* permissions, three octal digits behind a 0: "0660" */
    FORM_USB,      /* VENDOR:PRODUCT[:SERIAL] of a USB device, four hex digits each; stored in lower case */
    FORM_GPU,      /* "all", or which one, from 0 on */
    FORM_DEVICE,   /* absolute and clean, on the host */
    FORM_LENT,     /* an absolute path on the host, "usb" or "gpu" */
    FORM_DIGEST,   /* "sha256:" and 64 hex digits; stored in lower case */
    FORM_SERVER, /* an https:// or http:// address without user, query and fragment; stored without '/' at its end */
    FORM_KEY,           /* public key of minisign or signify: base64 of 42 bytes that begin with "Ed" */
    FORM_USER,          /* NAME|UID[:GROUP|GID], as a container has them */
    FORM_CONTEXT,       /* as FORM_HOST_PATH, an https:// address, or REMOTE:ALIAS */
    FORM_BUILD_NETWORK, /* NAME, PROJECT/NAME or none; a name stored as PROJECT/NAME */
    FORM_HTTP,          /* ":PORT/PATH"; without a path stored with "/" */
    FORM_COMMAND,       /* the words of a command; as one text, /bin/sh, -c and the text */
};

/* What a change of the field costs. Ordered: the class of a set of changes is their maximum. */
enum field_class {
    CLASS_RECORD,   /* nothing but our record */
    CLASS_LIVE,     /* applied to the running object */
    CLASS_RESTART,  /* the container stops and starts */
    CLASS_RECREATE, /* the object is made anew; identity and data are kept */
    CLASS_FIXED,    /* refused: would lose data */
};
const char *class_name(enum field_class class);

enum field_flags {
    FIELD_REQUIRED = 1,
    FIELD_SENSITIVE = 2, /* never printed */
    FIELD_DERIVED = 4,   /* made from other fields while reading; YAML has no such key */
    FIELD_ORDERED = 8,   /* a list whose written order means something */
    FIELD_ONCE = 32,     /* asks for a step and is no state: neither recorded, compared nor printed */
    FIELD_KEY = 64,      /* of a list's items, where row 0 is another way to say which one it is */
    FIELD_RARE = 16,   /* looked at only on objects whose record says it: looking costs, and most never do */
    FIELD_LINES = 128, /* texts that may have several lines, the last without its end */
};

struct table;

struct field {
    uint16_t id; /* never reused, unique in its table */
    const char *key;
    enum field_type type;
    enum field_form form;
    size_t offset;
    size_t
        item_places; /* of FIELD_TEXTS: offset of a `struct text_place *`, one an item while it comes of text; 0: none */
    enum field_class class;
    unsigned flags;
    const char *standard;       /* default as written in YAML; NULL: none */
    int64_t minimum, maximum;   /* of numbers, in the stored unit; both 0: any that is not negative */
    const char *const *words;   /* the only values, NULL-terminated; or NULL */
    const struct table *nested; /* of FIELD_LIST and FIELD_STRUCT */
    const char *shorthand; /* an item of a list, or a struct, may be written as one scalar of this shape */
    const char *example;   /* a value as written in YAML, for explain and error hints */
    const char *help;      /* one sentence */
};

struct table {
    const char *name; /* "container", "container.limits" */
    size_t size;      /* bytes of the struct */
    const struct field *rows;
    size_t count; /* at most 64 */
    const char *help;
};

#define TABLE_ROWS(array) .rows = (array), .count = sizeof(array) / sizeof((array)[0])

/* A new object with all defaults filled in and nothing present. */
void *described_new(struct arena *arena, const struct table *table);
/* A deep copy, so that the original's arena may go; places point to the same file names, copied too. Its lists may be added
 * to (arena_append()). */
void *described_copy(struct arena *arena, const struct table *table, const void *object);

static inline void *field_at(const void *object, const struct field *row)
{
    return (char *)object + row->offset;
}
static inline bool field_is_present(const struct table *table, const void *object, const struct field *row)
{
    return ((const struct described *)object)->present >> (row - table->rows) & 1;
}
void field_mark_present(const struct table *table, void *object, const struct field *row);
/* Marks the row whose member lies at `offset`: field_mark(&container_table, c, offsetof(struct container, env)) */
void field_mark(const struct table *table, void *object, size_t offset);
/* Marks every row of the object itself (not of nested ones) and returns it: for structs filled in by code, which say
 * all they hold. */
void *described_whole(const struct table *table, void *object);
const struct field *field_by_key(const struct table *table, const char *key); /* NULL when unknown */
struct place field_place(const struct table *table, const void *object, const struct field *row);

/* The key of a list's item: the text of row 0, or where that says nothing the first of a FIELD_KEY that does. */
const char *item_key(const struct table *nested, const void *item);
void *list_find(const struct list *list, const struct table *nested, const char *key); /* NULL when absent */

void fields_encode(const struct table *table, const void *object, struct buffer *out);
/* -EBADMSG when the bytes are not such a sequence; never reads past `size`. The object holds no pointer into
 * `bytes`. */
int fields_decode(const struct table *table, const void *bytes, size_t size, struct arena *arena,
                  void **object, struct error *error);

/* The same without copying texts: the object points into `bytes`, which are written to, end one byte behind `size` and
 * live as long as the object. A field of bytes may be decoded so in its turn. */
int fields_decode_in_place(const struct table *table, void *bytes, size_t size, struct arena *arena,
                           void **object, struct error *error);

/* One difference, as a plan shows it. `old` is NULL for something added, `new` for something removed. Sensitive
 * values read "(sensitive)"; where one replaced another, `old` is NULL and `new` "(sensitive, changed)". */
struct change {
    const char *field; /* "limits.memory", "networks.front.address", "env.SITE" */
    const char *old, *new;
    enum field_class class;
    struct place at; /* of the line that asks for it; of the enclosing mapping for a removal */
};

struct changes {
    struct change *items;
    size_t count;
};

/* Appends the differences of two objects of one table, in row order; `old` or `new` may not be NULL. Equal objects
 * append nothing. */
void fields_diff(const struct table *table, const void *old, const void *new, struct arena *arena,
                 struct changes *changes);
enum field_class changes_class(const struct changes *changes); /* CLASS_RECORD when empty */

/* Whether a variable's value must not be shown: its name ends in PASSWORD, PASS, SECRET, TOKEN or KEY. */
bool variable_is_hidden(const char *key);
/* The same of a pair that the field holds, or the field is FIELD_SENSITIVE as a whole. */
bool pair_is_hidden(const struct field *row, const char *key);
/* Puts what `replace` makes of it in the place of every value of a FIELD_PAIRS that must not be shown. */
int fields_replace_hidden(const struct table *table, void *object,
                          int (*replace)(void *context, const char **value, struct error *error),
                          void *context, struct error *error);

/* A value as canonical one-line YAML ("512MiB", "[a, b]", "{address: 10.30.0.10}"); "" when absent. */
void field_print(const struct field *row, const void *object, struct buffer *out);
/* All present, non-default fields as "{key: value, ...}". */
void fields_print_flow(const struct table *table, const void *object, struct buffer *out);
/* A scalar with quotes where YAML 1.2 needs them. */
void scalar_print(const char *text, struct buffer *out);
/* True when the field is present and differs from its default: what is encoded, printed and compared. */
bool field_is_said(const struct table *table, const void *object, const struct field *row);
