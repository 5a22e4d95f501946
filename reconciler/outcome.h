/* What a run writes down: leases and intents before a step, records after it, sources and history at the end.
 *
 * Writes gather in one transaction that recorder_flush() commits: one commit for all intents of a wave and for the
 * outcomes of the wave before. A run without an action never begins one. */
#pragma once

#include "reconciler/compile.h"
#include "reconciler/execute.h"
#include "reconciler/recording.h"

struct recorder;

struct recorder *recorder_new(const struct execution *execution, struct arena *arena);
void recorder_free(struct recorder *recorder); /* aborts what was not flushed */

/* Leases, and the records of what the run is about to make: they are there before anything is. */
int recorder_begin(struct recorder *recorder, struct error *error);
/* Gives the action its uid (recorded, observed or new) and the generation it is going to have. */
void recorder_identify(struct recorder *recorder, struct action *action);
/* Digest of the image below a container's layer; NULL for other actions. */
const char *recorder_digest(struct recorder *recorder, const struct target *target,
                            const struct action *action);
/* Of an image by its full name, as far as it is known; `recorder` is one. */
const char *recorder_image_config(const void *recorder,
                                  const char *digest); /* what it says about being run; NULL */
const char *recorder_image_digest(const void *recorder, const char *image);
int recorder_intend(struct recorder *recorder, const char *text, struct action *action,
                    const struct target *target, const struct steps *steps, struct intent **intent,
                    struct error *error);
int recorder_done(struct recorder *recorder, struct action *action, const struct target *target,
                  const struct steps *steps, void *const *results, size_t result_count, struct intent *intent,
                  struct error *error);
/* `results`: of the steps that came to their end before one failed; NULL for the others. */
int recorder_failed(struct recorder *recorder, struct action *action, const struct steps *steps,
                    void *const *results, size_t result_count, const char *message, struct error *error);
/* How the last probe of a container went: `ailment` is NULL where it did well. Written where the run did something, or where
 * it is news: who only looks changes nothing by it. */
int recorder_probed(struct recorder *recorder, const struct await *await, const char *ailment,
                    struct error *error);
int recorder_flush(struct recorder *recorder, struct error *error);
int recorder_end(struct recorder *recorder, const struct execution_result *result, struct error *error);
