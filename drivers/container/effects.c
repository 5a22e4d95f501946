#include "drivers/container/internal.h"

const struct container_effects container_effects = {
    .define = container_define,
    .start = container_start,
    .stop = container_stop,
    .await = container_await,
    .probe = container_probe_it,
    .set_limits = container_set_limits,
    .freeze = container_freeze_it,
    .attach_device = device_attach,
    .detach_device = device_detach,
    .destroy = container_destroy,
    .adopt = container_adopt,
    .release = container_release,
};
