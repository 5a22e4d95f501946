/* The question before a disruptive plan, on a terminal (SEMANTICS 27 and 49). */
#pragma once

#include "reconciler/cli/cli.h"

/* Makes the plan again from what the files and the host are now; 0, or the exit code to end with. */
typedef int plan_again(struct session *session, struct plan *plan);

/* Asks where there is something to ask. While somebody thinks, files and host go on: then the plan is made again, and one
 * that differs is shown and asked for in its turn, or, under --exact, refused. `plan` becomes the one to execute, maybe an
 * empty one. 0: execute it; else the exit code to end with, said already. */
int confirm_plan(struct session *session, struct plan *plan, plan_again *again);
