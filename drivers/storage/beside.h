/* fpsync's helper programs lie beside the one that runs. */
#pragma once

#include <stddef.h>

struct error;

/* Absolute path of the program `name` beside /proc/self/exe, into `path` of `size` bytes. */
int program_beside(const char *name, char *path, size_t size, struct error *error);
