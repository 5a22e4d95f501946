/* A fuzz target is one file: LLVMFuzzerTestOneInput() of libFuzzer. `make fuzz` links it with libFuzzer, `make check`
 * with replay.c, which runs it on the files of its folder: seeds, and whatever was found once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert() it stands in every build, and both sanitizers and libFuzzer report the abort. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            __builtin_trap();                                                                                \
    } while (0)

/* A descriptor of an unnamed file with these bytes, at its start. */
int file_of(const void *bytes, size_t size);
