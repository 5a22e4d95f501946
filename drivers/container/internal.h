/* What the files of the container family share. Names, processes and control groups of one LXC container, read
 * from the kernel and from its config without liblxc; the view and the effects look through the same eyes. */
#pragma once

#include <sys/types.h>

#include "drivers/container/container.h"

#define CONTAINER_GROUP         "fpsync"                 /* lxc.group of what is ours */
#define CONTAINER_MARK          "# fpsync "              /* then UID, space, GENERATION */
#define CONTAINER_INCLUDES      "/usr/share/lxc/config/" /* where LXC has its own configs */
#define CONTAINER_IDS           65536                    /* of an id range */
#define CONTAINER_INIT          "/.fpsync/init" /* our small init in the guest (storage family's with_init) */
#define CONTAINER_GUEST_DIR     "dev/.fpsync"   /* in the guest: argv and exit of our small init */
#define CONTAINER_DEVICES       "devices"       /* below LXCPATH/NAME: nodes of what it is lent */
#define CONTAINER_STOPPED       "stopped"       /* below LXCPATH/NAME: who stopped it by hand, and when */
#define CONTAINER_HOST_DIR      "init"          /* the same folder, below LXCPATH/NAME */
#define CONTAINER_STANDARD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CONTAINER_PATH_SIZE     512    /* bytes; the root is 60 at most, a name 70 */
#define CONTAINER_CPU_PERIOD    100000 /* microseconds */

/* ---- view_config.c ---- */

/* Whether `name` can be an LXC name of ours: no slash, no leading dot, 80 bytes at most. -EINVAL. */
int container_check_name(const char *name, struct error *error);
/* "LXCPATH/NAME/FILE", or "LXCPATH/NAME" for "". */
void container_path(const struct paths *paths, const char *name, const char *file,
                    char path[static CONTAINER_PATH_SIZE]);
/* Fills defined, ours, uid, generation, config_digest. */
int container_read_config(const struct paths *paths, const char *name, struct arena *arena,
                          struct observed_container *out, struct error *error);
int container_read_definition(const struct paths *paths, const char *lxc_name, const struct call *call,
                              struct container_definition **out, struct error *error);
int container_read_found(const struct paths *paths, const char *lxcpath, const char *lxc_name,
                         const struct call *call, struct container_found **out, struct error *error);
/* The mark, from a config's text. */
void container_read_mark(const char *text, struct arena *arena, struct observed_container *out);

/* ---- run.c ---- */

struct lxc_container;
/* The program with these for its streams 0, 1 and 2; `pid` is a child of the caller's. */
int container_attach(struct lxc_container *lxc, const struct container_command *command, const int streams[3],
                     pid_t *pid, struct error *error);

/* ---- view_monitor.c ---- */

struct monitor_socket { /* a listening command socket: its monitor lives */
    const char *name;   /* of the socket, without "@" */
    unsigned long inode;
};
struct monitor_sockets {
    struct monitor_socket *items;
    size_t count;
};
int monitor_sockets_read(struct arena *arena, struct monitor_sockets *out, struct error *error);
const struct monitor_socket *monitor_socket_of(const struct monitor_sockets *sockets,
                                               const struct paths *paths,
                                               const char *name); /* NULL: no monitor */

struct hierarchies;
/* Whether a monitor waits for a helper of its own, as for AppArmor's parser: that takes seconds on a slow machine, and
 * killed with it half way the helper would keep the monitor's control group. */
bool monitor_is_at_work(pid_t monitor);
/* Whether the process calls itself the monitor of this very container, as liblxc's do. */
bool monitor_is_of(pid_t pid, const struct paths *paths, const char *name);
/* Fills monitor_pid, and init_pid and init_start once init runs its program. */
void monitor_find(const struct hierarchies *hierarchies, const char *name,
                  const struct monitor_socket *socket, struct observed_container *out);
bool has_executed(pid_t init, pid_t monitor); /* init runs its own program, no longer a fork of the monitor */
bool has_executing_child(pid_t init);         /* the same of any child of init */
const char *boot_id(struct arena *arena);     /* of the running kernel; NULL when it cannot be read */
int64_t process_start(pid_t pid);             /* clock ticks since boot; 0 when there is no such process */
int64_t process_start_and_state(pid_t pid, char *state); /* the same, and field 3 of /proc/PID/stat */
pid_t process_parent(pid_t pid);                         /* 0 when there is no such process */

/* ---- view_exit.c ---- */

struct exit_note {
    int64_t status;   /* as of waitpid(): code, or 128 + signal */
    char reason[512]; /* why the command could not be run, a line of printable characters; "": it was */
};
/* False: nothing of the kind is on file, as since every start. */
bool exit_read(const struct paths *paths, const char *lxc_name, struct exit_note *out);

/* ---- view_cgroup.c ---- */

struct hierarchy {
    const char *mount, *root; /* where it is mounted, and which of its folders is */
    const char
        *controllers;   /* as in /proc/PID/cgroup; of the unified one, as in cgroup.controllers with commas */
    const char *folder; /* absolute: where liblxc makes its groups */
    bool unified;
};
struct hierarchies {
    struct hierarchy *items;
    size_t count;
    bool io_bfq,
        io_cost; /* groups have files for weights, of these schedulers; false too while not looked for */
    const char
        *io_device; /* "MAJOR:MINOR" that limits of io are for; NULL: not looked for, or there is none */
};
/* Finds io_device: the whole disk that the store lies on. */
void hierarchies_find_device(struct hierarchies *hierarchies, const struct paths *paths, struct arena *arena);
bool limits_ask_for_io(const struct limits *limits);
/* Finds io_bfq and io_cost. */
void hierarchies_find_weights(struct hierarchies *hierarchies);
#define NO_IO_WEIGHTS "this kernel weighs no io: neither bfq nor io.cost has files in its control groups"
/* What a weight is among those of bfq, 1 to 1,000, of which 100 is the usual one, too. */
int64_t weight_of_bfq(int64_t weight);
int64_t weight_from_bfq(int64_t weight);
/* The view's answers. */
void container_look_at_host(const struct paths *paths, struct arena *arena, struct observed_host *out);
const char *container_io_weight_trouble(void);
bool container_io_is_weighed(const struct paths *paths);

/* ---- view_closed.c ---- */

const char *container_closed_folder(const struct paths *paths, int64_t id_base, struct arena *arena);
int hierarchies_read(struct arena *arena, struct hierarchies *out, struct error *error);
/* The hierarchy that has this controller; NULL when none has. */
const struct hierarchy *hierarchy_of(const struct hierarchies *hierarchies, const char *controller);
/* The payload group of the container whose init is `pid`; false when it cannot be told. */
bool payload_path(const struct hierarchy *hierarchy, pid_t pid, char path[static CONTAINER_PATH_SIZE]);
#define IO_CONTROLLER "blkio,io" /* its names in version 1 and 2 */
/* What the groups of a running container say, of rare limits only what `said` says (NULL: none); marks what could be
 * read. */
void limits_read(const struct hierarchies *hierarchies, pid_t init, const struct limits *said,
                 struct arena *arena, struct limits *out);
/* The same for many by name alone, which holds while no group has that name with a number behind it; false when there
 * is nothing to read. The folders that hold the groups are opened once: for each group the walk down to it would cost
 * as much again as reading. */
#define LIMIT_SOURCES    10
#define LIMIT_VALUE_SIZE 16384 /* bytes: a list of every other of 4,096 processors has 10,000 */
/* A weight of version 2 that says nothing, and the same in the shares of version 1. */
#define USUAL_WEIGHT 100
#define USUAL_SHARES 1024
/* What a group of cpuset has that says nothing, to be read from the group above. */
#define CPUSET_ABOVE_V1 "cpuset.cpus"
#define CPUSET_ABOVE_V2 "cpuset.cpus.effective"
struct limit_folders {
    struct limit_folder {
        int fd; /* -1: no hierarchy here has the controller */
        bool unified;
    } of[LIMIT_SOURCES];
};
void limit_folders_open(const struct hierarchies *hierarchies, struct limit_folders *folders);
void limit_folders_close(struct limit_folders *folders);
bool limits_by_name(const struct limit_folders *folders, const char *name, const struct limits *said,
                    struct arena *arena, struct limits *out);
/* "lxc.payload.NAME", "lxc.monitor.NAME", also with "-1" and so on behind, which liblxc adds when the name is taken.
 * Not NAME-1 where a container of that name is. */
bool cgroup_belongs(const struct paths *paths, const char *folder, const char *name);
bool cgroup_exists(const struct hierarchies *hierarchies, const struct paths *paths, const char *name);
/* One line of a small file without its newline; -errno. */
int read_line(int directory, const char *path, char *line, size_t size);

/* ---- view_frozen.c ---- */

/* The hierarchy that freezes: that of version 1 where it has the controller, else version 2. NULL: none. */
const struct hierarchy *hierarchy_of_freezer(const struct hierarchies *hierarchies);
/* Whether the processes of the container stand still. */
bool is_frozen(const struct hierarchies *hierarchies, pid_t init);
/* The same for many by name, as limits_by_name(). `state` is that of its init. */
struct freezer_folder {
    int fd; /* that holds the groups; -1: nothing here can freeze */
    bool unified;
};
void freezer_folder_open(const struct hierarchies *hierarchies, struct freezer_folder *folder);
void freezer_folder_close(struct freezer_folder *folder);
bool is_frozen_by_name(const struct freezer_folder *folder, const char *name, char state);

/* ---- view_ids.c ---- */

void container_find_ids(const struct paths *paths, struct arena *arena, struct id_ranges *out);

/* ---- view_find.c, view_devices.c ---- */

void container_find_devices(const struct paths *paths, const struct device *device, struct arena *arena,
                            struct found_devices *out);
void container_list_lent(const struct paths *paths, const char *lxc_name, struct arena *arena,
                         struct texts *places);

/* ---- view_use.c ---- */

void container_look_at_use(const struct paths *paths, int64_t init_pid, struct observed_use *out);

/* ---- view.c ---- */

/* One container, as dump() would show it. */
int container_look(const struct paths *paths, const char *name, struct arena *arena,
                   struct observed_container *out, struct error *error);

/* ---- cgroup.c ---- */

/* Removes the empty groups of a container that does not run, in every hierarchy. */
int cgroups_remove(const struct paths *paths, const char *name, struct error *error);

/* ---- limits.c ---- */

struct limit_setting {
    const char *controller, *file;
    bool unified;
    bool only_live; /* what the kernel gives by itself: not worth a line of the config */
    char value[LIMIT_VALUE_SIZE];
};
#define LIMIT_SETTINGS 14
/* What `limits` means on this host, file by file, in the order in which liblxc and a lowering write them. Returns the
 * count; -EOPNOTSUPP when a limit that was asked for has no controller here. */
int limits_settings(const struct hierarchies *hierarchies, const struct limits *limits,
                    struct limit_setting settings[static LIMIT_SETTINGS], struct error *error);

/* ---- config.c: the one place that talks to liblxc about configuration ---- */

struct lxc_container;
/* Of an interface, followed by accept_ra or autoconf: what keeps a guest from going by the routers of its LAN. */
#define CONTAINER_DEAF "lxc.sysctl.net.ipv6.conf.eth%d."
struct config { /* a configuration in the making */
    struct lxc_container *lxc;
    const char *name;
    struct error *error;
    int result;   /* of the first setting that failed; later ones are skipped */
    bool passing; /* what is written need not be on the disk */
};
/* Opens without or with what is on disk. */
int config_open(struct config *config, const struct paths *paths, const char *name, bool load,
                struct error *error);
void config_close(struct config *config);
#define _cleanup_config_ _cleanup_(config_close)
void config_set(struct config *config, const char *key, const char *value);
void config_setf(struct config *config, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_clear(struct config *config, const char *key);
bool config_says(struct config *config, const char *key); /* that there is a value, by an include as well */
/* Lines as they are, those without a value, which take back what an include says, and the includes themselves too:
 * set one by one, liblxc keeps neither. */
void config_load_lines(struct config *config, const struct paths *paths, const struct texts *lines);
void config_set_limits(struct config *config, const struct hierarchies *hierarchies,
                       const struct limits *limits);
/* Only those that limit something: the config of an adopted container says nothing else. */
void config_set_given_limits(struct config *config, const struct hierarchies *hierarchies,
                             const struct limits *limits);
/* ---- define_adopted.c: words that come with what LXC had before ---- */

void config_set_arch(struct config *config, const struct container_definition *definition);
/* Includes, what the present config says of starting with the host, and lines of `lxc`. */
void config_load_first(struct config *config, const struct paths *paths,
                       const struct container_definition *definition, struct arena *arena);
void config_set_apparmor(struct config *config, const struct container_definition *definition);
void config_set_binds(struct config *config, const struct container_definition *definition);

/* ---- config.c ---- */

/* Writes config and mark under a temporary name and renames it, unless the file says just that. */
int config_save(struct config *config, const struct paths *paths, const char *uid, int64_t generation,
                struct arena *arena, const char **digest);

/* ---- freeze.c ---- */

/* Wakes it, frozen or not: its signals would wait, too. */
void container_thaw(const struct hierarchies *hierarchies, pid_t init);

/* ---- view_devices.c ---- */

#define DEVICE_NAME_SIZE 256
/* Of the node for what lies at `path` inside; false: it would be too long. */
bool device_node_name(const char *path, char name[static DEVICE_NAME_SIZE]);
void container_look_at_devices(const struct paths *paths, const char *lxc_name, int64_t init_pid,
                               struct observed_device *devices, size_t count);

/* ---- device.c ---- */

/* Before a start: nodes of these, and of nothing else. */
int devices_prepare(const struct paths *paths, const struct container_start *request, struct error *error);
/* What this start alone adds to the config: which numbers a device has is not known for long. */
void config_set_devices(struct config *config, const struct paths *paths,
                        const struct container_start *request);
int device_attach(const struct paths *paths, const struct device_attach *request, const struct call *call,
                  struct error *error);
int device_detach(const struct paths *paths, const struct device_attach *request, const struct call *call,
                  struct error *error);
/* All nodes and their folder, of a container that does not run; `container`: its folder. -errno. */
int devices_remove(int container);

/* ---- define.c ---- */

/* What a privileged container may open without being lent it, as "c 1:3 rwm". */
extern const char *const usual_devices[];
extern const size_t usual_device_count;

/* ---- the effects, one file each ---- */

int container_freeze_it(const struct paths *paths, const struct container_freeze *request,
                        const struct call *call, struct error *error);

int container_define(const struct paths *paths, const struct container_definition *definition,
                     const struct call *call, struct container_defined *result, struct error *error);
int container_start(const struct paths *paths, const struct container_start *request, const struct call *call,
                    struct container_started *result, struct error *error);
int container_await(const struct paths *paths, const struct container_await *request, const struct call *call,
                    struct error *error);
int container_probe_it(const struct paths *paths, const struct container_probe *request,
                       const struct call *call, struct error *error);
/* The view's read_stop. */
int container_read_stop(const struct paths *paths, const char *lxc_name, const struct call *call,
                        const char **by, struct error *error);
/* The effect: container_stop_it(), and its note where a person asked. */
int container_stop(const struct paths *paths, const struct container_stop *stop, const struct call *call,
                   struct error *error);
int container_forget_stop(const struct paths *paths, const char *lxc_name, struct error *error);
int container_stop_it(const struct paths *paths, const struct container_stop *stop, const struct call *call,
                      struct error *error);
int container_set_limits(const struct paths *paths, const struct container_limits *limits,
                         const struct call *call, struct container_defined *result, struct error *error);
int container_destroy(const struct paths *paths, const struct container_reference *reference,
                      const struct call *call, struct error *error);
int container_adopt(const struct paths *paths, const struct container_adopt *adopt, const struct call *call,
                    struct container_adopted *result, struct error *error);
int container_release(const struct paths *paths, const struct container_reference *reference,
                      const struct call *call, struct error *error);
