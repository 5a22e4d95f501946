/* Measures the network work of one NIC more for a running container: a veth into its namespace and a bridge, marked, with
 * MAC, address and default route, as the worker does it.
 *
 *   nic ROOT PID START COUNT     prints microseconds, one line a NIC
 *
 * Run by tests/bench/run. The bridge and the NICs that it makes are its own and are gone when it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "drivers/network/network.h"
#include "lib/error.h"

#define MARK    "fpsync bench bench/nic"
#define NETWORK "bench/net"

struct bench {
    struct paths paths;
    struct call call;
    char bridge[PATHS_IFNAME_SIZE], port[PATHS_IFNAME_SIZE];
    struct port_attach request;
    struct error error;
};

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int make_bridge(struct bench *bench)
{
    const struct bridge bridge = {
        .ifname = bench->bridge, .mark = MARK, .address = "198.51.100.1/24", .mac = "02:fe:00:00:00:01"};
    return network_effects.create_bridge(&bench->paths, &bridge, &bench->call, &bench->error);
}

static int measure(struct bench *bench, int count)
{
    const struct link_reference port = {.ifname = bench->port, .mark = MARK};
    int result = 0;
    for (int i = 0; i < count && result >= 0; i++) {
        int64_t began = microseconds();
        result = network_effects.attach_port(&bench->paths, &bench->request, &bench->call, &bench->error);
        if (result >= 0)
            printf("%lld\n", (long long)(microseconds() - began));
        struct error ignored;
        network_effects.delete_port(&bench->paths, &port, &bench->call, &ignored);
    }
    return result;
}

int main(int count, char **arguments)
{
    if (count != 5) {
        fputs("usage: nic ROOT PID START COUNT\n", stderr);
        return EXIT_FAILURE;
    }
    _cleanup_arena_ struct arena *arena = arena_new();
    struct bench bench = {.call = {.arena = arena, .cancel = -1}};
    int result = paths_make(arguments[1], arena, &bench.paths, &bench.error);
    if (result >= 0) {
        paths_bridge(&bench.paths, NETWORK, bench.bridge);
        paths_port(&bench.paths, "bench/nic", NETWORK, bench.port);
        bench.request = (struct port_attach){.ifname = bench.port,
                                             .mark = MARK,
                                             .bridge = bench.bridge,
                                             .init_pid = atoll(arguments[2]),
                                             .init_start = atoll(arguments[3]),
                                             .index = 9,
                                             .mac = "02:fe:00:00:00:02",
                                             .address = "198.51.100.2/24",
                                             .gateway = "198.51.100.1"};
        result = make_bridge(&bench);
    }
    if (result >= 0)
        result = measure(&bench, atoi(arguments[4]));
    struct error ignored;
    const struct link_reference bridge = {.ifname = bench.bridge, .mark = MARK};
    network_effects.delete_bridge(&bench.paths, &bridge, &bench.call, &ignored);
    if (result < 0)
        fprintf(stderr, "nic: %s\n", bench.error.text);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
