#include "drivers/storage/still.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/call.h"
#include "drivers/storage/storage.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PATIENCE    10000 /* milliseconds for processes in the kernel to come to a stand */
#define TABLE_LIMIT ((size_t)64 * 1024)

struct freezer { /* of one container */
    const char *file, *freeze, *thaw;
    const char *state, *frozen; /* the file that tells, and what it says when all stand */
};

static bool is_alive(const struct data_guest *guest, struct arena *arena)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *path = arena_printf(arena, "/proc/%lld/stat", (long long)guest->init_pid);
    if (buffer_read_file(&text, AT_FDCWD, path, TABLE_LIMIT, NULL) < 0)
        return false;
    const char *at = strrchr(text.bytes, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && strtoll(at + 1, NULL, 10) == guest->init_start;
}

/* The payload's group: what init is in, up to the folder that LXC made. */
static char *payload_of(struct arena *arena, const char *path, size_t length)
{
    static const char name[] = "/lxc.payload.";
    char *copy = arena_strndup(arena, path, length), *payload = NULL;
    for (char *at = strstr(copy, name); at; at = strstr(at + 1, name))
        payload = at;
    if (!payload)
        return NULL;
    payload[1 + strcspn(payload + 1, "/")] = '\0';
    return copy;
}

/* cgroups(7): version 1 has a hierarchy for it; version 2 a file in every group. */
static bool find_freezer(const struct data_guest *guest, struct arena *arena, struct freezer *freezer)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *path = arena_printf(arena, "/proc/%lld/cgroup", (long long)guest->init_pid);
    if (buffer_read_file(&text, AT_FDCWD, path, TABLE_LIMIT, NULL) < 0)
        return false;
    for (const char *line = text.bytes; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        const char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
        if (!group)
            continue;
        bool first = strncmp(names, ":freezer:", strlen(":freezer:")) == 0;
        char *payload = payload_of(arena, group + 1, strcspn(group + 1, "\n"));
        if (!payload || (!first && names[1] != ':'))
            continue;
        const char *folder = arena_printf(arena, "/sys/fs/cgroup%s%s", first ? "/freezer" : "", payload);
        *freezer = (struct freezer){
            .file = arena_printf(arena, first ? "%s/freezer.state" : "%s/cgroup.freeze", folder),
            .freeze = first ? "FROZEN" : "1",
            .thaw = first ? "THAWED" : "0",
            .state = arena_printf(arena, first ? "%s/freezer.state" : "%s/cgroup.events", folder),
            .frozen = first ? "FROZEN" : "frozen 1"};
        if (access(freezer->file, W_OK) == 0)
            return true;
    }
    return false;
}

static int write_text(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool stands(const struct freezer *freezer)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (buffer_read_file(&text, AT_FDCWD, freezer->state, TABLE_LIMIT, NULL) < 0)
        return errno == ENOENT; /* it is gone */
    return strstr(text.bytes, freezer->frozen);
}

/* Some process of it lives: it has a new init. Its groups by name, as LXC calls them: in version 2 it is told of groups
 * below as well; in version 1 processes are counted by that of pids, and those of the freezer lie in the group itself. */
static bool is_populated(const struct data_guest *guest, struct arena *arena)
{
    static const struct {
        const char *file, *empty; /* what stands in it when there is none */
    } places[] = {
        {"/sys/fs/cgroup/lxc.payload.%s%s/cgroup.events", "populated 0"},
        {"/sys/fs/cgroup/unified/lxc.payload.%s%s/cgroup.events", "populated 0"},
        {"/sys/fs/cgroup/pids/lxc.payload.%s%s/pids.current", "0\n"},
        {"/sys/fs/cgroup/freezer/lxc.payload.%s%s/cgroup.procs", ""},
    };
    for (size_t i = 0; i < 2 * sizeof(places) / sizeof(*places); i++) {
        _cleanup_buffer_ struct buffer text = {0};
        const char *path = arena_printf(arena, places[i / 2].file, guest->lxc_name, i % 2 ? "-1" : "");
        const char *empty = places[i / 2].empty;
        if (buffer_read_file(&text, AT_FDCWD, path, TABLE_LIMIT, NULL) == 0 && text.length &&
            (!*empty || strncmp(text.bytes, empty, strlen(empty)) != 0))
            return true;
    }
    return false;
}

static void guard(int end, const struct freezer *freezers, size_t count)
{
    char byte;
    prctl(PR_SET_NAME, "fpsync-thaw");
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    while (read(end, &byte, 1) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < count; i++)
        write_text(freezers[i].file, freezers[i].thaw);
    _exit(0);
}

static int start_guard(struct still *still, const struct freezer *freezers, size_t count, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        guard(ends[0], freezers, count);
    }
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return error_errno(error, -errno, "cannot start a process");
    }
    *still = (struct still){.pipe = ends[1], .guardian = pid};
    return 0;
}

static int freeze_all(const struct freezer *freezers, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        write_text(freezers[i].file, freezers[i].freeze);
    int64_t end = now_milliseconds() + PATIENCE;
    for (size_t i = 0; i < count; i++)
        while (!stands(&freezers[i])) {
            if (now_milliseconds() > end)
                return error_set(error, -ETIMEDOUT, "%s: its processes do not come to a stand",
                                 freezers[i].file);
            poll(NULL, 0, 1); /* version 1 has no event for it */
            write_text(freezers[i].file, freezers[i].freeze);
        }
    return 0;
}

int still_hold(struct still *still, const struct list *guests, struct arena *arena, struct error *error)
{
    struct freezer *freezers = arena_array_of(arena, struct freezer, guests->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < guests->count; i++) {
        const struct data_guest *guest = guests->items[i];
        if (!is_alive(guest, arena)) {
            if (is_populated(guest, arena))
                return error_set(
                    error, -EAGAIN,
                    "container %s was started again while its data was to be read; run it once more",
                    guest->lxc_name);
            continue;
        }
        if (!find_freezer(guest, arena, &freezers[count]))
            return error_set(error, -ENOTSUP,
                             "container %s cannot be frozen: no control group of it has a freezer",
                             guest->lxc_name);
        count += !stands(&freezers[count]); /* it is not ours to thaw what somebody else froze */
    }
    int result = count ? start_guard(still, freezers, count, error) : 0;
    if (result == 0)
        result = freeze_all(freezers, count, error);
    if (result < 0)
        still_release(still);
    return result;
}

void still_release(struct still *still)
{
    if (still->pipe < 0)
        return;
    close(still->pipe);
    while (waitpid(still->guardian, NULL, 0) < 0 && errno == EINTR)
        ;
    *still = NOT_STILL;
}
