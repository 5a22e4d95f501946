/* NICs that LXC made, in the words of a spec: each in an attached network of the bridge, or of the parent, that it hangs
 * on. */
#pragma once

#include "drivers/container/container.h"
#include "drivers/network/network.h"
#include "drivers/paths.h"
#include "specs/model.h"

struct found_networks {
    const struct paths *paths;
    struct arena *arena;
    struct object_set known; /* all networks that are declared or recorded */
    bool makes;              /* whether one is made where none of them fits */
    struct object_set made;
};

/* Fills the container's networks, the definition's NICs in their order. `inside` (NULL: it does not run) has the last
 * word: an address that the guest does not have any more is its own affair, and a default route that it made itself is its
 * network's gateway. False, and `body` as it was, where a NIC is in no network. */
bool found_networks_tell(struct found_networks *networks, const struct container_definition *definition,
                         const struct observed_guest *inside, struct container *body);
/* The MAC address that the NIC has, or gets by its config; NULL: none is known. */
const char *found_mac(const struct nic *nic, const struct observed_guest *inside);
