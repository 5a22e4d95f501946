/* Which flows the rules let go on (flows.h): of those that were led before a change, and those that it leads for the first
 * time. */
#pragma once

#include "drivers/network/conntrack.h"
#include "drivers/network/network.h"

struct judge;

/* Of forwards and askers alone, which outlive it; both checked (forwards_check()). Lives in the arena. */
struct judge *judge_new(const struct rules *before, const struct rules *after, struct arena *arena);
/* Whether the rules lead anything of this family. */
bool judge_knows(const struct judge *judge, bool is6);
/* A flow_chooser: whether it goes. `context` is the judge. */
bool judge_ends(const struct flow *flow, void *context);
/* Whether it let end, since this was called last, what a guest had been sending to: what was on its way there is answered
 * by now, and that may have begun a flow of its own. */
bool judge_looks_again(struct judge *judge);
/* To be called at the end: what failed meanwhile, when nothing was ended any more; releases all but the memory. */
int judge_close(struct judge *judge, struct error *error);
