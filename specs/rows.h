/* The rows of every kind: what YAML may say, what it means, what a change of it costs.
 *
 * Reading, defaults, diffs, printing, explain, the JSON Schema and the encoding all follow these rows. Ids stand
 * in databases: never change one, never use one again. */
#pragma once

#include "specs/model.h"

#define AT(type, member) .offset = offsetof(struct type, member)
extern const char *const image_changes[]; /* words of on_image_change */
extern const char *const retains[];       /* what becomes of data that nobody declares any more */

#define MEBIBYTE ((int64_t)1 << 20)
