/* sysvinit takes its orders through a FIFO, /run/initctl; the signal that asks others to end, SIGPWR, has it run a script
 * that its distributions name and do not ship. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Asks the init of a container for runlevel 0. False when there is nobody at such a FIFO: then nothing was asked. The guest
 * may have put anything in its place; only a FIFO is written to, and nothing is waited for. */
bool initctl_halt(pid_t init);
