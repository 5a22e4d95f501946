/* Programs that make images: run with a fixed argv, heard line by line, never outliving us. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"

struct error;

struct program {
    char *const *arguments; /* arguments[0] is the program's absolute path */
    int input;              /* its stdin; -1: /dev/null */
    int target;             /* its descriptor 3; -1: none */
    int second, third;      /* its descriptors 4 and 5; 0: none */
    int output;             /* its stdout, of which no line is heard then; 0: it is heard as stderr is */
    bool own_processes;     /* in pid and mount namespaces of its own: whatever it starts dies with it */
    /* Every line of stdout and stderr, without its end; bytes that are not printable are '?'. */
    void (*line)(void *context, const char *line);
    void *context;
};

/* Returns its exit status, or -ECANCELED, -ETIMEDOUT or another errno when it did not end by itself. */
int program_run(const struct program *program, const struct call *call, struct error *error);
