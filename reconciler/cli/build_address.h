/* Addresses of ADD, before images are made of what they hold. */
#pragma once

#include "reconciler/cli/cli.h"

/* Asks for what every address without a checksum holds that is in the recipe of an image which this run makes: keys of steps
 * are digests of that, and so it must be there before they are worked out. One that cannot be had is told, and fails the
 * image. */
void build_fetch_addresses(struct session *session, const struct plan *plan);
