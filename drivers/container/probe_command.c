/* A probe by a program inside the container, as `fpsync exec` runs one: entering it is liblxc's, which waits for the guest
 * half way, so that this, too, is a child that can be killed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "drivers/container/probe.h"
#include "lib/error.h"

#define HEARD ((size_t)1024 * 1024) /* bytes of its output */

static void keep_line(void *context, const char *line)
{
    snprintf(context, PROBE_TEXT, "%s", line);
}

_Noreturn void probe_command(const struct probing *probing, int verdict)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct call call = {.arena = arena, .cancel = -1};
    char path[] = CONTAINER_STANDARD_PATH, home[] = "HOME=/root", last[PROBE_TEXT] = "";
    char *environment[] = {path, home, NULL};
    const struct texts *words = &probing->request->command;
    char **argv = arena_array_of(arena, char *, words->count + 1);
    for (size_t i = 0; i < words->count; i++)
        argv[i] = arena_strdup(arena, words->items[i]);
    const struct container_command command = {.lxc_name = probing->request->lxc_name,
                                              .argv = argv,
                                              .environment = environment,
                                              .directory = "/",
                                              .line = keep_line,
                                              .context = last,
                                              .most = HEARD,
                                              .mortal = true};
    struct error error = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int result = container_run(probing->paths, &command, &call, &error);
    probe_tell(verdict, result, result < 0 ? error.text : last);
}
