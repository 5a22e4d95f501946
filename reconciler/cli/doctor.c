/* doctor: what this host lacks, what that costs, and the command that mends it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "drivers/image/build.h"
#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/cli.h"
#include "reconciler/cli/doctor.h"
#include "reconciler/pool.h"
#include "reconciler/rebuild.h"

void doctor_check(struct report *report, bool good, const struct finding *finding)
{
    const char *level = good ? "ok" : finding->fatal ? "missing" : "warning";
    report->fatal += !good && finding->fatal;
    report->warnings += !good && !finding->fatal;
    struct json *item = json_append(report->list, json_new_object());
    json_set(item, "check", json_new_text(finding->what));
    json_set(item, "level", json_new_text(level));
    if (!good) {
        json_set(item, "cost", json_new_text(finding->cost));
        json_set(item, "mend", json_new_text(finding->mend));
    }
    if (report->options->output == OUTPUT_DATA || (good && report->options->quiet))
        return;
    printf("%-8s %s\n", level, good ? finding->what : finding->fault);
    if (!good)
        printf("         costs: %s\n         mend:  %s\n", finding->cost, finding->mend);
}

static bool runs(const char *const *candidates)
{
    for (; *candidates; candidates++)
        if (access(*candidates, X_OK) == 0)
            return true;
    return false;
}

static bool file_contains(const char *path, const char *word)
{
    _cleanup_buffer_ struct buffer text = {0};
    return buffer_read_file(&text, AT_FDCWD, path, 1 << 20, NULL) == 0 && strstr(text.bytes, word);
}

static long number_in(const char *path)
{
    _cleanup_buffer_ struct buffer text = {0};
    return buffer_read_file(&text, AT_FDCWD, path, 64, NULL) == 0 ? strtol(text.bytes, NULL, 10) : -1;
}

static bool kernel_is_recent(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 1));
}

static void check_programs(struct report *report)
{
    const char *const mmdebstrap[] = {"/usr/bin/mmdebstrap", NULL};
    const char *const dnsmasq[] = {"/usr/sbin/dnsmasq", NULL};
    const char *const worker[] = {pool_worker_path(), NULL};
    doctor_check(report, runs(worker),
                 &(struct finding){"fpsync-worker beside fpsync", "no fpsync-worker beside fpsync",
                                   "nothing can be changed", "make install", true});
    doctor_check(report, runs(dnsmasq),
                 &(struct finding){"dnsmasq", "no dnsmasq", "no network can be made",
                                   "apt-get install dnsmasq-base", true});
    doctor_check(report, runs(mmdebstrap),
                 &(struct finding){"mmdebstrap", "no mmdebstrap",
                                   "images with source bootstrap: cannot be made",
                                   "apt-get install mmdebstrap", false});
    doctor_check(report, access("/sbin/mkfs.ext4", X_OK) == 0,
                 &(struct finding){"mkfs.ext4", "no mkfs.ext4", "no volume can have a size",
                                   "apt-get install e2fsprogs", false});
    doctor_check(report, access("/usr/share/lxc/config/common.conf", R_OK) == 0,
                 &(struct finding){"LXC's configuration", "LXC's configuration is not there",
                                   "no container can be made", "apt-get install lxc", true});
}

static void check_kernel(struct report *report)
{
    struct statfs cgroup = {0};
    bool unified = statfs("/sys/fs/cgroup", &cgroup) == 0 && cgroup.f_type == 0x63677270;
    doctor_check(report, kernel_is_recent(),
                 &(struct finding){"Linux 6.1 or later", "a kernel older than Linux 6.1",
                                   "idmapped layers may not work", "boot a newer kernel", true});
    doctor_check(report,
                 file_contains("/proc/filesystems", "overlay") || file_contains("/proc/modules", "overlay"),
                 &(struct finding){"overlay file system", "no overlay file system",
                                   "no container can be made", "modprobe overlay", true});
    doctor_check(report, access("/proc/self/ns/user", F_OK) == 0,
                 &(struct finding){"user namespaces", "no user namespaces", "only privileged containers",
                                   "boot a kernel with CONFIG_USER_NS", false});
    doctor_check(report, unified || access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) == 0,
                 &(struct finding){"cgroup controllers", "no cgroup controllers", "limits have no effect",
                                   "mount cgroup2 at /sys/fs/cgroup", false});
    doctor_check(report, number_in("/proc/sys/fs/inotify/max_user_instances") >= 1024,
                 &(struct finding){"fs.inotify.max_user_instances of 1024 or more",
                                   "fs.inotify.max_user_instances below 1024",
                                   "some dozen systemd guests start and never come up",
                                   "sysctl -w fs.inotify.max_user_instances=8192", false});
    doctor_check(report, file_contains("/sys/kernel/security/lsm", "apparmor"),
                 &(struct finding){"AppArmor", "no AppArmor",
                                   "containers are confined by namespaces and seccomp alone",
                                   "boot with lsm=...,apparmor", false});
}

static void check_disk(struct report *report, const struct session *session)
{
    doctor_check(report, !container_view.io_is_weighed || container_view.io_is_weighed(&session->paths),
                 &(struct finding){"a scheduler that weighs io", "no scheduler that weighs io",
                                   "limits.io_weight has no effect on the store's disk",
                                   "echo bfq > /sys/block/DISK/queue/scheduler", false});
}

static void check_flows(struct report *report, const struct session *session)
{
    doctor_check(report, !network_view.tracks_flows || network_view.tracks_flows(&session->paths),
                 &(struct finding){"a kernel that tells of the flows it tracks",
                                   "the kernel does not tell of the flows it tracks",
                                   "who keeps sending to a port of UDP goes on to where it led before, until "
                                   "nothing was sent for up to two minutes",
                                   "modprobe nf_conntrack_netlink", false});
}

static void check_leftovers(struct report *report, const struct session *session)
{
    struct observed_leftovers left;
    struct error error;
    if (storage_view.dump_leftovers(&session->paths, session->arena, &left, &error) < 0)
        return;
    const char *first = left.count ? snapshot_owner(session->arena, left.items[0].file) : "";
    doctor_check(report, !left.count,
                 &(struct finding){"what was removed is gone",
                                   arena_printf(session->arena, "%s %s%s was removed, and is there in part",
                                                left.count ? left.items[0].kind : "", first,
                                                left.count > 1 ? ", among others," : ""),
                                   "the space that it takes", "fpsync gc, which says what is in the way",
                                   false});
}

static void check_builds(struct report *report, const struct session *session)
{
    struct observed_build seen = {0};
    struct error ignored;
    if (build_view.dump(&session->paths, session->arena, &seen, &ignored) < 0)
        return;
    doctor_check(report, !seen.left_count,
                 &(struct finding){"no build was killed", "a build was killed, and what it ran may go on",
                                   "the memory and processors that it takes", "fpsync gc", false});
}

/* By a failure or a kill. An apply ends what it acts on; a build of the command line is ended by its like, or with its image. */
static const char *unfinished(const struct session *session)
{
    const struct snapshot *snapshot = &session->snapshot;
    const char *list = "";
    struct texts said = {0}; /* who failed again and again has an intent of each time */
    for (size_t i = 0; i < snapshot->intent_count; i++) {
        const struct intent *intent = snapshot->intents[i];
        const char *text =
            intent->kind ? arena_printf(session->arena, "%s %s %s", intent->verb, intent->kind, intent->name)
                         : NULL;
        if (!text || texts_have(&said, text))
            continue;
        *arena_append(session->arena, said.items, said.count) = text;
        list = arena_printf(session->arena, "%s%s %s", list, *list ? "," : ":", text);
    }
    return list;
}

/* Before anything was made as well: a root that mktemp(1) made is closed. */
static void check_folders(struct report *report, const struct session *session)
{
    const char *closed =
        container_view.closed_folder
            ? container_view.closed_folder(&session->paths, session->lease_rules.id_first, session->arena)
            : NULL;
    doctor_check(report, !closed,
                 &(struct finding){"folders on the way to containers let their ids pass",
                                   arena_printf(session->arena, "%s is closed to the ids of containers",
                                                closed ? closed : ""),
                                   "no container starts, and no RUN of a build",
                                   arena_printf(session->arena, "chmod o+x %s", closed ? closed : ""), true});
}

/* They stay where an older fpsync mounted them until their containers start anew, or go. */
static void check_roots(struct report *report, const struct session *session)
{
    const struct observed_storage *storage = &session->world.storage;
    _cleanup_buffer_ struct buffer names = {0};
    for (size_t i = 0; i < storage->root_count; i++)
        if (storage->roots[i].open)
            buffer_printf(&names, "%s%s", names.length ? ", " : "", storage->roots[i].lxc_name);
    _cleanup_buffer_ struct buffer fault = {0};
    buffer_printf(&fault, "the roots of %s lie open to the host's users", names.length ? names.bytes : "");
    doctor_check(report, !names.length,
                 &(struct finding){"roots of containers are closed to the host's users", fault.bytes,
                                   "they read what is readable in there, and run what is setuid",
                                   "fpsync restart each of them; of one that has ended: umount -R its root",
                                   false});
}

static void check_record(struct report *report)
{
    if (geteuid() != 0)
        return;
    _cleanup_session_ struct session session = {.options = report->options, .lock = -1};
    struct error error = {0};
    bool good = session_open(report->options, SESSION_READ, &session, &error) >= 0;
    doctor_check(report, good,
                 &(struct finding){"the record can be read", "the record cannot be read", error.text,
                                   "restore it from a backup", true});
    if (!good || session_look(&session, &error) < 0)
        return;
    doctor_check_firewall(report, &session);
    doctor_check_networks(report, &session);
    check_folders(report, &session);
    check_roots(report, &session);
    check_disk(report, &session);
    check_flows(report, &session);
    check_leftovers(report, &session);
    check_builds(report, &session);
    const char *lost = "apply refuses: marked objects exist without a record";
    doctor_check(report, session.snapshot.record_count || !world_has_marked(&session.world),
                 &(struct finding){"marked objects are on record", "marked objects are not on record", lost,
                                   "fpsync doctor --rebuild -f FILE, with the files that declare them",
                                   true});
    doctor_check(
        report, !session.snapshot.intent_count,
        &(struct finding){
            "what was begun is finished",
            arena_printf(session.arena, "begun, and failed or cut off%s", unfinished(&session)),
            "something may be half done",
            "fpsync apply or build, of what declares it; fpsync image gc drops images that nothing does",
            false});
}

static void print_rebuilt(const struct options *options, const struct rebuilt *rebuilt)
{
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        struct json *restored = json_set(object, "restored", json_new_array());
        for (size_t i = 0; i < rebuilt->restored.count; i++)
            json_append(restored, json_new_text(rebuilt->restored.items[i]));
        struct json *left = json_set(object, "left", json_new_array());
        for (size_t i = 0; i < rebuilt->left.count; i++)
            json_append(left, json_new_text(rebuilt->left.items[i]));
        print_data(options, object);
        return;
    }
    for (size_t i = 0; i < rebuilt->restored.count; i++)
        printf("%s%s\n", rebuilt->restored.items[i],
               options->output == OUTPUT_NAME ? "" : ": on record again");
    for (size_t i = 0; i < rebuilt->left.count && options->output == OUTPUT_TABLE; i++)
        printf("%s carries fpsync's mark, and no file given declares it: name that file with -f, too\n",
               rebuilt->left.items[i]);
    if (!rebuilt->restored.count && !rebuilt->left.count && options->output == OUTPUT_TABLE &&
        !options->quiet)
        printf("Nothing to rebuild: all that exists is on record.\n");
}

/* SEMANTICS 46: touches nothing but the record. */
static int rebuild(const struct options *options)
{
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    struct rebuilt rebuilt;
    struct error error = {0};
    int result = session_open(options, SESSION_WRITE, &session, &error);
    if (result < 0)
        return fail(options, &error, result == -EWOULDBLOCK ? EXIT_LOCKED : EXIT_ERROR);
    result = session_load(&session, &error);
    if (session.problems.count)
        return fail_invalid(options, &session.problems);
    if (result >= 0)
        result = session_look(&session, &error);
    if (result >= 0)
        result = session_write(&session, &error);
    if (result >= 0)
        result = rebuild_record(&session, &rebuilt, &error);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    print_rebuilt(options, &rebuilt);
    return rebuilt.left.count ? EXIT_SOME_FAILED : EXIT_IN_SYNC;
}

int run_doctor(const struct options *options)
{
    if (options->rebuild)
        return geteuid() == 0 ? rebuild(options) : needs_root(options, "doctor --rebuild");
    struct report report = {.list = json_new_array(), .options = options};
    check_programs(&report);
    check_kernel(&report);
    check_record(&report);
    if (options->output == OUTPUT_DATA) {
        print_list(options, "checks", report.list);
    } else {
        json_free(report.list);
        printf("%zu missing, %zu warnings\n", report.fatal, report.warnings);
    }
    return report.fatal ? EXIT_ERROR : EXIT_IN_SYNC;
}
