/* Measures the storage work of one container more from an image that is in the store: layer made, root mounted, a
 * file written into it, as the worker does it before a start.
 *
 *   storage ROOT DIGEST COUNT     prints microseconds, one line a container
 *
 * and of a volume into a container that runs, half of them read-only, as the worker does it for a live change.
 *
 *   storage ROOT LXCNAME PID START COUNT     prints microseconds, one line a volume
 *
 * Run by tests/bench/run. The roots, layers and volumes it makes are its own and are gone when it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "drivers/storage/storage.h"
#include "lib/error.h"

#define ID_BASE 0x70000000

struct bench {
    struct paths paths;
    struct call call;
    const char *digest;
    struct error error;
};

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int fail(const struct bench *bench)
{
    fprintf(stderr, "storage: %s\n", bench->error.text);
    return EXIT_FAILURE;
}

static char *name_of(const struct bench *bench, int index)
{
    return arena_printf(bench->call.arena, "bench_c%d", index);
}

static struct root_mount *request_of(const struct bench *bench, int index)
{
    struct root_file *hosts = described_new(bench->call.arena, &root_file_table);
    hosts->path = "/etc/hosts";
    hosts->content = "127.0.0.1 localhost\n";
    hosts->mode = 0644;
    struct root_mount *request = described_new(bench->call.arena, &root_mount_table);
    request->lxc_name = request->layer = name_of(bench, index);
    request->digest = bench->digest;
    request->id_base = ID_BASE;
    *arena_append(bench->call.arena, request->files.items, request->files.count) = hosts;
    return request;
}

static int measure(struct bench *bench, int count)
{
    for (int i = 0; i < count; i++) {
        const struct root_mount *request = request_of(bench, i);
        int64_t began = microseconds();
        if (storage_effects.mount_root(&bench->paths, request, &bench->call, &bench->error) < 0)
            return -1;
        printf("%lld\n", (long long)(microseconds() - began));
    }
    return 0;
}

static int clean(struct bench *bench, int count)
{
    int result = 0;
    for (int i = 0; i < count; i++) {
        const struct root_reference root = {.lxc_name = name_of(bench, i)};
        const struct data_reference layer = {.file = root.lxc_name};
        if (storage_effects.unmount_root(&bench->paths, &root, &bench->call, &bench->error) < 0 ||
            storage_effects.delete_layer(&bench->paths, &layer, &bench->call, &bench->error) < 0)
            result = -1;
    }
    return result;
}

static int attach_one(struct bench *bench, struct volume_attach *request)
{
    int64_t began = microseconds();
    int result = storage_effects.attach_volume(&bench->paths, request, &bench->call, &bench->error);
    int64_t took = microseconds() - began;
    if (result == 0)
        printf("%lld\n", (long long)took);
    const struct data_reference volume = {.file = request->file};
    if (storage_effects.detach_volume(&bench->paths, request, &bench->call, &bench->error) < 0 ||
        storage_effects.delete_volume(&bench->paths, &volume, &bench->call, &bench->error) < 0)
        return -1;
    return result;
}

static int measure_live(struct bench *bench, char **arguments, int count)
{
    for (int i = 0; i < count; i++) {
        struct volume_attach request = {.lxc_name = arguments[2],
                                        .init_pid = atoll(arguments[3]),
                                        .init_start = atoll(arguments[4]),
                                        .path = arena_printf(bench->call.arena, "/srv/bench/%d", i),
                                        .file = name_of(bench, i),
                                        .type = "dir",
                                        .read_only = i % 2,
                                        .fill = true};
        if (attach_one(bench, &request) < 0)
            return -1;
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 4 && count != 6) {
        fputs("usage: storage ROOT DIGEST COUNT | storage ROOT LXCNAME PID START COUNT\n", stderr);
        return EXIT_FAILURE;
    }
    _cleanup_arena_ struct arena *arena = arena_new();
    struct bench bench = {.call = {.arena = arena, .cancel = -1}, .digest = arguments[2]};
    int wanted = atoi(arguments[count - 1]);
    if (paths_make(arguments[1], arena, &bench.paths, &bench.error) < 0)
        return fail(&bench);
    if (count == 6)
        return measure_live(&bench, arguments, wanted) < 0 ? fail(&bench) : EXIT_SUCCESS;
    int measured = measure(&bench, wanted);
    if (measured < 0)
        fail(&bench);
    return clean(&bench, wanted) < 0 ? fail(&bench) : measured < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
