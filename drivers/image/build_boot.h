/* What a boot leaves in a root that belongs to one machine, where an image is for many: its id (machine-id(5)) and the journal
 * of that id. An image that has none asks for one to be made in each container, and goes on asking. */
#pragma once

#include <stdbool.h>

/* Whether the root asks for an id: its /etc/machine-id is empty or says "uninitialized"; or is not there, and the root is to
 * be `booted`. A mere command that writes one where none was is taken at its word. */
bool build_boot_asks(int root, bool booted);
/* Takes the id and its journal out of an upper that is mounted nowhere, whose root asked for one. */
void build_boot_forget(int upper);
