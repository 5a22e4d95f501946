/* Templates, after systemd's habit: NAME@.yaml is not read by itself; NAME@INSTANCE.yaml, an empty file or a link to
 * the template, reads it with ${INSTANCE}. A NAME@INSTANCE.yaml with text of its own is that text. */
#pragma once

#include "specs/specs.h"

/* Whether the last part of the path is NAME@.yaml or NAME@.yml. */
bool template_is_one(const char *path);
/* A link by such a name, whose instance is called as none may be: it can be nothing else. */
bool template_name_is_bad(const char *path);

/* Of NAME@INSTANCE.yaml: the path of the template beside it, and the instance. False for all other names. */
bool template_of(struct arena *arena, const char *path, const char **template, const char **instance);

/* What is read for a path. */
enum template_use {
    TEMPLATE_NONE, /* the file itself */
    TEMPLATE_READ, /* the template: the file is a link to it, or is missing */
    TEMPLATE_ELSE, /* the file itself; the template when that turns out to be empty */
};
enum template_use template_use_of(const char *path, const char *template);
