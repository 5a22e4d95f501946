/* What the steps of containers and those of data have in common. */
#pragma once

#include "reconciler/compile.h"

/* To whom steps are added: the container of the action, which LXC knows as `lxc_name`. */
struct container_steps {
    const struct compiling *compiling;
    const struct action *action;
    struct arena *arena;
    const char *lxc_name;
    struct steps *steps;
    bool is_defined; /* as it is to start, already */
};

/* An image that a recipe makes. */
void compile_build(const struct compiling *compiling, const struct action *action, struct steps *steps);
void compile_container(const struct compiling *compiling, const struct action *action, struct steps *steps);
/* Its stop, and the unmounting of its root. */
void compile_stop(const struct container_steps *to);
void compile_unmount(const struct container_steps *to);
/* What a command asks of data: a snapshot, a fresh beginning, or a way back. Names come again, tokens do not. */
struct data_change *compile_wished_change(struct arena *arena, const struct action *action, const char *file);
/* The removal of `file`, the data of a volume or a layer. */
void compile_data_delete(struct arena *arena, enum kind kind, const char *file, struct steps *steps);
/* Its renaming; `from` and `to` are names of objects. */
void compile_data_move(struct arena *arena, enum kind kind, const char *from, const char *to,
                       struct steps *steps);
/* The same where the plan has one to that name. */
void compile_data_rename(const struct compiling *compiling, enum kind kind, const char *name,
                         struct steps *steps);
/* renames_begun() as it was before the run. */
const char *compile_begun(const struct compiling *compiling, enum kind kind, const char *name, size_t *at);
