/* What machine this is. */
#pragma once

/* Its architecture as Debian calls it, "amd64" or "arm64"; of another one as the kernel does. Never freed. */
const char *machine_architecture(void);
