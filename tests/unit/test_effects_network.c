/* The network family against a real kernel: bridges, ports, rules and resolvers, made, seen, damaged and mended. */
#include "tests/unit/network_world.h"

#include "lib/buffer.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <time.h>

static struct world world;
static char front[PATHS_IFNAME_SIZE], back[PATHS_IFNAME_SIZE], third[PATHS_IFNAME_SIZE],
    fourth[PATHS_IFNAME_SIZE], web_port[PATHS_IFNAME_SIZE];

#define FRONT_MAC "02:fb:00:00:00:01"
#define WEB_MAC   "02:fb:00:00:01:01"

static struct bridge front_request(void)
{
    return (struct bridge){
        .ifname = front, .mark = WORLD_MARK "front", .address = "10.30.0.1/24", .mac = FRONT_MAC};
}

static struct observed_network look(void)
{
    struct observed_network seen = {0};
    must(network_view.dump(&world.paths, &world.call, &seen, &world.error), &world);
    return seen;
}

static const struct observed_bridge *bridge_of(const struct observed_network *seen, const char *ifname)
{
    for (size_t i = 0; i < seen->bridge_count; i++)
        if (strcmp(seen->bridges[i].ifname, ifname) == 0)
            return &seen->bridges[i];
    return NULL;
}

static void assert_front_as_asked(void)
{
    struct observed_network seen = look();
    const struct observed_bridge *bridge = bridge_of(&seen, front);
    assert_non_null(bridge);
    assert_true(bridge->is_bridge && bridge->up);
    assert_string_equal(bridge->mark, WORLD_MARK "front");
    assert_string_equal(bridge->address, "10.30.0.1/24");
    assert_string_equal(bridge->mac, FRONT_MAC);
    assert_true(seen.forwards && bridge->forwards && bridge->routes_local);
    bool routed = false;
    for (size_t i = 0; i < seen.route_count; i++)
        routed |=
            strcmp(seen.routes[i].subnet, "10.30.0.0/24") == 0 && strcmp(seen.routes[i].ifname, front) == 0;
    assert_true(routed);
}

static int make_front(void)
{
    struct bridge request = front_request();
    return network_effects.create_bridge(&world.paths, &request, &world.call, &world.error);
}

static int drop_front(const char *mark)
{
    struct link_reference request = {.ifname = front, .mark = mark};
    return network_effects.delete_bridge(&world.paths, &request, &world.call, &world.error);
}

static void test_bridge_is_made_mended_and_removed(void **state)
{
    (void)state;
    must(make_front(), &world);
    assert_front_as_asked();
    must(make_front(), &world);
    run(NULL, "ip", "address", "del", "10.30.0.1/24", "dev", front);
    must(make_front(), &world);
    assert_front_as_asked();
    run(NULL, "ip", "address", "flush", "dev", front);
    run(NULL, "ip", "address", "add", "10.30.0.9/24", "dev", front);
    run(NULL, "ip", "link", "set", front, "down", "address", "02:fb:00:00:00:77");
    must(make_front(), &world);
    assert_front_as_asked();
    run(NULL, "ip", "link", "set", front, "alias", "");
    must(make_front(), &world);
    assert_front_as_asked();
    assert_int_equal(drop_front(WORLD_MARK "other"), -EPERM);
    assert_front_as_asked();
    must(drop_front(WORLD_MARK "front"), &world);
    must(drop_front(WORLD_MARK "front"), &world);
    struct observed_network seen = look();
    assert_null(bridge_of(&seen, front));
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Settings beside the link: each is seen when somebody else turned it off, and nothing but it. */
static void test_bridge_settings_are_seen_and_mended(void **state)
{
    (void)state;
    const char *const settings[] = {"forwarding", "route_localnet"};
    char path[128];
    must(make_front(), &world);
    assert_front_as_asked();
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", front, settings[i]);
        write_file(path, "0");
        struct observed_network seen = look();
        assert_int_equal(bridge_of(&seen, front)->forwards, i != 0);
        assert_int_equal(bridge_of(&seen, front)->routes_local, i != 1);
        assert_true(seen.forwards);
        must(make_front(), &world);
        assert_front_as_asked();
    }
    write_file("/proc/sys/net/ipv4/ip_forward", "0");
    struct observed_network seen = look();
    assert_false(seen.forwards || bridge_of(&seen, front)->forwards);
    must(make_front(), &world);
    assert_front_as_asked();
    must(drop_front(WORLD_MARK "front"), &world);
}

static void test_foreign_bridge_is_left_alone(void **state)
{
    (void)state;
    run(NULL, "ip", "link", "add", front, "type", "bridge");
    run(NULL, "ip", "link", "set", front, "up");
    assert_int_equal(make_front(), -EPERM);
    assert_int_equal(drop_front(WORLD_MARK "front"), -EPERM);
    struct observed_network seen = look();
    const struct observed_bridge *bridge = bridge_of(&seen, front);
    assert_non_null(bridge);
    assert_null(bridge->mark);
    assert_null(bridge->address);
    run(NULL, "ip", "link", "del", front);
    run(NULL, "ip", "link", "add", front, "type", "veth", "peer", "name", "far0");
    assert_int_equal(make_front(), -EPERM);
    run(NULL, "ip", "link", "del", front);
}

/* A crash between the call that makes a bridge and the one that marks it. */
static void test_half_made_bridge_is_finished(void **state)
{
    (void)state;
    run(NULL, "ip", "link", "add", front, "address", FRONT_MAC, "type", "bridge");
    must(make_front(), &world);
    assert_front_as_asked();
    must(drop_front(WORLD_MARK "front"), &world);
}

static void test_bad_requests_change_nothing(void **state)
{
    (void)state;
    struct bridge bad[] = {front_request(), front_request(), front_request(), front_request()};
    bad[0].ifname = "eth0";
    bad[1].address = "10.30.0.1";
    bad[2].mac = "02:fb:00:00:00:1";
    bad[3].mark = "two\nlines";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(network_effects.create_bridge(&world.paths, &bad[i], &world.call, &world.error),
                         -EINVAL);
    struct observed_network seen = look();
    assert_int_equal(seen.bridge_count, 0);
}

/* ---- rules ---- */

static struct rules *example_rules(void)
{
    struct rules *rules = rules_new(world.arena);
    add(world.arena, &rules->networks, rule_network(world.arena, front, "10.30.0.0/24"));
    struct rule_network *shut = rule_network(world.arena, back, "10.31.7.128/25");
    struct rule_network *named = rule_network(world.arena, third, "10.32.0.0/16");
    struct rule_network *routed = rule_network(world.arena, fourth, "10.33.0.0/16");
    shut->isolated = true;
    routed->routed = true;
    named->nat_address = "192.0.2.9";
    field_mark(&rule_network_table, named, offsetof(struct rule_network, nat_address));
    add(world.arena, &rules->networks, shut);
    add(world.arena, &rules->networks, named);
    add(world.arena, &rules->networks, routed);
    struct rule_guard *guard = rule_guard(world.arena, web_port, WEB_MAC, "10.30.0.10");
    guard->router = guard->deaf = true;
    add(world.arena, &rules->guards, guard);
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 8080, "tcp", "10.30.0.10", 80));
    add(world.arena, &rules->forwards, rule_forward(world.arena, "192.0.2.1", 8080, "tcp", "10.30.0.11", 81));
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 53, "udp", "10.30.0.10", 5353));
    add(world.arena, &rules->forwards, rule_forward(world.arena, "192.0.2.1", 65535, "udp", "10.30.0.10", 1));
    add(world.arena, &rules->askers, rule_asker(world.arena, front, "10.30.0.10", "10.30.0.1", "127.64.1.2"));
    add(world.arena, &rules->askers,
        rule_asker(world.arena, back, "10.31.7.130", "10.31.7.129", "127.64.1.2"));
    sort(&rules->networks);
    sort(&rules->forwards);
    return rules;
}

/* To three in place of the one. */
static void share(struct rule_forward *forward)
{
    static const char *const others[] = {"10.30.0.11", "10.30.0.12"};
    const char **items = arena_array_of(world.arena, const char *, 3);
    items[0] = forward->target;
    memcpy(items + 1, others, sizeof(others));
    forward->shared = (struct texts){.items = items, .count = 3};
}

static int set_rules(const struct rules *rules)
{
    return network_effects.set_rules(&world.paths, rules, &world.call, &world.error);
}

static bool equals(const struct rules *left, const struct rules *right)
{
    struct buffer a = {0}, b = {0};
    struct changes changes = {0};
    fields_encode(&rules_table, left, &a);
    fields_encode(&rules_table, right, &b);
    fields_diff(&rules_table, left, right, world.arena, &changes);
    bool same =
        a.length == b.length && (!a.length || memcmp(a.bytes, b.bytes, a.length) == 0) && !changes.count;
    buffer_clear(&a);
    buffer_clear(&b);
    return same;
}

static void test_rules_come_back_as_they_were_set(void **state)
{
    (void)state;
    struct observed_network seen = look();
    assert_false(seen.rules_present);
    assert_non_null(seen.rules);
    struct rules *rules = example_rules();
    for (size_t i = 0; i < rules->forwards.count; i += 2)
        share(rules->forwards.items[i]);
    must(set_rules(rules), &world);
    seen = look();
    assert_true(seen.rules_present);
    assert_true(equals(rules, seen.rules));
    must(set_rules(seen.rules), &world);
    seen = look();
    assert_true(seen.rules_present && equals(rules, seen.rules));
    struct rules *empty = rules_new(world.arena);
    must(set_rules(empty), &world);
    seen = look();
    assert_true(seen.rules_present && equals(empty, seen.rules));
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
    seen = look();
    assert_false(seen.rules_present);
    assert_int_equal(
        run_program(NULL, (const char *const[]){"nft", "list", "table", "ip", world.paths.nft_table, NULL}),
        1);
}

static void test_damaged_rules_are_seen(void **state)
{
    (void)state;
    const char *table = world.paths.nft_table;
    struct rules *rules = example_rules();
    const char *const damage[][12] = {
        {"nft", "flush", "chain", "bridge", table, "port", NULL},
        {"nft", "insert", "rule", "bridge", table, "port", "accept", NULL},
        {"nft", "delete", "element", "ip", table, "bridges", "{", front, "}", NULL},
        {"nft", "flush", "set", "bridge", table, "clients", NULL},
        {"nft", "flush", "set", "ip", table, "askers", NULL},
        {"nft", "delete", "table", "bridge", table, NULL},
        {"nft", "add", "chain", "ip", table, "forward", "{ policy drop; }", NULL},
    };
    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        must(set_rules(rules), &world);
        assert_true(look().rules_present);
        assert_int_equal(run_program(NULL, damage[i]), 0);
        assert_false(look().rules_present);
    }
    must(set_rules(rules), &world);
    run(NULL, "nft", "delete", "element", "ip", table, "tcp_any", "{ 8080 }");
    assert_false(equals(rules, look().rules));
    must(set_rules(rules), &world);
    run(NULL, "nft", "flush", "set", "ip", table, "isolated");
    assert_false(equals(rules, look().rules));
    must(set_rules(rules), &world);
    run(NULL, "nft", "delete", "element", "ip", table, "resolvers", "{", front, ". 10.30.0.10 . 10.30.0.1 }");
    assert_false(equals(rules, look().rules));
    must(set_rules(rules), &world);
    assert_true(look().rules_present && equals(rules, look().rules));
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
}

static void test_failed_update_leaves_the_old_rules(void **state)
{
    (void)state;
    struct rules *rules = example_rules(), *bad = example_rules();
    must(set_rules(rules), &world);
    /* Two targets of one port: the kernel itself refuses, in the middle of the transaction. */
    add(world.arena, &bad->forwards, rule_forward(world.arena, NULL, 8080, "tcp", "10.30.0.99", 80));
    assert_true(set_rules(bad) < 0);
    assert_true(look().rules_present && equals(rules, look().rules));
    struct rules *wrong[] = {example_rules(), example_rules(), example_rules(), example_rules(),
                             example_rules(), example_rules(), example_rules()};
    ((struct rule_network *)wrong[0]->networks.items[0])->bridge = "a\" }; flush ruleset; #";
    ((struct rule_network *)wrong[1]->networks.items[0])->subnet = "10.30.0.1/24";
    ((struct rule_guard *)wrong[2]->guards.items[0])->mac = "02:FB:00:00:01:01";
    ((struct rule_forward *)wrong[3]->forwards.items[0])->target = "10.30.0.10 . 80, 1";
    ((struct rule_forward *)wrong[4]->forwards.items[0])->listen = "9/tcp";
    share(wrong[5]->forwards.items[0]);
    ((struct rule_forward *)wrong[5]->forwards.items[0])->shared.items[2] = "10.30.0.12 . 80, 1";
    ((struct rule_asker *)wrong[6]->askers.items[0])->resolver = "10.30.0.1"; /* where guests can send to */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(set_rules(wrong[i]), -EINVAL);
    assert_true(look().rules_present && equals(rules, look().rules));
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
}

/* ---- ports ---- */

static struct port_attach web_request(const struct guest *guest)
{
    return (struct port_attach){.ifname = web_port,
                                .mark = WORLD_MARK "web",
                                .bridge = front,
                                .init_pid = guest->pid,
                                .init_start = guest->start,
                                .index = 0,
                                .mac = WEB_MAC,
                                .address = "10.30.0.10/24",
                                .gateway = "10.30.0.1"};
}

static int attach_web(const struct guest *guest)
{
    struct port_attach request = web_request(guest);
    return network_effects.attach_port(&world.paths, &request, &world.call, &world.error);
}

static const struct observed_guest *look_inside(const struct guest *guest)
{
    int64_t pid = guest->pid;
    struct observed_guest *out = NULL;
    struct observed_network seen = look();
    must(network_view.dump_guests(&world.paths, &seen, &pid, 1, &world.call, &out, &world.error), &world);
    return out;
}

static void assert_web_as_asked(const struct guest *guest)
{
    const struct observed_guest *seen = look_inside(guest);
    assert_int_equal(seen->count, 1);
    const struct observed_guest_nic *nic = &seen->nics[0];
    assert_string_equal(nic->ifname, "eth0");
    assert_string_equal(nic->peer, web_port);
    assert_string_equal(nic->mac, WEB_MAC);
    assert_true(nic->up);
    assert_int_equal(nic->addresses.count, 1);
    assert_string_equal(nic->addresses.items[0], "10.30.0.10/24");
    assert_string_equal(nic->gateway, "10.30.0.1");
    struct observed_network outside = look();
    assert_int_equal(outside.port_count, 1);
    assert_string_equal(outside.ports[0].ifname, web_port);
    assert_string_equal(outside.ports[0].mark, WORLD_MARK "web");
    assert_string_equal(outside.ports[0].master, front);
    assert_true(outside.ports[0].up);
}

/* Whatever changes a link or an address says so to this socket. */
static int watch_links(void)
{
    int fd = guest_socket(NULL, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
    assert_int_equal(bind(fd, (struct sockaddr *)&groups, sizeof(groups)), 0);
    return fd;
}

static void test_already_so_changes_nothing(void **state)
{
    (void)state;
    struct guest guest = guest_new();
    char byte;
    must(make_front(), &world);
    must(attach_web(&guest), &world);
    int events = watch_links();
    /* The kernel tells of a port's change of state up to a second late: what counts comes after the last of those. */
    struct pollfd told = {.fd = events, .events = POLLIN};
    while (poll(&told, 1, 1500) > 0)
        while (recv(events, &byte, 1, 0) >= 0)
            ;
    struct port_mark mark = {.ifname = web_port, .mark = WORLD_MARK "web"};
    must(make_front(), &world);
    must(attach_web(&guest), &world);
    must(network_effects.mark_port(&world.paths, &mark, &world.call, &world.error), &world);
    assert_int_equal(recv(events, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(events);
    guest_end(&guest);
    must(drop_front(WORLD_MARK "front"), &world);
}

static void test_port_is_attached_mended_and_removed(void **state)
{
    (void)state;
    struct guest guest = guest_new();
    must(make_front(), &world);
    assert_int_equal(look_inside(&guest)->count, 0);
    must(attach_web(&guest), &world);
    assert_web_as_asked(&guest);
    must(attach_web(&guest), &world);
    assert_web_as_asked(&guest);
    assert_true(look().ports[0].hairpin);
    run(NULL, "ip", "link", "set", web_port, "type", "bridge_slave", "hairpin", "off");
    assert_false(look().ports[0].hairpin);
    must(attach_web(&guest), &world);
    assert_true(look().ports[0].hairpin);
    run(&guest, "ip", "link", "set", "eth0", "down");
    run(&guest, "ip", "link", "set", "eth0", "address", "02:fb:00:00:01:99");
    run(&guest, "ip", "address", "flush", "dev", "eth0");
    run(NULL, "ip", "link", "set", web_port, "nomaster", "down");
    must(attach_web(&guest), &world);
    assert_web_as_asked(&guest);
    run(NULL, "ip", "link", "del", web_port);
    must(attach_web(&guest), &world);
    assert_web_as_asked(&guest);

    struct link_reference reference = {.ifname = web_port, .mark = WORLD_MARK "other"};
    assert_int_equal(network_effects.delete_port(&world.paths, &reference, &world.call, &world.error),
                     -EPERM);
    reference.mark = WORLD_MARK "web";
    must(network_effects.delete_port(&world.paths, &reference, &world.call, &world.error), &world);
    must(network_effects.delete_port(&world.paths, &reference, &world.call, &world.error), &world);
    assert_int_equal(look_inside(&guest)->count, 0);
    guest_end(&guest);
    must(drop_front(WORLD_MARK "front"), &world);
}

/* The container was started anew while its old namespace is held by something. */
static void test_port_moves_to_the_new_container(void **state)
{
    (void)state;
    struct guest old = guest_new(), new = guest_new();
    must(make_front(), &world);
    must(attach_web(&old), &world);
    must(attach_web(&new), &world);
    assert_web_as_asked(&new);
    assert_int_equal(look_inside(&old)->count, 0);
    struct guest wrong = {.pid = new.pid, .start = new.start + 1};
    assert_int_equal(attach_web(&wrong), -ESRCH);
    assert_web_as_asked(&new);
    guest_end(&old);
    guest_end(&new);
    assert_int_equal(look_inside(&(struct guest){.pid = 0x7ffffff0})->count, 0);
    must(drop_front(WORLD_MARK "front"), &world);
}

static void test_ports_are_marked(void **state)
{
    (void)state;
    struct guest guest = guest_new();
    struct port_mark request = {.ifname = web_port, .mark = WORLD_MARK "web"};
    assert_int_equal(network_effects.mark_port(&world.paths, &request, &world.call, &world.error), -ENODEV);
    run(NULL, "ip", "link", "add", web_port, "type", "veth", "peer", "name", "far0");
    must(network_effects.mark_port(&world.paths, &request, &world.call, &world.error), &world);
    must(network_effects.mark_port(&world.paths, &request, &world.call, &world.error), &world);
    assert_string_equal(look().ports[0].mark, WORLD_MARK "web");
    request.mark = WORLD_MARK "thief";
    assert_int_equal(network_effects.mark_port(&world.paths, &request, &world.call, &world.error), -EPERM);
    run(NULL, "ip", "link", "del", web_port);
    /* A link of ours by name that nobody marked and that leads nowhere of ours. */
    must(make_front(), &world);
    run(NULL, "ip", "link", "add", web_port, "type", "veth", "peer", "name", "far0");
    assert_int_equal(attach_web(&guest), -EPERM);
    run(NULL, "ip", "link", "del", web_port);
    must(drop_front(WORLD_MARK "front"), &world);
    guest_end(&guest);
}

static void test_listeners_are_seen(void **state)
{
    (void)state;
    run(NULL, "ip", "link", "set", "lo", "up");
    int tcp = guest_socket(NULL, AF_INET, SOCK_STREAM, 0), udp = guest_socket(NULL, AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(7002)};
    assert_int_equal(bind(tcp, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(tcp, 1), 0);
    assert_int_equal(bind(udp, (struct sockaddr *)&any, sizeof(any)), 0);
    struct observed_network seen = look();
    assert_int_equal(seen.listener_count, 2);
    assert_string_equal(seen.listeners[0].protocol, "tcp");
    assert_string_equal(seen.listeners[0].address, "127.0.0.1");
    assert_int_equal(seen.listeners[0].port, 7001);
    assert_string_equal(seen.listeners[1].protocol, "udp");
    assert_null(seen.listeners[1].address);
    assert_int_equal(seen.listeners[1].port, 7002);
    close(tcp);
    close(udp);
}

static void test_subnets_overlap(void **state)
{
    (void)state;
    assert_true(subnets_overlap("10.30.0.0/24", "10.0.0.0/8"));
    assert_true(subnets_overlap("10.30.0.0/24", "10.30.0.0/24"));
    assert_true(subnets_overlap("0.0.0.0/0", "192.0.2.0/24"));
    assert_false(subnets_overlap("10.30.0.0/24", "10.30.1.0/24"));
    assert_false(subnets_overlap("10.30.0.0/25", "10.30.0.128/25"));
}

/* ---- resolver ---- */

static struct resolver_name *resolver_name(const char *container, const char *mac, const char *address,
                                           const char *name)
{
    struct resolver_name *item = described_new(world.arena, &resolver_name_table);
    item->container = container;
    item->mac = mac;
    item->address = address;
    *arena_append(world.arena, item->names.items, item->names.count) = name;
    *arena_append(world.arena, item->names.items, item->names.count) =
        arena_printf(world.arena, "%s.shop.internal", name);
    return item;
}

/* One A question to the resolver; the answer's address, 0 for none. Asks again while the answer is not `wanted`, as
 * dnsmasq takes up changed files on its own time. */
static uint32_t ask(const char *name, uint32_t wanted)
{
    int fd = guest_socket(NULL, AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct timeval patience = {.tv_usec = 100000};
    inet_pton(AF_INET, "10.30.0.1", &server.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&server, sizeof(server)), 0);
    uint32_t found = ~wanted;
    for (int attempt = 0; attempt < 100 && found != wanted; attempt++) {
        unsigned char packet[512] = {0x12, 0x34, 1, 0, 0, 1}, *at = packet + 12;
        for (const char *label = name; *label;) {
            size_t length = strcspn(label, ".");
            *at++ = (unsigned char)length;
            memcpy(at, label, length);
            at += length;
            label += length + (label[length] == '.');
        }
        memcpy(at, "\0\0\1\0\1", 5);
        at += 5;
        if (send(fd, packet, (size_t)(at - packet), 0) < 0)
            continue;
        ssize_t length = recv(fd, packet, sizeof(packet), 0);
        if (length < 12)
            continue;
        found = 0;
        if (packet[7] > 0 && length >= 16)
            memcpy(&found, packet + length - 4, 4);
        if (found != wanted)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    close(fd);
    return found;
}

static void test_resolver_answers_and_ends(void **state)
{
    (void)state;
    struct resolver request = {.network = "shop/front", .bridge = front, .address = "10.30.0.1/24"};
    run(NULL, "ip", "link", "set", "lo", "up");
    must(make_front(), &world);
    add(world.arena, &request.names, resolver_name("shop/db", "02:fb:00:00:01:02", "10.30.0.11", "db"));
    add(world.arena, &request.names, resolver_name("shop/web", WEB_MAC, "10.30.0.10", "web"));
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    struct observed_network seen = look();
    assert_int_equal(seen.resolver_count, 1);
    assert_string_equal(seen.resolvers[0].bridge, front);
    int64_t pid = seen.resolvers[0].pid;
    assert_true(pid > 1);
    char path[256], text[4096] = "", own[64] = "";
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    FILE *file = fopen(path, "re");
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    snprintf(own, sizeof(own), "/fpsync-%s\n", front);
    if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 || access("/sys/fs/cgroup/systemd", F_OK) == 0)
        assert_non_null(strstr(text, own));
    assert_int_equal(ask("web.shop.internal", inet_addr("10.30.0.10")), inet_addr("10.30.0.10"));
    assert_int_equal(ask("db", inet_addr("10.30.0.11")), inet_addr("10.30.0.11"));

    /* The same process takes a changed and a removed name. */
    request.names.count = 0;
    request.names.items = NULL;
    add(world.arena, &request.names, resolver_name("shop/web", WEB_MAC, "10.30.0.20", "web"));
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    assert_int_equal(ask("web", inet_addr("10.30.0.20")), inet_addr("10.30.0.20"));
    assert_int_equal(ask("db.shop.internal", 0), 0);
    assert_int_equal(look().resolvers[0].pid, pid);

    /* Killed, it is seen as gone and started again; a pid file that names something else is not believed. */
    struct pollfd over = {.fd = pidfd_open((pid_t)pid, 0), .events = POLLIN};
    assert_true(over.fd >= 0);
    kill((pid_t)pid, SIGKILL);
    assert_int_equal(poll(&over, 1, 5000), 1);
    close(over.fd);
    snprintf(path, sizeof(path), "%s/%s/dnsmasq.pid", world.paths.networks, front);
    file = fopen(path, "we");
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    assert_int_equal(look().resolvers[0].pid, 0);
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    assert_int_equal(ask("web", inet_addr("10.30.0.20")), inet_addr("10.30.0.20"));

    struct link_reference reference = {.ifname = front, .mark = WORLD_MARK "front"};
    pid = look().resolvers[0].pid;
    must(network_effects.delete_resolver(&world.paths, &reference, &world.call, &world.error), &world);
    must(network_effects.delete_resolver(&world.paths, &reference, &world.call, &world.error), &world);
    assert_int_equal(look().resolver_count, 0);
    must(drop_front(WORLD_MARK "front"), &world);
}

static bool is_alive(int64_t pid)
{
    char path[64], program[256];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    return readlink(path, program, sizeof(program)) > 0; /* a zombie has none */
}

static bool names_are_as_asked(const struct resolver *request, int64_t pid)
{
    _cleanup_buffer_ struct buffer dhcp = {0}, hosts = {0};
    struct observed_network seen = look();
    resolver_texts(&request->names, &dhcp, &hosts);
    assert_int_equal(seen.resolver_count, 1);
    assert_int_equal(seen.resolvers[0].pid, pid);
    return seen.resolvers[0].dhcp && strcmp(seen.resolvers[0].dhcp, dhcp.bytes) == 0 &&
           seen.resolvers[0].hosts && strcmp(seen.resolvers[0].hosts, hosts.bytes) == 0;
}

static const char *part_of(const char *part)
{
    return arena_printf(world.arena, "%s/%s/%s", world.paths.networks, front, part);
}

/* The files of names, changed, removed, added to, removed with their folder: each is seen, and the same dnsmasq has
 * the right names afterwards. What a run left that ended before it told dnsmasq counts as changed. */
static void test_spoiled_names_are_seen_and_mended(void **state)
{
    (void)state;
    struct resolver request = {.network = "shop/front", .bridge = front, .address = "10.30.0.1/24"};
    struct link_reference reference = {.ifname = front, .mark = WORLD_MARK "front"};
    run(NULL, "ip", "link", "set", "lo", "up");
    must(make_front(), &world);
    add(world.arena, &request.names, resolver_name("shop/web", WEB_MAC, "10.30.0.10", "web"));
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    int64_t pid = look().resolvers[0].pid;
    assert_true(names_are_as_asked(&request, pid));
    for (int damage = 0; damage < 7; damage++) {
        switch (damage) {
        case 0:
            write_file(part_of("hosts/names"), "10.30.0.66 web evil\n");
            assert_int_equal(ask("evil", inet_addr("10.30.0.66")), inet_addr("10.30.0.66"));
            break;
        case 1:
            write_file(part_of("dhcp/names"), "");
            break;
        case 2:
            assert_int_equal(unlink(part_of("hosts/names")), 0);
            break;
        case 3:
            write_file(part_of("hosts/more"), "10.30.0.67 more\n");
            assert_int_equal(ask("more", inet_addr("10.30.0.67")), inet_addr("10.30.0.67"));
            break;
        case 4:
            write_file(part_of("changing"), "");
            break;
        default: /* twice: the second time it is a folder that dnsmasq does not watch */
            run(NULL, "rm", "-r", part_of("hosts"), part_of("dhcp"));
        }
        assert_false(names_are_as_asked(&request, pid));
        must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
        assert_true(names_are_as_asked(&request, pid));
        assert_int_equal(ask("web", inet_addr("10.30.0.10")), inet_addr("10.30.0.10"));
        assert_int_equal(ask("evil", 0), 0);
        assert_int_equal(ask("more", 0), 0);
    }
    must(network_effects.delete_resolver(&world.paths, &reference, &world.call, &world.error), &world);
    assert_int_equal(access(part_of(""), F_OK), -1);
    must(drop_front(WORLD_MARK "front"), &world);
}

/* A run may be killed after its dnsmasq has bound the address and before the pid file is there: what is left looks
 * like this, can be found by its control group alone, and must be in nobody's way. */
static void test_half_started_resolver_is_replaced(void **state)
{
    (void)state;
    struct resolver request = {.network = "shop/front", .bridge = front, .address = "10.30.0.1/24"};
    struct link_reference reference = {.ifname = front, .mark = WORLD_MARK "front"};
    char path[256];
    run(NULL, "ip", "link", "set", "lo", "up");
    must(make_front(), &world);
    add(world.arena, &request.names, resolver_name("shop/web", WEB_MAC, "10.30.0.10", "web"));
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    int64_t stray = look().resolvers[0].pid;
    snprintf(path, sizeof(path), "%s/%s/dnsmasq.pid", world.paths.networks, front);
    assert_int_equal(unlink(path), 0);
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    int64_t pid = look().resolvers[0].pid;
    assert_true(pid > 1 && pid != stray);
    assert_false(is_alive(stray));
    assert_int_equal(ask("web", inet_addr("10.30.0.10")), inet_addr("10.30.0.10"));

    assert_int_equal(unlink(path), 0);
    must(network_effects.delete_resolver(&world.paths, &reference, &world.call, &world.error), &world);
    assert_false(is_alive(pid));
}

static int64_t pid_in(const char *path)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    const bool any = fgets(text, sizeof(text), file) != NULL;
    fclose(file);
    return any ? strtoll(text, NULL, 10) : 0;
}

/* The same of a union that nobody wants when the next run comes: only its file says that it was begun. */
static void test_half_started_union_is_ended(void **state)
{
    (void)state;
    struct resolver request = {.network = "shop/front", .bridge = front, .address = "10.30.0.1/24"};
    struct resolver_union *all = described_new(world.arena, &resolver_union_table);
    char path[256], other[PATHS_IFNAME_SIZE];
    struct sockaddr_in taken = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = inet_addr("127.0.0.99")};
    int holder = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    run(NULL, "ip", "link", "set", "lo", "up");
    must(make_front(), &world);
    paths_bridge(&world.paths, "shop/back", other);
    all->address = "127.0.0.99";
    *arena_append(world.arena, all->bridges.items, all->bridges.count) = front;
    *arena_append(world.arena, all->bridges.items, all->bridges.count) = other;
    add(world.arena, &request.unions, described_whole(&resolver_union_table, all));
    snprintf(path, sizeof(path), "%s/%s/unions/127.0.0.99.pid", world.paths.networks, front);

    assert_int_equal(bind(holder, (struct sockaddr *)&taken, sizeof(taken)), 0);
    assert_true(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error) < 0);
    close(holder);
    assert_int_equal(pid_in(path), 0);

    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    const int64_t pid = pid_in(path);
    assert_true(pid > 1 && is_alive(pid));
    assert_int_equal(truncate(path, 0), 0);
    request.unions = (struct list){0};
    must(network_effects.set_resolver(&world.paths, &request, &world.call, &world.error), &world);
    assert_false(is_alive(pid));
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- figures ---- */

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

#define CROWD 50

/* Prints what a run costs; the bound is generous, as the machine may be busy. */
static void test_a_crowd_is_listed_quickly(void **state)
{
    (void)state;
    static struct guest guests[CROWD];
    int64_t pids[CROWD];
    struct rules *rules = rules_new(world.arena);
    double best_dump = 1e9, best_guests = 1e9, best_set = 1e9;
    must(make_front(), &world);
    add(world.arena, &rules->networks, rule_network(world.arena, front, "10.30.0.0/24"));
    for (int i = 0; i < CROWD; i++) {
        char *ifname = arena_alloc(world.arena, PATHS_IFNAME_SIZE);
        char *name = arena_printf(world.arena, "shop/c%d", i);
        paths_port(&world.paths, name, "shop/front", ifname);
        guests[i] = guest_new();
        pids[i] = guests[i].pid;
        struct port_attach request = web_request(&guests[i]);
        request.ifname = ifname;
        request.mac = arena_printf(world.arena, "02:fb:00:00:02:%02x", i);
        request.address = arena_printf(world.arena, "10.30.0.%d/24", i + 10);
        must(network_effects.attach_port(&world.paths, &request, &world.call, &world.error), &world);
        add(world.arena, &rules->guards,
            rule_guard(world.arena, ifname, request.mac, arena_printf(world.arena, "10.30.0.%d", i + 10)));
        add(world.arena, &rules->forwards,
            rule_forward(world.arena, NULL, 8000 + i, "tcp", arena_printf(world.arena, "10.30.0.%d", i + 10),
                         80));
    }
    sort(&rules->guards);
    sort(&rules->forwards);
    for (int i = 0; i < 20; i++) {
        double start = milliseconds();
        must(set_rules(rules), &world);
        double set = milliseconds();
        struct observed_network seen = look();
        double dumped = milliseconds();
        struct observed_guest *inside_all;
        must(network_view.dump_guests(&world.paths, &seen, pids, CROWD, &world.call, &inside_all,
                                      &world.error),
             &world);
        double end = milliseconds();
        assert_true(seen.rules_present && equals(rules, seen.rules));
        assert_int_equal(seen.port_count, CROWD);
        for (int j = 0; j < CROWD; j++)
            assert_true(inside_all[j].count == 1 && inside_all[j].nics[0].peer &&
                        inside_all[j].nics[0].gateway);
        best_set = set - start < best_set ? set - start : best_set;
        best_dump = dumped - set < best_dump ? dumped - set : best_dump;
        best_guests = end - dumped < best_guests ? end - dumped : best_guests;
    }
    print_message("%d containers: dump %.2f ms, guests %.2f ms, set rules %.2f ms (best of 20)\n", CROWD,
                  best_dump, best_guests, best_set);
    assert_true(best_dump < 50);
    for (int i = 0; i < CROWD; i++)
        guest_end(&guests[i]);
    must(network_effects.delete_rules(&world.paths, &world.call, &world.error), &world);
    must(drop_front(WORLD_MARK "front"), &world);
}

/* What a failed test left is gone before the next one begins. */
static int tidy(void **state)
{
    (void)state;
    struct error ignored;
    struct observed_network seen = {0};
    if (network_view.dump(&world.paths, &world.call, &seen, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < seen.resolver_count; i++)
        network_effects.delete_resolver(&world.paths,
                                        &(struct link_reference){.ifname = seen.resolvers[i].bridge},
                                        &world.call, &ignored);
    for (size_t i = 0; i < seen.port_count; i++)
        run_program(NULL, (const char *const[]){"ip", "link", "del", seen.ports[i].ifname, NULL});
    for (size_t i = 0; i < seen.bridge_count; i++)
        run_program(NULL, (const char *const[]){"ip", "link", "del", seen.bridges[i].ifname, NULL});
    network_effects.delete_rules(&world.paths, &world.call, &ignored);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    world_enter_namespaces();
    world_open(&world);
    paths_bridge(&world.paths, "shop/front", front);
    paths_bridge(&world.paths, "shop/back", back);
    paths_bridge(&world.paths, "shop/third", third);
    paths_bridge(&world.paths, "shop/fourth", fourth);
    paths_port(&world.paths, "shop/web", "shop/front", web_port);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subnets_overlap),
        cmocka_unit_test_teardown(test_bridge_is_made_mended_and_removed, tidy),
        cmocka_unit_test_teardown(test_bridge_settings_are_seen_and_mended, tidy),
        cmocka_unit_test_teardown(test_foreign_bridge_is_left_alone, tidy),
        cmocka_unit_test_teardown(test_half_made_bridge_is_finished, tidy),
        cmocka_unit_test_teardown(test_bad_requests_change_nothing, tidy),
        cmocka_unit_test_teardown(test_rules_come_back_as_they_were_set, tidy),
        cmocka_unit_test_teardown(test_damaged_rules_are_seen, tidy),
        cmocka_unit_test_teardown(test_failed_update_leaves_the_old_rules, tidy),
        cmocka_unit_test_teardown(test_already_so_changes_nothing, tidy),
        cmocka_unit_test_teardown(test_port_is_attached_mended_and_removed, tidy),
        cmocka_unit_test_teardown(test_port_moves_to_the_new_container, tidy),
        cmocka_unit_test_teardown(test_ports_are_marked, tidy),
        cmocka_unit_test_teardown(test_listeners_are_seen, tidy),
        cmocka_unit_test_teardown(test_resolver_answers_and_ends, tidy),
        cmocka_unit_test_teardown(test_spoiled_names_are_seen_and_mended, tidy),
        cmocka_unit_test_teardown(test_half_started_resolver_is_replaced, tidy),
        cmocka_unit_test_teardown(test_half_started_union_is_ended, tidy),
        cmocka_unit_test_teardown(test_a_crowd_is_listed_quickly, tidy),
    };
    if (geteuid() != 0) {
        puts("1..1\nok 1 - network effects # SKIP needs root");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
