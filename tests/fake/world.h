/* The world that the fakes act on: ROOT/fake/world.json, shared by the main program and all workers.
 *
 *   calls, mutations     effect calls since the last `fake-tool reset`, and those of them that changed something
 *   clock, next_pid      grow with every use; fake pids lie above any that the kernel gives out
 *   containers  NAME  -> definition, mark, config digest; running: pids, cgroup, nics, mounts, layer
 *   bridges, ports, resolvers, images, layers, volumes, roots   by name; a mounted volume is FILE or FILE:ro
 *   steps, failed, caches   of builds, by key or id
 *   btrfs                whether the store is on that, with quotas
 *   foreign              bridges of the host's own, by name
 *   rules                as set, null when our tables do not exist
 *   listeners, claims,
 *   routes               of the host, arrays
 *   violations           texts: what a driver could do when told to, and no caller may ever ask for
 *
 * A file beside it, `lock`, is held from the beginning of an effect to its end; the world is replaced by rename, so
 * that a view reads without lock. ROOT/fake/calls has one line an effect call: step and object.
 *
 * Faults, by the number that the call gets in `calls`:
 *   FPSYNC_FAKE_FAIL=N[+][:ERRNO][:after]  call N (and all later ones) fails, without effect or after it
 *   FPSYNC_FAKE_DIE=N[:after]              fpsync and this worker die before or after the effect of call N
 *   FPSYNC_FAKE_HANG=N                     call N waits, without effect, until it is canceled or its time is over
 *   FPSYNC_FAKE_INTERRUPT=N                fpsync is sent SIGINT at the beginning of call N, which goes on
 *   FPSYNC_FAKE_BLIND=1                    no call: the view of the store answers with EPERM
 *   FPSYNC_FAKE_KEEP=1                     no fault: the only worker (--parallel 1) keeps the world in memory and writes
 *                                          it when it ends, and world.seen (seen.h); for runs of thousands of calls
 * Deaths around commits stand in tests/fake/commit.c.
 * FPSYNC_FAKE_TRACE=FILE appends the name of every view function and of every interactive call to FILE. */
#pragma once

#include "drivers/steps.h"
#include "lib/json.h"

struct error;

#define FAKE_WORLD_LIMIT ((size_t)64 << 20) /* bytes of world.json */
#define FAKE_FIRST_PID   5000000            /* above the kernel's highest pid_max, 4,194,304 */

struct fake {
    const struct paths *paths;
    const struct call *call;
    struct json *world;
    int lock;
    char *before; /* the world as text, when the call had been counted and nothing else had happened */
    const char *step, *object;
    int64_t number;
};

/* Takes the lock, counts and logs the call. Negative when a fault is due: then nothing is to be done. */
int fake_begin(struct fake *fake, const struct paths *paths, const struct call *call, enum step_kind kind,
               const char *object, struct error *error);
/* Keeps what was done when `result` is 0 and drops it when it is negative; returns `result`, or the fault. */
int fake_end(struct fake *fake, int result, struct error *error);
/* Notes that a caller broke a promise. */
void fake_violation(struct fake *fake, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fake_trace(const char *name);

/* For effects and the tool; views have seen.h. The caller frees it. A missing file is an empty world. */
int fake_load(const char *root, struct json **world, struct error *error);
int fake_save(const char *root, struct json *world, struct error *error);
int fake_lock(const char *root, int *lock, struct error *error); /* makes ROOT/fake */

struct json *fake_map(const struct json *world, const char *name); /* object; never NULL */
/* Borrowed; NULL when absent. */
struct json *fake_find(const struct json *world, const char *map, const char *name);
const char *text_in(const struct json *object, const char *key); /* NULL when absent */
int64_t number_in(const struct json *object, const char *key);   /* 0 when absent */
int64_t fake_tick(struct json *world);
int64_t fake_pid(struct json *world);
/* What the death of its processes takes along: namespaces with their interfaces, host ends, mounts, pids. */
void fake_end_container(struct json *world, struct json *container);
/* NULL when no running container has this init. */
struct json *fake_by_init(const struct json *world, int64_t init_pid);
/* The digest that the container's config would have. */
void fake_config_digest(const struct json *container, char text[static 65]);
