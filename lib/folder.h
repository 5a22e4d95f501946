/* What a folder holds. */
#pragma once

#include <stddef.h>

struct arena;

/* Appends to `names` what there is in `folder` beside "." and "..", in no order; the offset of that descriptor stays. Array
 * and texts are the arena's. 0 or -errno. */
int folder_names(int folder, struct arena *arena, const char ***names, size_t *count);
/* Any texts: by their bytes, each once. So of several folders what is in any of them. */
void names_sort(const char **names, size_t *count);
