/* Preloaded into fpsync and its worker: kills the process group before the worker's Nth call that changes a file system.
 *
 *   KILL_AT=N     counted from 1 in each worker; what is never reached leaves KILL_LOG as it is
 *   KILL_LOG=FILE a line is added that says before which call it died
 *
 * Calls that come by the C library's own ways (system(), a child's exec) are not seen: the drivers make none. */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0: nobody is to die here. What a worker forks is another program, whatever it is called. */
static long wanted_at(void)
{
    static long at;
    static pid_t of;
    char name[17] = "";
    const char *wanted = getenv("KILL_AT");
    if (!of) {
        of = getpid();
        prctl(PR_GET_NAME, name);
        at = wanted && strcmp(name, "fpsync-worker") == 0 ? strtol(wanted, NULL, 10) : 0;
    }
    return of == getpid() ? at : 0;
}

static void count(const char *call, const char *path)
{
    static long made;
    if (!wanted_at() || ++made < wanted_at())
        return;
    int log = open(getenv("KILL_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dprintf(log, "%ld: %s %s\n", made, call, path);
    kill(0, SIGKILL);
    pause();
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

int renameat(int from, const char *old, int to, const char *new)
{
    count("renameat", new);
    return REAL(renameat)(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    count("renameat2", new);
    return REAL(renameat2)(from, old, to, new, flags);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    count("linkat", new);
    return REAL(linkat)(from, old, to, new, flags);
}

int unlinkat(int folder, const char *name, int flags)
{
    count("unlinkat", name);
    return REAL(unlinkat)(folder, name, flags);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    count("mkdirat", name);
    return REAL(mkdirat)(folder, name, mode);
}

int fsync(int fd)
{
    count("fsync", "");
    return REAL(fsync)(fd);
}

int syncfs(int fd)
{
    count("syncfs", "");
    return REAL(syncfs)(fd);
}

int fsmount(int context, unsigned flags, unsigned attributes)
{
    count("fsmount", "");
    return REAL(fsmount)(context, flags, attributes);
}

int move_mount(int from, const char *old, int to, const char *new, unsigned flags)
{
    count("move_mount", new);
    return REAL(move_mount)(from, old, to, new, flags);
}

int umount2(const char *path, int flags)
{
    count("umount2", path);
    return REAL(umount2)(path, flags);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == LOOP_CONFIGURE)
        count("ioctl", "LOOP_CONFIGURE");
    return REAL(ioctl)(fd, request, argument);
}
