/* A folder in memory for targets that read files by name; gone with the process. */
#pragma once

#include <stddef.h>

/* Made at the first call; the same path ever after. */
const char *fuzz_folder(void);
/* (Over)writes a file of it, whose folders are there. */
void fuzz_write(const char *name, const void *bytes, size_t size);
/* Removes all that is below "FOLDER/NAME", and NAME itself; "" empties the folder. */
void fuzz_clear(const char *name);
