/* What an image says about being run: the `config` object of the OCI image configuration (image-spec, config.md) with
 * docker's additions (Healthcheck, Shell), as a struct.
 *
 * An image's config is passed around, digested and recorded as text: canonical JSON, keys in byte order, without
 * blanks, equal for equal configs. What OCI has no key for (ports that are forwarded, names of volumes, databases)
 * stands in labels of ours, `org.fpsync.ports`, `org.fpsync.volumes` and `org.fpsync.databases`, so that other programs
 * carry it along; in the struct those are fields and no labels.
 *
 * The JSON was written by others. Parsing bounds sizes and counts and gives every text its validator, so that what is in
 * the struct may enter a plan, an LXC config or a path below a root. Keys that the struct has no field for are passed
 * over, as OCI asks; a known key of another type, or with a value that is not of its form, is an error. */
#pragma once

#include "specs/model.h"

struct error;
struct json;

/* VOLUME [name:]path */
struct image_volume {
    struct described described;
    const char *path; /* key; clean and absolute, none of the kernel's */
    const char *name; /* bare; NULL: it belongs to (container, path) */
};

/* DBASE engine [name] */
struct image_database {
    struct described described;
    const char *key;    /* "mariadb" or "mariadb:blog" */
    const char *engine; /* "mariadb" or "postgres" */
    const char *name;   /* bare; NULL: as the container */
};

/* Milliseconds; 0: not said. */
struct image_health {
    struct described described;
    struct texts test; /* "CMD" and its words, or "CMD-SHELL" and one text; empty: not said */
    int64_t interval, timeout, start_period, start_interval;
    int64_t retries;
    bool none; /* HEALTHCHECK NONE: what a base said is taken back */
};

/* Lists without order of their own are sorted, keys unique: see image_config_settle(). */
struct image_config {
    struct described described;
    struct pairs env; /* values are one printable line */
    struct texts entrypoint;
    struct texts command;        /* what CMD says */
    const char *user;            /* NAME|UID[:GROUP|GID]; NULL: root */
    const char *directory;       /* clean and absolute; NULL: / */
    struct list ports;           /* of struct port: what PORT says */
    struct texts exposed;        /* "80/tcp", "8000-8010/udp" */
    struct list volumes;         /* of image_volume */
    struct list databases;       /* of image_database */
    struct image_health *health; /* never NULL */
    const char *stop_signal;     /* "SIGTERM"; NULL */
    struct pairs labels;         /* ours excepted */
    struct texts shell;          /* of the recipe's shell forms; empty: /bin/sh -c */
    struct texts triggers; /* instructions of ONBUILD, which a recipe that stands on the image begins with */
};
extern const struct table image_config_table, image_volume_table, image_database_table, image_health_table;

#define IMAGE_CONFIG_SIZE (1024 * 1024) /* bytes of its text, at most */

struct image_config *image_config_new(struct arena *arena);
/* Sorts what has no order, keeps the last of equal keys, and marks present what has a value. After it equal configs are
 * equal by fields_diff(). Whoever fills a config in by hand ends with it. */
void image_config_settle(struct arena *arena, struct image_config *config);

/* Puts what `replace` makes of it in the place of every value of a variable whose name says that it holds a secret, in the
 * text of a config (NULL: none), which stays the same text where there is none. */
int image_config_replace_hidden(struct arena *arena, const char **text,
                                int (*replace)(void *context, const char **value, struct error *error),
                                void *context, struct error *error);
/* NULL and "" are a config that says nothing. -EINVAL names the key; -EFBIG. The result is settled. */
int image_config_parse(struct arena *arena, const char *text, struct image_config **config,
                       struct error *error);
/* `object`: the value of `config` in an OCI or docker image configuration, or NULL. */
int image_config_from_json(struct arena *arena, const struct json *object, struct image_config **config,
                           struct error *error);
/* Of a settled config; NULL when it says nothing: such an image has no config. */
char *image_config_to_text(struct arena *arena, const struct image_config *config);
struct json *image_config_to_json(const struct image_config *config);

/* Values as recipes write them. NULL where the text is not of that form. */
/* [[ADDRESS:]HOST[-LAST]:]GUEST[-LAST][/tcp|udp|tcp+udp]; without HOST it is the container's port. Its shortest such
 * spelling by image_port_text(). */
struct port *image_port_parse(struct arena *arena, const char *text);
char *image_port_text(struct arena *arena, const struct port *port);
/* PORT[-LAST][/tcp|udp|sctp], with the protocol always said. */
const char *image_exposed_parse(struct arena *arena, const char *text);
/* [NAME:]/PATH; the path is cleaned. */
struct image_volume *image_volume_parse(struct arena *arena, const char *text);
/* ENGINE[:NAME]; mysql is mariadb, postgresql is postgres. */
struct image_database *image_database_parse(struct arena *arena, const char *text);
/* NAME|UID[:GROUP|GID] in characters that need no quoting anywhere. */
bool image_user_is_valid(const char *text);
/* Lexically clean, a relative one from /; one printable line of at most 1024 bytes. */
const char *image_directory_parse(struct arena *arena, const char *text);
/* By name or number; 37 is SIGRTMIN+3. */
const char *image_signal_parse(struct arena *arena, const char *text);
/* Printable ASCII without blanks and '='; more than a spec's container may say, as others' images do. */
bool image_variable_is_valid(const char *name);
/* UTF-8 without control characters but tabs and line breaks. */
bool image_text_is_valid(const char *text);
