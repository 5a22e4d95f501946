/* The container of a RUN, or of a shell in the root of one that failed: its root, its start and its end.
 *
 * The root is mounted as that of any other (drivers/storage/overlay.h). Init is ours and runs nothing, or the image's; commands
 * come in from outside. When they have ended, init is killed: the kernel then ends whatever else runs in its pid namespace
 * before the death is told. From there on nobody can write to the upper. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "drivers/guest/guest_path.h"
#include "drivers/guest/idmap.h"
#include "drivers/image/build_boot.h"
#include "drivers/image/build_output.h"
#include "drivers/image/build_run.h"
#include "drivers/image/build_stubs.h"
#include "drivers/image/build_target.h"
#include "drivers/storage/data.h"
#include "drivers/storage/lower.h"
#include "drivers/storage/overlay.h"
#include "drivers/storage/root.h"
#include "drivers/storage/root_place.h"
#include "drivers/storage/squash.h"
#include "lib/error.h"

#define BOOT_BOUND    60000 /* milliseconds for an image's init to come up */
#define HALT_TIME     30000 /* milliseconds for an image's init to end */
#define CLEAN_TIME    60000 /* for what has to be taken down when the call's own time is over */
#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int mount_root(struct running *running);
static int furnish_root(struct running *running);
static void await_boot(struct running *running);

void build_guest_name(struct running *running)
{
    struct arena *arena = running->call->arena;
    running->id_base = running->request->definition->id_base;
    running->name = build_container_name(running->paths, arena, running->request->place->key);
    running->place = arena_printf(arena, "%s/%s", running->paths->mounts, running->name);
    running->point = arena_printf(arena, "%s/" PATHS_ROOT, running->place);
}

int build_guest_check(const struct build_run *request, struct error *error)
{
    if (request->definition->id_base <=
        0) /* root of a privileged one is root of the host, also for its mounts */
        return error_set(error, -EINVAL, "a command of a build has ids of its own");
    if (request->directory && *request->directory != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", request->directory);
    for (size_t i = 0; i < request->env.count; i++)
        if (!*request->env.items[i].key || strchr(request->env.items[i].key, '='))
            return error_set(error, -EINVAL, "\"%s\" is no name of a variable", request->env.items[i].key);
    return 0;
}

static int check_init(const struct running *running)
{
    _cleanup_close_ int init = running->request->init ? guest_open(running->root, "/sbin/init", 0, NULL) : -1;
    return running->request->init && init == -ENOENT
               ? error_set(running->error, init,
                           "--init boots /sbin/init, and there is none yet: install one in a step before it, "
                           "as by apt-get install systemd-sysv dbus")
               : 0;
}

int build_guest_begin(struct running *running)
{
    int result = mount_root(running);
    if (result == 0)
        result = check_init(running);
    return result < 0 ? result : furnish_root(running);
}

/* ---- the root ---- */

static int make_overlay(struct running *running, const char *store)
{
    struct arena *arena = running->call->arena;
    const char *folder = arena_printf(arena, "%s/build/%s", store, running->making.inside);
    const char *lowers = arena_printf(arena, "%s/" STEP_LOWERS, folder);
    _cleanup_close_ int context = overlay_begin(arena_printf(arena, "%s/upper", folder),
                                                arena_printf(arena, "%s/work", folder), true, running->error);
    if (context < 0)
        return context;
    _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || chdir(lowers) < 0)
        return error_errno(running->error, -errno, "%s", lowers);
    int result = lower_set_paths(context, &running->making.lowers, running->error);
    if (fchdir(before) < 0 && result == 0)
        result = error_errno(running->error, -errno, "cannot leave %s", lowers);
    return result < 0
               ? result
               : overlay_end(context, lowers, running->id_base, running->request->what, running->error);
}

static int attach_root(struct running *running)
{
    int result =
        overlay_attach_store(running->paths, running->place, running->user_namespace, running->error);
    if (result < 0)
        return result;
    const char *inside = arena_join(running->call->arena, running->making.inside, '/', STEP_LOWERS);
    const char *lowers = arena_printf(running->call->arena, "%s/build/%s", running->place, inside);
    const char *own = arena_join(running->call->arena, running->paths->build, '/', inside);
    result = squash_attach(own, lowers, &running->making.lowers, running->user_namespace, running->error);
    _cleanup_close_ int overlay = result < 0 ? result : make_overlay(running, running->place);
    int detached = overlay_detach_store(running->place, overlay < 0 ? NULL : running->error);
    if (overlay < 0 || detached < 0)
        return overlay < 0 ? overlay : detached;
    return overlay_attach_root(overlay, running->point, running->error);
}

static int mount_root(struct running *running)
{
    _cleanup_user_namespace_ struct user_namespace ids = NO_USER_NAMESPACE;
    int result = folder_make(running->paths->mounts, 0711, running->error);
    if (result == 0)
        result = user_namespace_make(&ids, running->id_base, running->error);
    if (result == 0)
        result = root_place_make(running->place, running->id_base, running->error);
    if (result < 0)
        return result;
    running->user_namespace = ids.fd;
    result = attach_root(running);
    if (result == 0) {
        running->root = open(running->point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = running->root < 0 ? error_errno(running->error, -errno, "%s", running->point) : 0;
    }
    if (result == 0)
        result = build_mounts_make(running);
    running->user_namespace = -1;
    return result;
}

/* What LXC mounts on, and our init; the folder that the command begins in stays. */
static int furnish_root(struct running *running)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    struct arena *arena = running->call->arena;
    const char *directory = running->request->directory;
    int result = 0;
    running->asks_for_id = build_boot_asks(running->root, running->request->init);
    build_stubs_note(running->root, "/.fpsync/init", arena, &running->stubs);
    if (!running->request->init)
        result = root_mount_init(running->root, running->id_base, running->error);
    _cleanup_identity_ struct identity identity = {0};
    if (result == 0)
        result = identity_take(&identity, running->id_base, running->error);
    for (size_t i = 0; result == 0 && i < sizeof(places) / sizeof(*places); i++) {
        build_stubs_note(running->root, places[i], arena, &running->stubs);
        _cleanup_close_ int made = guest_open_folder(running->root, places[i], running->error);
        result = made < 0 ? made : 0;
    }
    if (result < 0 || !directory || strcmp(directory, "/") == 0)
        return result;
    _cleanup_close_ int made = build_target_folder(running->root, directory, NULL, running->error);
    return made < 0 ? made : 0;
}

/* ---- what runs in it ---- */

int build_guest_start(struct running *running, struct container_started *started)
{
    struct arena *arena = running->call->arena;
    struct container_definition definition = *running->request->definition;
    struct container_start start = *running->request->start;
    struct container_defined defined = {0};
    definition.lxc_name = start.lxc_name = running->name;
    definition.root = running->place;
    definition.env = (struct pairs){0};
    definition.command = (struct texts){0};
    definition.passing = true;
    start.id_base = running->id_base;
    if (!definition.uid)
        definition.uid = arena_strndup(arena, running->request->place->key, 24);
    if (!running->request->init)
        *arena_append(arena, definition.command.items, definition.command.count) =
            ""; /* an init of ours, idle */
    int result =
        container_effects.define(running->paths, &definition, running->call, &defined, running->error);
    if (result == 0)
        result = container_effects.start(running->paths, &start, running->call, started, running->error);
    for (size_t i = 0; result == 0 && i < running->request->ports.count; i++)
        result = network_effects.mark_port(running->paths, running->request->ports.items[i], running->call,
                                           running->error);
    if (result == 0 && running->request->init)
        await_boot(running);
    return result;
}

/* systemd says when it is done booting, once it can be asked; of another init nobody knows. What comes of it is not the
 * command's affair, which begins in any case after BOOT_BOUND: without its bus systemd is asked in vain. */
static char await_systemd[] = "case $(readlink -f /sbin/init) in */systemd) ;; *) exit ;; esac\n"
                              "while :; do\n"
                              "    case $(systemctl is-system-running --wait 2>/dev/null) in\n"
                              "    running | degraded | maintenance | stopping) exit ;;\n"
                              "    esac\n"
                              "    sleep 0.1\n"
                              "done\n";

static void await_boot(struct running *running)
{
    char *const argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, await_systemd, NULL};
    char *environment[] = {(char[]){"PATH=" STANDARD_PATH}, NULL};
    struct build_output *ignored = arena_new_of(running->call->arena, struct build_output);
    struct call silent = *running->call, bounded = *running->call;
    silent.progress = NULL;
    const int64_t until = now_milliseconds() + BOOT_BOUND;
    bounded.deadline = bounded.deadline && bounded.deadline < until ? bounded.deadline : until;
    *ignored = (struct build_output){.call = &silent, .log = NO_BUILD_LOG};
    const struct container_command command = {.lxc_name = running->name,
                                              .argv = argv,
                                              .environment = environment,
                                              .directory = "/",
                                              .line = build_output_hear,
                                              .context = ignored};
    if (container_run(running->paths, &command, &bounded, NULL) == -ETIMEDOUT &&
        call_check(running->call) == 0 && running->call->progress)
        running->call->progress(running->call->context,
                                "its init has not come up within a minute: the command begins all the same");
}

int build_guest_command(struct running *running, const struct texts *words,
                        struct build_environment *environment, struct container_command *command)
{
    struct arena *arena = running->call->arena;
    struct build_user user;
    int result = build_user_find(running->root, running->request->user, 0, arena, &user, running->error);
    if (result < 0)
        return result;
    int64_t *groups = arena_array_of(arena, int64_t, user.group_count + 1);
    groups[0] = user.gid;
    for (size_t i = 0; i < user.group_count; i++)
        groups[i + 1] = user.groups[i];
    char **argv = arena_array_of(arena, char *, words->count + 1);
    for (size_t i = 0; i < words->count; i++)
        argv[i] = arena_strdup(arena, words->items[i]);
    argv[words->count] = NULL;
    result = build_environment_make(running, &user, environment);
    *command = (struct container_command){
        .lxc_name = running->name,
        .argv = argv,
        .environment = environment->items,
        .uid = user.uid,
        .gid = user.gid,
        .groups = groups,
        .group_count = user.group_count + 1,
        .directory = running->request->directory ? running->request->directory : "/",
    };
    return result;
}

int build_guest_halt(struct running *running)
{
    const struct container_stop halt = {.lxc_name = running->name,
                                        .timeout = HALT_TIME,
                                        .halt_signal = running->request->definition->halt_signal};
    return running->request->init
               ? container_effects.stop(running->paths, &halt, running->call, running->error)
               : 0;
}

/* ---- the end ---- */

/* Also when the call's own time is over. */
static struct call cleaning(const struct running *running)
{
    return (struct call){
        .arena = running->call->arena, .cancel = -1, .deadline = now_milliseconds() + CLEAN_TIME};
}

static int stop_container(const struct running *running, struct error *error)
{
    const struct call call = cleaning(running);
    const struct container_stop stop = {.lxc_name = running->name};
    return container_effects.stop(running->paths, &stop, &call, error);
}

/* Nothing of it runs when this returns, and its root is mounted nowhere. */
int build_guest_end(struct running *running, const struct container_started *started, struct error *error)
{
    const struct call call = cleaning(running);
    const struct root_reference root = {.lxc_name = running->name};
    int result = started->init_pid ? container_end(started, &call, error)
                                   : stop_container(running, error); /* it may have come half way */
    cleanup_close(&running->root);
    if (result == 0 && storage_effects.unmount_root(running->paths, &root, &call, NULL) < 0 &&
        (result = stop_container(running, error)) == 0) /* its monitor was holding it */
        result = storage_effects.unmount_root(running->paths, &root, &call, error);
    if (result < 0)
        return result;
    _cleanup_close_ int upper =
        openat(running->making.folder, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper >= 0)
        build_stubs_remove(upper, &running->stubs);
    if (upper >= 0 && running->asks_for_id)
        build_boot_forget(upper);
    return 0;
}

int build_guest_remove(const struct running *running, struct error *error)
{
    const struct call call = cleaning(running);
    const struct container_reference container = {.lxc_name = running->name};
    int result = stop_container(running, error);
    return result < 0 ? result : container_effects.destroy(running->paths, &container, &call, error);
}

void build_guest_release(struct running *running)
{
    cleanup_close(&running->root);
    for (size_t i = 0; i < running->lock_count; i++)
        close(running->locks[i]);
    running->lock_count = 0;
}
