/* Observes containers: the folder of definitions, the command sockets, the control groups. Linked into the main
 * program; changes nothing and calls no liblxc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/container/internal.h"
#include "lib/error.h"
#include "lib/map.h"
#include "lib/units.h"

#define GROUP_PREFIX "lxc."

/* What one dump reads once for all containers. */
struct scene {
    const struct paths *paths;
    struct arena *arena;
    const char *ending;      /* of names below a root of its own: ".TAG"; NULL below / */
    const struct map *known; /* of struct known_init, or NULL */
    const char *boot;
    struct map numbered; /* names whose groups in some hierarchy have a number behind them */
    struct monitor_sockets sockets;
    struct hierarchies hierarchies;
    struct limit_folders limits;
    struct freezer_folder freezer;
};

static int dump(const struct paths *paths, const struct map *known, const struct call *call,
                struct observed_containers *out, struct error *error);
static int scene_read(struct scene *scene, const struct paths *paths, struct arena *arena,
                      struct error *error);
static void scene_close(struct scene *scene);
static int observe(const struct scene *scene, const char *name, struct observed_container *out,
                   struct error *error);

const struct container_view container_view = {.dump = dump,
                                              .read_definition = container_read_definition,
                                              .read_found = container_read_found,
                                              .read_stop = container_read_stop,
                                              .look_at_use = container_look_at_use,
                                              .look_at_host = container_look_at_host,
                                              .io_weight_trouble = container_io_weight_trouble,
                                              .io_is_weighed = container_io_is_weighed,
                                              .closed_folder = container_closed_folder,
                                              .find_ids = container_find_ids,
                                              .find_devices = container_find_devices,
                                              .list_lent = container_list_lent,
                                              .look_at_devices = container_look_at_devices};

int container_look(const struct paths *paths, const char *name, struct arena *arena,
                   struct observed_container *out, struct error *error)
{
    struct scene scene;
    int result = container_check_name(name, error);
    if (result == 0)
        result = scene_read(&scene, paths, arena, error);
    if (result < 0)
        return result;
    result = observe(&scene, name, out, error);
    scene_close(&scene);
    return result;
}

/* ---- which names ---- */

static int names_from_folder(const struct scene *scene, struct map *names, struct error *error)
{
    DIR *folder = opendir(scene->paths->lxc);
    if (!folder && errno == ENOENT)
        return 0;
    if (!folder)
        return error_errno(error, -errno, "cannot read %s", scene->paths->lxc);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) &&
            container_check_name(entry->d_name, NULL) == 0)
            map_add(names, entry->d_name, NULL);
    closedir(folder);
    return 0;
}

/* A running container whose folder was removed under it. */
static void names_from_sockets(const struct scene *scene, struct map *names)
{
    size_t length = strlen(scene->paths->lxc);
    for (size_t i = 0; i < scene->sockets.count; i++) {
        const char *socket = scene->sockets.items[i].name;
        if (strncmp(socket, scene->paths->lxc, length) != 0 || socket[length] != '/')
            continue;
        const char *start = socket + length + 1;
        char *name = arena_strndup(scene->arena, start, strcspn(start, "/"));
        if (strcmp(start + strlen(name), "/command") == 0 && container_check_name(name, NULL) == 0)
            map_add(names, name, NULL);
    }
}

/* Leftovers of containers that are gone altogether. Only a tag proves them ours; without one a group may be of a
 * container below any lxcpath. */
static void name_from_group(const struct scene *scene, const char *group, struct map *names)
{
    const char *start = strchr(group + sizeof(GROUP_PREFIX) - 1, '.');
    const char *end = scene->ending ? strstr(group, scene->ending) : NULL;
    if (!end || !start || start >= end)
        return;
    char *name = arena_strndup(scene->arena, start + 1, (size_t)(end - start - 1) + strlen(scene->ending));
    if (cgroup_belongs(scene->paths, group, name) && container_check_name(name, NULL) == 0)
        map_add(names, name, NULL);
}

/* "lxc.payload.NAME-1": liblxc found the name taken. */
static void note_number(struct scene *scene, const char *group)
{
    const char *start = strchr(group + sizeof(GROUP_PREFIX) - 1, '.'), *dash = strrchr(group, '-');
    if (start && dash && dash > start && dash[1] && strspn(dash + 1, "0123456789") == strlen(dash + 1))
        map_add(&scene->numbered, arena_strndup(scene->arena, start + 1, (size_t)(dash - start - 1)), scene);
}

/* The last hierarchy is also the last that a removal comes to. */
static void names_from_groups(struct scene *scene, struct map *names)
{
    if (!scene->hierarchies.count)
        return;
    DIR *folder = opendir(scene->hierarchies.items[scene->hierarchies.count - 1].folder);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        if (strncmp(entry->d_name, GROUP_PREFIX, sizeof(GROUP_PREFIX) - 1) != 0)
            continue;
        name_from_group(scene, entry->d_name, names);
        note_number(scene, entry->d_name);
    }
    if (folder)
        closedir(folder);
}

/* ---- the scene ---- */

static int scene_read(struct scene *scene, const struct paths *paths, struct arena *arena,
                      struct error *error)
{
    *scene = (struct scene){.paths = paths, .arena = arena};
    if (*paths->tag)
        scene->ending = arena_printf(arena, ".%s", paths->tag);
    int result = monitor_sockets_read(arena, &scene->sockets, error);
    if (result == 0)
        result = hierarchies_read(arena, &scene->hierarchies, error);
    if (result == 0)
        limit_folders_open(&scene->hierarchies, &scene->limits);
    if (result == 0)
        freezer_folder_open(&scene->hierarchies, &scene->freezer);
    return result;
}

static void scene_close(struct scene *scene)
{
    limit_folders_close(&scene->limits);
    freezer_folder_close(&scene->freezer);
    map_clear(&scene->numbered);
}

/* ---- one container ---- */

/* A command that could not be run has not ended: it never was. */
static void read_exit(const struct scene *scene, struct observed_container *out)
{
    struct exit_note note;
    if (!exit_read(scene->paths, out->lxc_name, &note) || *note.reason)
        return;
    out->exited = true;
    out->exit_status = note.status;
}

/* Its start time, and not merely that there is such a process: an ended init stays a zombie until its monitor, which may
 * hang, reaps it. */
static bool is_still_init(const struct scene *scene, const struct known_init *known, char *state)
{
    return known && known->pid > 0 && known->start > 0 && known->boot && scene->boot &&
           strcmp(known->boot, scene->boot) == 0 &&
           process_start_and_state((pid_t)known->pid, state) == known->start;
}

static void observe_running(const struct scene *scene, const struct monitor_socket *socket,
                            struct observed_container *out)
{
    const struct known_init *known = scene->known ? map_get(scene->known, out->lxc_name) : NULL;
    char state;
    if (is_still_init(scene, known, &state)) {
        out->init_pid = known->pid;
        out->init_start = known->start;
        if (!map_get(&scene->numbered, out->lxc_name) &&
            limits_by_name(&scene->limits, out->lxc_name, known->limits, scene->arena, &out->limits)) {
            out->frozen = is_frozen_by_name(&scene->freezer, out->lxc_name, state);
            return;
        }
    } else {
        monitor_find(&scene->hierarchies, out->lxc_name, socket, out);
    }
    if (!out->init_pid)
        return;
    out->frozen = is_frozen(&scene->hierarchies, (pid_t)out->init_pid);
    limits_read(&scene->hierarchies, (pid_t)out->init_pid, known ? known->limits : NULL, scene->arena,
                &out->limits);
}

static int observe(const struct scene *scene, const char *name, struct observed_container *out,
                   struct error *error)
{
    *out = (struct observed_container){.lxc_name = arena_strdup(scene->arena, name)};
    const struct limits *standard = described_new(scene->arena, &limits_table);
    out->limits = *standard;
    int result = container_read_config(scene->paths, name, scene->arena, out, error);
    if (result < 0)
        return result;
    const struct monitor_socket *socket = monitor_socket_of(&scene->sockets, scene->paths, name);
    out->running = socket != NULL;
    if (socket)
        observe_running(scene, socket, out);
    else
        out->leftover_cgroups = cgroup_exists(&scene->hierarchies, scene->paths, name);
    if (!out->init_pid)
        read_exit(scene, out);
    return 0;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct observed_container *)left)->lxc_name,
                  ((const struct observed_container *)right)->lxc_name);
}

static int observe_all(const struct scene *scene, const struct map *names, const struct call *call,
                       struct observed_containers *out, struct error *error)
{
    struct observed_containers found = {0};
    for (size_t i = 0; i < names->count; i++) {
        struct observed_container one;
        int result = call_check(call);
        if (result < 0)
            return error_errno(error, result, "observing containers");
        result = observe(scene, names->entries[i].key, &one, error);
        if (result < 0)
            return result;
        /* A folder that defines nothing is none of ours to tell of. */
        if (one.defined || one.running || one.leftover_cgroups)
            *arena_append(call->arena, found.items, found.count) = one;
    }
    if (found.count)
        qsort(found.items, found.count, sizeof(*found.items), by_name);
    *out = found;
    return 0;
}

static int dump(const struct paths *paths, const struct map *known, const struct call *call,
                struct observed_containers *out, struct error *error)
{
    struct scene scene;
    _cleanup_map_ struct map names = {0};
    int result = scene_read(&scene, paths, call->arena, error);
    if (result < 0)
        return result;
    scene.known = known;
    scene.boot = boot_id(call->arena);
    result = names_from_folder(&scene, &names, error);
    if (result == 0) {
        names_from_sockets(&scene, &names);
        names_from_groups(&scene, &names);
        result = observe_all(&scene, &names, call, out, error);
    }
    scene_close(&scene);
    return result;
}
