/* Whether a run needs to decide anything at all.
 *
 * The plan is a function of what a run reads: its options, the specs with all that brings them in, fpsync.conf, the
 * record, and what the views show of the world. A run that changed something ends by looking at all of it once more. When
 * the plan is empty then, it notes digests of all these (ROOT/run/fpsync/settled). A later run that meets the same digests
 * would read the same, decide the same, and do nothing: it ends there, without reading YAML, without decoding the
 * record, and without a plan.
 *
 * The invariant: every input of session_load() and session_plan() is either part of a digest, or makes that nothing is
 * noted. It is kept by
 *
 *   options      identity() names each that counts; with any other kind of run nothing is noted
 *   fpsync       the program itself, by its file
 *   files, names, variables
 *                asked by lib/asked.h alone, contents included: no time stamp is believed
 *   record       all bytes of what state_read() reads; and the values that are sealed, as files
 *   world        all that world_look() shows (world_digest.h), and what containers are lent: what is to be asked about
 *                that is noted, too. What else is looked at only while planning makes that nothing is noted
 *   time         decides nothing about a plan that is empty and holds nothing back: no drift, no repair that could be
 *                contested
 *
 * What a run with nothing to do must not write, it does not: only runs with an action note anything. */
#pragma once

#include <stdbool.h>

struct session;

/* False: it has to be found out. The session has been entered, and nothing was read yet. What was seen of the world on
 * the way stays in the session. */
bool settled_holds(struct session *session);
/* After a run that did something: looks again, and notes it if there is nothing left to do. `session` holds the lock; its
 * record is closed. */
void settled_note(struct session *session);

/* In tests alone (tests/fake): a run that could end is to go on, and dies if it finds anything to do. */
bool settled_is_doubted(void) __attribute__((weak));
