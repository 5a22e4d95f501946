/* Ends a child with all that it started, also in another pid namespace: what is killed is first made to stand still, so
 * that nothing new descends from it, and nobody else is given its number. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/container/probe.h"

#define STAT_SIZE 1024 /* bytes; a process cannot make its line longer */
#define ROUNDS    16   /* of looking for new ones: who forks faster has a limit of pids */

struct process {
    pid_t pid, parent, session;
    unsigned long long start;
    bool doomed;
};

struct processes {
    struct process *items;
    size_t count;
};

static bool read_process(pid_t pid, struct process *process)
{
    char path[32], text[STAT_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    const char *rest = strrchr(text, ')'); /* its name has what it likes, but nothing after it does */
    *process = (struct process){.pid = pid};
    return rest &&
           sscanf(rest, ") %*c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  &process->parent, &process->session, &process->start) == 3;
}

static void read_all(struct arena *arena, struct processes *all)
{
    DIR *folder = opendir("/proc");
    *all = (struct processes){0};
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        struct process process;
        if (isdigit((unsigned char)*entry->d_name) && read_process((pid_t)atoi(entry->d_name), &process))
            *arena_append(arena, all->items, all->count) = process;
    }
    if (folder)
        closedir(folder);
}

static bool comes_from(const struct processes *all, const struct process *process)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].doomed &&
            (all->items[i].pid == process->parent || all->items[i].pid == process->session))
            return true;
    return false;
}

static void doom(struct processes *all, pid_t root)
{
    bool more = true;
    for (size_t i = 0; i < all->count; i++)
        all->items[i].doomed = all->items[i].pid == root;
    while (more) {
        more = false;
        for (size_t i = 0; i < all->count; i++)
            if (!all->items[i].doomed && comes_from(all, &all->items[i]))
                all->items[i].doomed = more = true;
    }
}

/* The process that was looked at, or nobody. */
static void tell(const struct process *process, int signal)
{
    struct process now;
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (fd >= 0 && read_process(process->pid, &now) && now.start == process->start)
        syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
}

static size_t tell_all(const struct processes *all, int signal)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (!all->items[i].doomed)
            continue;
        tell(&all->items[i], signal);
        count++;
    }
    return count;
}

void process_tree_kill(pid_t root)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct processes all;
    for (size_t round = 0, before = 0, count = 1; count != before && round < ROUNDS; round++) {
        before = count;
        read_all(arena, &all);
        doom(&all, root);
        count = tell_all(&all, SIGSTOP);
    }
    tell_all(&all, SIGKILL);
    kill(root, SIGKILL); /* a child of ours, which nobody else reaps */
}
