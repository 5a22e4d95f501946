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

/* What one dump reads once for all containers. */
struct scene {
    const struct paths *paths;
    struct arena *arena;
    const struct map *known; /* of struct known_init, or NULL */
    struct monitor_sockets sockets;
    struct hierarchies hierarchies;
};

static int dump(const struct paths *paths, const struct map *known, const struct call *call,
                struct observed_containers *out, struct error *error);
static int scene_read(struct scene *scene, const struct paths *paths, struct arena *arena,
                      struct error *error);
static int observe(const struct scene *scene, const char *name, struct observed_container *out,
                   struct error *error);

const struct container_view container_view = {.dump = dump, .read_definition = container_read_definition};

int container_look(const struct paths *paths, const char *name, struct arena *arena,
                   struct observed_container *out, struct error *error)
{
    struct scene scene;
    int result = container_check_name(name, error);
    if (result == 0)
        result = scene_read(&scene, paths, arena, error);
    return result < 0 ? result : observe(&scene, name, out, error);
}

/* ---- which names ---- */

static bool carries_tag(const struct paths *paths, const char *name)
{
    size_t length = strlen(name), tag = strlen(paths->tag);
    return !tag || (length > tag + 1 && name[length - tag - 1] == '.' &&
                    strcmp(name + length - tag, paths->tag) == 0);
}

static int names_from_folder(const struct scene *scene, struct map *names, struct error *error)
{
    DIR *folder = opendir(scene->paths->lxc);
    if (!folder && errno == ENOENT)
        return 0;
    if (!folder)
        return error_errno(error, -errno, "cannot read %s", scene->paths->lxc);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) &&
            container_check_name(entry->d_name, NULL) == 0 && carries_tag(scene->paths, entry->d_name))
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
 * container below any lxcpath. The last hierarchy is also the last that a removal comes to. */
static void names_from_groups(const struct scene *scene, struct map *names)
{
    static const char prefix[] = "lxc.";
    if (!*scene->paths->tag || !scene->hierarchies.count)
        return;
    char *tag = arena_printf(scene->arena, ".%s", scene->paths->tag);
    DIR *folder = opendir(scene->hierarchies.items[scene->hierarchies.count - 1].folder);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        const char *end = strstr(entry->d_name, tag);
        const char *start = strncmp(entry->d_name, prefix, sizeof(prefix) - 1) == 0
                                ? strchr(entry->d_name + sizeof(prefix) - 1, '.')
                                : NULL;
        if (!end || !start || start >= end)
            continue;
        char *name = arena_strndup(scene->arena, start + 1, (size_t)(end - start - 1) + strlen(tag));
        if (cgroup_belongs(scene->paths, entry->d_name, name) && container_check_name(name, NULL) == 0)
            map_add(names, name, NULL);
    }
    if (folder)
        closedir(folder);
}

/* ---- the scene ---- */

static int scene_read(struct scene *scene, const struct paths *paths, struct arena *arena,
                      struct error *error)
{
    *scene = (struct scene){.paths = paths, .arena = arena};
    int result = monitor_sockets_read(arena, &scene->sockets, error);
    if (result == 0)
        result = hierarchies_read(arena, &scene->hierarchies, error);
    return result;
}

/* ---- one container ---- */

/* "CODE\n" as our small init wrote it. The guest's root can write there too, so anything else is no exit. */
static void read_exit(const struct scene *scene, struct observed_container *out)
{
    char path[CONTAINER_PATH_SIZE], line[16];
    container_path(scene->paths, out->lxc_name, CONTAINER_HOST_DIR "/exit", path);
    int64_t status;
    if (read_line(AT_FDCWD, path, line, sizeof(line)) < 0 || number_parse(line, &status) < 0 || status < 0 ||
        status > 255)
        return;
    out->exited = true;
    out->exit_status = status;
}

/* Read before the start time is compared: a process that is the same afterwards was so before. */
static bool is_still_init(const struct scene *scene, const struct known_init *known, const char *name,
                          struct buffer *groups)
{
    return known && known->pid > 0 && groups_read((pid_t)known->pid, groups) &&
           process_start((pid_t)known->pid) == known->start &&
           groups_are_of(scene->paths, groups->bytes, name);
}

static void observe_running(const struct scene *scene, const struct monitor_socket *socket,
                            struct observed_container *out)
{
    _cleanup_buffer_ struct buffer groups = {0};
    const struct known_init *known = scene->known ? map_get(scene->known, out->lxc_name) : NULL;
    if (is_still_init(scene, known, out->lxc_name, &groups)) {
        out->init_pid = known->pid;
        out->init_start = known->start;
        limits_of_groups(&scene->hierarchies, groups.bytes, &out->limits);
        return;
    }
    monitor_find(&scene->hierarchies, out->lxc_name, socket, out);
    if (out->init_pid)
        limits_read(&scene->hierarchies, (pid_t)out->init_pid, &out->limits);
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

static int dump(const struct paths *paths, const struct map *known, const struct call *call,
                struct observed_containers *out, struct error *error)
{
    struct scene scene;
    _cleanup_map_ struct map names = {0};
    int result = scene_read(&scene, paths, call->arena, error);
    scene.known = known;
    if (result == 0)
        result = names_from_folder(&scene, &names, error);
    if (result < 0)
        return result;
    names_from_sockets(&scene, &names);
    names_from_groups(&scene, &names);
    struct observed_containers found = {0};
    for (size_t i = 0; i < names.count; i++) {
        struct observed_container one;
        result = call_check(call);
        if (result < 0)
            return error_errno(error, result, "observing containers");
        result = observe(&scene, names.entries[i].key, &one, error);
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
