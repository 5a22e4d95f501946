/* SEMANTICS 23: drift that comes back after every repair has an author. An automatic run that met it three times within
 * ten minutes lets it stand until they have passed, and says so; a person's apply repairs it all the same. */
#pragma once

#include "lib/fields.h"

struct repaired { /* the last three repairs of one drift */
    struct described described;
    const char *drift;
    int64_t last, second, third; /* seconds of contest_now(); 0: not that often */
};
extern const struct table repaired_table;

/* Seconds since boot, time asleep included: no clock that can be set. What an earlier boot noted lies ahead of it, or is
 * taken for some of the first ten minutes. */
int64_t contest_now(void);

/* Whether all causes are drift, so that nothing but a repair is asked for. */
bool contest_is_drift(const struct changes *causes);
/* The cause that was repaired often enough lately, or NULL. */
const char *contest_find(const struct list *repairs, const struct changes *causes, int64_t now);
/* Notes the drift among the causes as repaired now, and forgets what is over. */
void contest_note(struct arena *arena, struct list *repairs, const struct changes *causes, int64_t now);
