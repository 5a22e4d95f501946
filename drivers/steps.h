/* Steps: driver effects as messages.
 *
 * The main program plans and records; workers act. An action becomes a list of steps, each an effect of one
 * family with its request; a worker runs them in order and stops at the first that fails. This table is the only
 * place that knows every effect: it names them for the journal and for faults, and gives the tables that encode
 * request and result. */
#pragma once

#include "drivers/call.h"
#include "drivers/container/container.h"
#include "drivers/image/build.h"
#include "drivers/image/image.h"
#include "drivers/network/network.h"
#include "drivers/storage/storage.h"

enum step_kind { /* numbers are part of the journal's format: append only */
                 STEP_IMAGE_MAKE = 1,
                 STEP_IMAGE_REMOVE = 2,
                 STEP_LAYER_CREATE = 3,
                 STEP_LAYER_DELETE = 4,
                 STEP_VOLUME_CREATE = 5,
                 STEP_VOLUME_DELETE = 6,
                 STEP_ROOT_MOUNT = 7,
                 STEP_ROOT_UNMOUNT = 8,
                 STEP_VOLUME_ATTACH = 9,
                 STEP_VOLUME_DETACH = 10,
                 STEP_BRIDGE_CREATE = 11,
                 STEP_BRIDGE_DELETE = 12,
                 STEP_RULES_SET = 13,
                 STEP_RULES_DELETE = 14,
                 STEP_RESOLVER_SET = 15,
                 STEP_RESOLVER_DELETE = 16,
                 STEP_PORT_MARK = 17,
                 STEP_PORT_ATTACH = 18,
                 STEP_PORT_DELETE = 19,
                 STEP_CONTAINER_DEFINE = 20,
                 STEP_CONTAINER_START = 21,
                 STEP_CONTAINER_STOP = 22,
                 STEP_CONTAINER_SET_LIMITS = 23,
                 STEP_CONTAINER_DESTROY = 24,
                 STEP_ROOT_WRITE = 25,
                 STEP_BIND_ATTACH = 26,
                 STEP_BIND_DETACH = 27,
                 STEP_CONTAINER_FREEZE = 28,
                 STEP_DEVICE_ATTACH = 29,
                 STEP_DEVICE_DETACH = 30,
                 STEP_LAYER_CHANGE = 40,
                 STEP_VOLUME_CHANGE = 41,
                 STEP_LAYER_DROP = 42,
                 STEP_VOLUME_DROP = 43,
                 STEP_LAYER_CHECK = 44,
                 STEP_BACKUP_WRITE = 45,
                 STEP_BACKUP_READ = 46,
                 STEP_LAYER_GROW = 47,
                 STEP_GUEST_FORWARDING = 50,
                 STEP_MACVLAN_DELETE = 51,
                 STEP_CONTAINER_ADOPT = 53,
                 STEP_CONTAINER_RELEASE = 54,
                 STEP_CONTAINER_AWAIT = 56,
                 STEP_LINK_UNMARK = 55,
                 STEP_LAYER_RENAME = 60,
                 STEP_VOLUME_RENAME = 61,
                 STEP_ROOT_CHECK = 62,
                 STEP_BUILD_COPY = 70,
                 STEP_BUILD_RUN = 71,
                 STEP_BUILD_COMMIT = 72,
                 STEP_BUILD_DROP = 73,
                 STEP_IMAGE_EXPORT = 74,
                 STEP_IMAGE_PUBLISH = 75,
                 STEP_BUILD_FOLDER = 76,
                 STEP_IMAGE_LOOK = 78,
                 STEP_CONTAINER_PROBE = 82,
                 STEP_IMAGE_LIST = 84,
                 STEP_BUILD_FETCH = 85,
                 STEP_BUILD_ADDRESS = 86,
                 STEP_BUILD_SERVE = 87,
                 STEP_BUILD_SHELL = 88,
                 STEP_KINDS
};

/* The families as linked into this program: the real ones or, in tests, the fakes. */
struct effects {
    const struct container_effects *container;
    const struct storage_effects *storage;
    const struct network_effects *network;
    const struct image_effects *image;
    const struct build_effects *build;
};

struct step_type {
    const char *name; /* "container.start" */
    const struct table *request;
    const struct table *result; /* NULL: none */
};
const struct step_type *step_type(enum step_kind kind); /* NULL when out of range */

/* Runs one effect. `result` is an object of the type's result table (or NULL), made in call->arena. Linked into
 * the worker only (drivers/run.c); the description above into both programs (drivers/steps.c). */
int step_run(const struct effects *effects, const struct paths *paths, enum step_kind kind,
             const void *request, const struct call *call, void **result, struct error *error);
