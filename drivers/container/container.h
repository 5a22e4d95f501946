/* The container family: LXC containers, by liblxc.
 *
 * A container is known by its LXC name below one lxcpath. It is *defined* when LXCPATH/NAME/config exists and
 * *ours* when that config carries `lxc.group = fpsync` and a comment line "# fpsync UID GENERATION". It is
 * *running* from the moment its monitor's command socket exists until the monitor is gone: "init died" comes
 * 20-60 ms before that, and only then may it be started or its root be unmounted.
 *
 * The view is linked into the main program and mutates nothing. Effects are linked into the worker, which holds
 * no database, lock or secret: liblxc's monitor is a fork of it and keeps its heap for life.
 *
 * Every effect is idempotent and says so by success: defining what is defined alike, starting what runs,
 * stopping what is stopped, destroying what is gone. None touches a container that is not ours (-EPERM). */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "specs/model.h"

struct error;

/* ---- view ---- */

struct observed_container {
    const char *lxc_name;
    bool defined;
    bool ours;
    const char *uid;           /* from the mark; NULL when not ours */
    int64_t generation;        /* from the mark */
    const char *config_digest; /* SHA-256 of the config file's bytes; NULL when not defined */
    bool running;              /* a monitor lives */
    int64_t monitor_pid;       /* 0: not looked for or not found */
    int64_t init_pid;          /* 0: starting or stopping */
    int64_t init_start;  /* clock ticks since boot (/proc/PID/stat field 22): with the pid an identity */
    bool exited;         /* an exit of a `command:` container is on file (written by fpsync's init) */
    int64_t exit_status; /* as of waitpid(): code, or 128 + signal */
    struct limits
        limits;  /* read from the cgroup of a running container; the described head says what could be read */
    bool frozen; /* its processes stand still */
    bool leftover_cgroups; /* payload or monitor cgroups without a process */
};

struct observed_containers {
    struct observed_container *items; /* sorted by lxc_name */
    size_t count;
};

/* ---- definition: what is asked for, and what a config says ---- */

/* One NIC that liblxc makes at start: name inside eth0, eth1, ... by index. */
struct nic {
    struct described described;
    const char *ifname; /* key; host end (paths_port) */
    int64_t index;      /* ethINDEX inside */
    const char *bridge; /* interface name of the bridge */
    const char *mac;
    const char *address;             /* "10.30.0.10/24" */
    const char *gateway;             /* NULL: none through this NIC */
    bool macvlan;                    /* of `bridge`, without an end on the host */
    const char *address6, *gateway6; /* "fd00:30::10/64"; NULL: none */
    bool deaf; /* to the routers of its LAN, which would give it other addresses: not told of what is read */
};
extern const struct table nic_table;

/* What of the host LXC mounts into an adopted container when it starts. */
struct container_bind {
    struct described described;
    const char *path;   /* key; inside */
    const char *source; /* on the host */
    bool read_only, optional;
};
extern const struct table container_bind_table;

struct container_definition {
    struct described described;
    const char *lxc_name;
    const char *uid;
    int64_t generation;
    const char *root; /* the place of the merged root, which is PATHS_ROOT in it; an adopted one's own root */
    int64_t id_base;  /* start of the 65,536 ids; 0: privileged */
    struct list nics; /* of nic */
    bool host_network; /* it shares the host's; no nics */
    struct pairs env;
    struct texts
        command;      /* empty: init of the image. Otherwise fpsync's small init runs it as its only child. */
    const char *user; /* of the command: "NAME|UID[:GROUP|GID]", by the guest's own files; NULL: root */
    const char *directory; /* of the command, made where missing; NULL: "/" */
    struct limits *limits;
    const char *halt_signal; /* NULL: by what init is (systemd SIGRTMIN+3, else SIGPWR; command SIGTERM) */
    const char *hostname;
    struct texts cap_drop, cap_keep; /* beside the standard ones; instead of them */
    bool nesting;
    bool router;      /* forwards what comes in by one NIC to another */
    struct texts lxc; /* "KEY = VALUE" */
    const char *arch; /* NULL: what the machine is */
    struct texts
        includes; /* of an adopted one: "common" is LXC's own config common.conf, and they come first */
    const char *apparmor; /* of an adopted one: "generated", "nesting"; NULL: nothing is said */
    struct list binds;    /* of an adopted one: of container_bind, in the order of mounting */
    const char *exit;     /* what its command ended with under another name, in digits; NULL: as it is */
    bool passing;         /* it ends with the effect that defines it, and nothing waits for the disk */
    bool adopted; /* LXC had it before: its config says this and nothing of fpsync's own, the lines first */
};
extern const struct table container_definition_table;

/* An init as its start told of it: with all three it is that process or none; and the limits that its record says. */
struct known_init {
    int64_t pid, start;
    const char *boot; /* the kernel's boot_id; NULL: unknown */
    const struct limits *limits;
};

/* What the config of any container says, as far as there are words for it; all else stands in `lxc` as it is. */
struct container_found {
    struct container_definition
        *definition;   /* `adopted`, without uid and generation; hostname as it is meant */
    struct texts nets; /* the lines of lxc.net */
    bool nics_say_all; /* the definition's nics alone make the same interfaces */
    bool maps_ids;     /* unprivileged: id_base is where its id 0 lies outside */
};

struct map;

struct observed_use { /* at this moment; 0: unknown */
    int64_t memory;   /* bytes, without what the kernel can drop */
    int64_t pids;
};

struct observed_host {      /* what its control groups make of limits */
    const char *cpus;       /* that containers can be pinned to: "0-3"; NULL: unknown */
    bool memory_is_firm;    /* version 1: no limit goes below what is used and can be put nowhere else, */
    bool swap_needs_memory; /* and one of swap is one of both together */
};

/* A device of the host that a container is lent, or shall be. The first three are the question. */
struct observed_device {
    const char
        *key; /* item_key() of the device that it was declared as; NULL: of none, it was found inside */
    const char *target;  /* as declared */
    const char *path;    /* inside; "": it is not known where, since it is not there */
    const char *source;  /* on the host */
    int64_t mode;        /* its permissions inside */
    const char *trouble; /* why it cannot be had; NULL: it is there */
    bool is_block;
    int64_t major, minor;
    bool lent;     /* the container has a node for that place, */
    bool as_asked; /* of this device and with these permissions, and in the running container it is there */
    bool unknown;  /* whether it is there: no file system answered */
};

/* Where on the host something is that is named by what it is. */
struct found_devices {
    struct found_device {
        const char *source; /* node on the host */
        const char *place;  /* where it is called for on any host: "/dev/bus/usb/001/002" */
    } * items;
    size_t count;
    const char *trouble; /* why there is none; NULL */
};

struct id_ranges { /* of host ids, users' and groups'; in no order, and some more than once */
    struct id_range {
        int64_t first, last;
    } * items;
    size_t count;
};

struct container_view {
    /* Everything below paths->lxc, foreign containers included (`ours` false), which may carry no tag.
     * One dump: a read of the directory, of /proc/net/unix and of the monitors' cgroups; no liblxc, no fork. A
     * missing lxcpath is an empty dump. `known` (LXC name to struct known_init; NULL: none) spares the search for
     * the inits that are still the same; their monitor_pid stays 0. */
    int (*dump)(const struct paths *paths, const struct map *known, const struct call *call,
                struct observed_containers *out, struct error *error);
    /* How much of its limits a running container uses. */
    void (*look_at_use)(const struct paths *paths, int64_t init_pid, struct observed_use *out);
    void (*look_at_host)(const struct paths *paths, struct arena *arena, struct observed_host *out);
    /* Why limits.io_weight cannot be written at all here; NULL. Whether what it says counts with the store's disk. */
    const char *(*io_weight_trouble)(void);
    bool (*io_is_weighed)(const struct paths *paths);
    /* The first folder, on the way to what a container needs, that its ids cannot enter: none of them starts. NULL: there is
     * none, or none can be found out. One fork for each of two paths. */
    const char *(*closed_folder)(const struct paths *paths, int64_t id_base, struct arena *arena);
    /* What the config of a container of ours says: uid, generation, hostname, id_base, nics, env, command; the rest
     * of the definition is left at its defaults. *out is NULL when there is no such config. For doctor --rebuild. */
    int (*read_definition)(const struct paths *paths, const char *lxc_name, const struct call *call,
                           struct container_definition **out, struct error *error);
    /* The same of any container below any lxcpath, ours or not; -ENOENT when there is none. */
    int (*read_found)(const struct paths *paths, const char *lxcpath, const char *lxc_name,
                      const struct call *call, struct container_found **out, struct error *error);
    /* Who stopped a container of ours by hand, as container_stop.by had it; *by is NULL when nobody did. */
    int (*read_stop)(const struct paths *paths, const char *lxc_name, const struct call *call,
                     const char **by, struct error *error);
    /* Ids that are somebody's: given in the host's subuid(5) and subgid(5) (and in those below the root) to others than
     * root, or of a user namespace that something runs in. One read for each process of the host. */
    void (*find_ids)(const struct paths *paths, struct arena *arena, struct id_ranges *out);
    /* Answers for each; `init_pid` 0: it does not run. */
    /* By `usb` or `gpu` of the device, in sysfs; in that below paths->root where there is one. */
    void (*find_devices)(const struct paths *paths, const struct device *device, struct arena *arena,
                         struct found_devices *out);
    /* The places inside that the container has nodes for, whoever declared them. */
    void (*list_lent)(const struct paths *paths, const char *lxc_name, struct arena *arena,
                      struct texts *places);
    void (*look_at_devices)(const struct paths *paths, const char *lxc_name, int64_t init_pid,
                            struct observed_device *devices, size_t count);
};
extern const struct container_view container_view;

/* ---- effects ---- */

struct container_defined { /* result */
    struct described described;
    const char *config_digest;
};
extern const struct table container_defined_table;

struct container_reference { /* request of destroy, release */
    struct described described;
    const char *lxc_name;
};
extern const struct table container_reference_table;

struct container_device {
    struct described described;
    const char *path; /* inside */
    bool is_block;
    int64_t major, minor;
    int64_t mode; /* permissions; it belongs to the container's root */
};
extern const struct table container_device_table;

struct container_start {
    struct described described;
    const char *lxc_name;
    int64_t id_base;     /* 0: privileged */
    struct list devices; /* of container_device */
    struct texts ports;  /* names that the host's ends of its interfaces get */
};
extern const struct table container_start_table;

struct device_attach { /* to a running container */
    struct described described;
    const char *lxc_name;
    int64_t init_pid, init_start;    /* both must still match, else -ESRCH */
    struct container_device *device; /* a detach asks for its path only */
};
extern const struct table device_attach_table;

struct container_started { /* result */
    struct described described;
    int64_t init_pid, init_start; /* 0: a command that is done already; its exit is on file */
    const char *boot;             /* the kernel's boot_id: pids and ticks begin anew with it */
};
extern const struct table container_started_table;

struct container_adopt { /* request */
    struct described described;
    const char *lxc_name;
    const char *uid;
    int64_t generation;
    struct list nics; /* of nic: with which host end and MAC they come back at the next start */
};
extern const struct table container_adopt_table;

struct container_adopted { /* result */
    struct described described;
    const char *config_digest;
    int64_t init_pid, init_start; /* 0: does not run */
    const char *boot;
};
extern const struct table container_adopted_table;

struct container_stop {
    struct described described;
    const char *lxc_name;
    int64_t timeout;         /* milliseconds for the graceful way; 0: kill at once */
    const char *halt_signal; /* NULL as in the definition */
    const char *by; /* a person's stop, who and when: noted beside the config until it starts; NULL */
};
extern const struct table container_stop_table;

struct container_await {
    struct described described;
    const char *lxc_name;
    int64_t timeout;  /* milliseconds */
    bool has_command; /* it has completed only with a status on file */
};
extern const struct table container_await_table;

struct container_probe { /* struct health, and how long it is waited for */
    struct described described;
    const char *lxc_name;
    int64_t port;           /* of a connection in its network namespace; 0: none */
    const char *page;       /* of a GET over that connection; NULL: it is all that is asked for */
    struct texts addresses; /* tried after the loopback ones: its own */
    struct texts command;   /* instead: a program in it */
    int64_t interval, timeout, start_period; /* milliseconds */
    int64_t retries;
    int64_t most; /* milliseconds in all */
};
extern const struct table container_probe_table;

struct container_limits {
    struct described described;
    const char *lxc_name;
    struct limits *limits;
    bool adopted;
    struct texts lxc; /* lines of an adopted one: what they say of a limit, `limits` does not say */
};
extern const struct table container_limits_table;

struct container_freeze {
    struct described described;
    const char *lxc_name;
    bool frozen; /* stand still, or go on */
};
extern const struct table container_freeze_table;

struct container_effects {
    /* Writes the config through liblxc's setters (a control character in any value is -EINVAL), temporary name
     * and rename. Does not touch a running container: the new config counts from its next start. */
    int (*define)(const struct paths *, const struct container_definition *, const struct call *,
                  struct container_defined *, struct error *);
    /* Returns once init runs and the container is up as far as liblxc can tell; a start that fails leaves no
     * process, link or cgroup, and the error carries the lines of LXC's log that say why. */
    int (*start)(const struct paths *, const struct container_start *, const struct call *,
                 struct container_started *, struct error *);
    /* Sends the halt signal, again every second, until init's pidfd fires or `timeout` has passed; an init that
     * does not catch the signal (SigCgt) is not waited for. Then kills. Returns when the monitor is gone. */
    int (*stop)(const struct paths *, const struct container_stop *, const struct call *, struct error *);
    /* Returns when it has ended by itself: -ECHILD when its command did so with another status than 0 or
     * was ended before it did, -ETIME when it runs on. */
    int (*await)(const struct paths *, const struct container_await *, const struct call *, struct error *);
    /* Returns when a probe did well. The first is made at once, the next ones a tenth of a second apart and then twice as
     * long each time, up to `interval`. -ETIME after start_period + interval x retries, or `most`, with what the last
     * one met; -ECHILD when the container ends before, with its status. Changes nothing, whatever the guest does about
     * it. */
    int (*probe)(const struct paths *, const struct container_probe *, const struct call *, struct error *);
    /* Live, and in the config for the next start; then reads back. Lowering memory goes memory before memsw,
     * raising the other way round on cgroup v1. The errno of the kernel comes through: -EBUSY is "below use". */
    int (*set_limits)(const struct paths *, const struct container_limits *, const struct call *,
                      struct container_defined *, struct error *);
    /* Returns when all its processes stand still, or may go on. What does not come to stand within 10 s, as a process
     * deep in the kernel may not, goes on: -ETIMEDOUT. */
    int (*freeze)(const struct paths *, const struct container_freeze *, const struct call *, struct error *);
    /* Puts a device to its place, instead of another that was lent there; one that is there already stays. */
    int (*attach_device)(const struct paths *, const struct device_attach *, const struct call *,
                         struct error *);
    /* Afterwards no copy of its node in the container can be opened, either. */
    int (*detach_device)(const struct paths *, const struct device_attach *, const struct call *,
                         struct error *);
    /* Removes LXCPATH/NAME and empty cgroups of that name, in every hierarchy. -EBUSY while it runs. */
    int (*destroy)(const struct paths *, const struct container_reference *, const struct call *,
                   struct error *);
    /* Writes our mark, and what makes its interfaces come back as they are, into the config of a container that is
     * nobody's; the rest of the file stays byte for byte, and what runs is not touched. The file as it was lies
     * beside it as config.adopted, that of an earlier adoption which could not be put back as config.adopted.first.
     * -EPERM when it carries another mark. */
    int (*adopt)(const struct paths *, const struct container_adopt *, const struct call *,
                 struct container_adopted *, struct error *);
    /* Takes our mark out of the config, and nothing else. What is not marked, or gone, is released. */
    int (*release)(const struct paths *, const struct container_reference *, const struct call *,
                   struct error *);
};
extern const struct container_effects container_effects;

/* Runs argv inside a running container with a clean environment plus the container's own `env`, on a fresh pty
 * when stdin is a terminal; returns its exit status (128 + signal), or a negative errno with an error that leaves the
 * container's name to the caller. For the `exec` verb;
 * it is interactive, so it runs in a process of its own and not as a step. */
int container_exec(const struct paths *paths, const char *lxc_name, char *const *argv, struct error *error);

struct container_command { /* a program without a terminal, heard line by line */
    const char *lxc_name;
    char *const *argv;
    char **environment; /* all of it; ends with NULL */
    int64_t uid, gid;   /* inside */
    const int64_t *groups;
    size_t group_count;
    const char *directory;
    void (*line)(void *context, const char *line);
    void *context;
    size_t most; /* bytes that are heard, after which it writes into a pipe that nobody empties; 0: all */
    bool mortal; /* leads a session of its own, and is killed when this process ends */
};
/* Its status as a shell has it, once it has ended, whatever it has left running; a container that ends takes it along. It is
 * killed when the call ends early (-ECANCELED, -ETIMEDOUT). */
int container_run(const struct paths *paths, const struct container_command *command, const struct call *call,
                  struct error *error);

struct container_streams { /* that a program gets, or where `in` and `out` are a terminal, is joined to */
    int in, out, error;
    int owner;        /* pidfd of the process whose they are, with which it ends; -1 */
    int64_t init_pid; /* of the container, and its range of ids */
    int64_t id_base;
};
/* As container_run(), but for `line` and `most`: the program reads and writes these. A terminal is as it was when this
 * returns. SIGWINCH tells of another size of it: whoever has it passes that on, and it is blocked afterwards. */
int container_join(const struct paths *paths, const struct container_command *command,
                   const struct container_streams *streams, const struct call *call, struct error *error);
/* Kills init, and returns when nothing of the container runs any more; its monitor may still be cleaning up. */
int container_end(const struct container_started *started, const struct call *call, struct error *error);
/* Joins the terminal on stdin and stdout to the container's console until Ctrl-a q, its end, or a signal that ends us;
 * then the terminal is as it was. -ENOTTY without one, -ESRCH when the container does not run. */
int container_console(const struct paths *paths, const char *lxc_name, struct error *error);
/* Prints to stdout what the monitor remembers of the console, which is nothing unless its config gives it room. */
int container_console_log(const struct paths *paths, const char *lxc_name, struct error *error);
