/* What really passes: frames and connections between the host, guests of two networks and somebody outside, with
 * bridge-nf-call-iptables off and on. Rules are judged by packets, not by reading them. */
#include "tests/unit/network_world.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <time.h>

#define PATIENCE 2000 /* ms for what must arrive */
#define REFUSAL  150  /* ms for a connection that must not */

/* web and db share the network front, other is alone in back, outside is no guest: a neighbour of the host. */
enum who { WEB, DB, OTHER, GUESTS };

static struct world world;
static char bridges[2][PATHS_IFNAME_SIZE], ports[GUESTS][PATHS_IFNAME_SIZE];
static struct guest guests[GUESTS], outside;
static const char *const macs[] = {"02:fb:00:00:01:01", "02:fb:00:00:01:02", "02:fb:00:00:01:03"};
static const char *const addresses[] = {"10.30.0.10", "10.30.0.11", "10.31.0.10"};
static const char *const bridge_macs[] = {"02:fb:00:00:00:01", "02:fb:00:00:00:02"};

static struct sockaddr_in at(const char *address, int port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, address, &name.sin_addr), 1);
    return name;
}

/* ---- connections ---- */

static int listener(const struct guest *guest, int port)
{
    int fd = guest_socket(guest, AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in name = at("0.0.0.0", port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static bool wait_for(int fd, short events, int patience)
{
    struct pollfd ready = {.fd = fd, .events = events};
    return poll(&ready, 1, patience) > 0;
}

/* Connects `from` (NULL: the host) to address:port and has a byte echoed by whoever accepts on `server`. False when
 * nothing comes of it in time. `seen` receives the client's address as the server sees it. */
static bool echo(const struct guest *from, const char *address, int port, int server,
                 char seen[INET_ADDRSTRLEN], int patience)
{
    struct sockaddr_in name = at(address, port), peer;
    socklen_t size = sizeof(peer);
    char byte = 'x';
    int client = guest_socket(from, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), failure = 0, accepted = -1;
    socklen_t failure_size = sizeof(failure);
    bool done = false;
    if (connect(client, (struct sockaddr *)&name, sizeof(name)) < 0 && errno != EINPROGRESS)
        goto over;
    if (!wait_for(client, POLLOUT, patience) ||
        getsockopt(client, SOL_SOCKET, SO_ERROR, &failure, &failure_size) < 0 || failure)
        goto over;
    if (!wait_for(server, POLLIN, PATIENCE))
        goto over;
    accepted = accept4(server, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
    if (seen)
        inet_ntop(AF_INET, &peer.sin_addr, seen, INET_ADDRSTRLEN);
    done = send(client, &byte, 1, 0) == 1 && wait_for(accepted, POLLIN, PATIENCE) &&
           read(accepted, &byte, 1) == 1 && send(accepted, &byte, 1, 0) == 1 &&
           wait_for(client, POLLIN, PATIENCE) && read(client, &byte, 1) == 1;
over:
    if (accepted >= 0)
        close(accepted);
    close(client);
    return done;
}

static void assert_connects(const struct guest *from, const char *address, int port, int server,
                            const char *seen_as)
{
    char seen[INET_ADDRSTRLEN] = "";
    if (!echo(from, address, port, server, seen, PATIENCE))
        fail_msg("%s:%d does not answer", address, port);
    if (seen_as)
        assert_string_equal(seen, seen_as);
}

static void assert_blocked(const struct guest *from, const char *address, int port, int server)
{
    if (echo(from, address, port, server, NULL, REFUSAL))
        fail_msg("%s:%d answers", address, port);
}

/* ---- frames ---- */

struct frame {
    unsigned char bytes[256];
    size_t size;
};

static uint64_t next_marker = 0x6670736e63000000;

static void put_mac(unsigned char *into, const char *text)
{
    assert_int_equal(sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", into, into + 1, into + 2, into + 3,
                            into + 4, into + 5),
                     6);
}

static void put_type(struct frame *frame, const char *to, const char *from, unsigned type)
{
    memset(frame, 0, sizeof(*frame));
    put_mac(frame->bytes, to);
    put_mac(frame->bytes + 6, from);
    frame->bytes[12] = (unsigned char)(type >> 8);
    frame->bytes[13] = (unsigned char)type;
    frame->size = 14;
}

static struct frame arp(const char *from, const char *sender_mac, const char *sender, const char *target,
                        int operation)
{
    struct frame frame;
    put_type(&frame, "ff:ff:ff:ff:ff:ff", from, ETH_P_ARP);
    unsigned char *body = frame.bytes + 14;
    memcpy(body, (unsigned char[]){0, 1, 8, 0, 6, 4, 0, (unsigned char)operation}, 8);
    put_mac(body + 8, sender_mac);
    inet_pton(AF_INET, sender, body + 14);
    inet_pton(AF_INET, target, body + 24);
    frame.size += 28;
    return frame;
}

static struct frame udp(const char *to_mac, const char *from_mac, const char *from, const char *to,
                        int source, int port)
{
    struct frame frame;
    put_type(&frame, to_mac, from_mac, ETH_P_IP);
    unsigned char *ip = frame.bytes + 14;
    memcpy(ip, (unsigned char[]){0x45, 0, 0, 58, 0, 1, 0, 0, 64, 17}, 10);
    inet_pton(AF_INET, from, ip + 12);
    inet_pton(AF_INET, to, ip + 16);
    unsigned sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (unsigned)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    ip[10] = (unsigned char)(sum >> 8);
    ip[11] = (unsigned char)sum;
    memcpy(ip + 20,
           (unsigned char[]){(unsigned char)(source >> 8), (unsigned char)source, (unsigned char)(port >> 8),
                             (unsigned char)port, 0, 38},
           6);
    frame.size += 28;
    return frame;
}

/* The same frame behind one or two tags. */
static struct frame tagged(struct frame frame, unsigned outer, unsigned inner)
{
    unsigned tags[] = {outer, inner};
    for (int i = inner ? 1 : 0; i >= 0; i--) {
        memmove(frame.bytes + 16, frame.bytes + 12, frame.size - 12);
        memcpy(frame.bytes + 12,
               (unsigned char[]){(unsigned char)(tags[i] >> 8), (unsigned char)tags[i], 0, 5}, 4);
        frame.size += 4;
    }
    return frame;
}

static struct frame other_type(unsigned type)
{
    struct frame frame;
    put_type(&frame, "ff:ff:ff:ff:ff:ff", macs[WEB], type);
    frame.size += 40;
    return frame;
}

static int open_raw(void *context)
{
    const char *ifname = context;
    struct sockaddr_ll name = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, name.sll_protocol);
    name.sll_ifindex = (int)if_nametoindex(ifname);
    if (fd < 0 || !name.sll_ifindex || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
        return -errno;
    return fd;
}

static int raw(const struct guest *guest, const char *ifname)
{
    int fd = guest ? inside(guest, open_raw, (void *)ifname) : open_raw((void *)ifname);
    assert_true(fd >= 0);
    return fd;
}

/* Ends the frame with a marker of its own, 18 bytes that are padding or payload to everybody else. */
static uint64_t send_frame(int fd, struct frame *frame)
{
    uint64_t marker = ++next_marker;
    memcpy(frame->bytes + frame->size + 10, &marker, sizeof(marker));
    frame->size += 30;
    assert_int_equal(send(fd, frame->bytes, frame->size, 0), (ssize_t)frame->size);
    return marker;
}

/* Reads up to the frame with `until`, which was sent last on the same way, and tells whether `wanted` came before. */
static bool arrives_before(int fd, uint64_t wanted, uint64_t until)
{
    bool found = false;
    for (;;) {
        unsigned char bytes[2048];
        if (!wait_for(fd, POLLIN, PATIENCE))
            fail_msg("the honest frame does not arrive");
        ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
        found |= memmem(bytes, (size_t)size, &wanted, sizeof(wanted)) != NULL;
        if (memmem(bytes, (size_t)size, &until, sizeof(until)))
            return found;
    }
}

/* An honest broadcast that reaches both the neighbour and the host's bridge. */
static struct frame honest(void)
{
    return arp(macs[WEB], macs[WEB], addresses[WEB], addresses[DB], 1);
}

static const struct {
    const char *what;
    bool passes;
} verdicts[] = {
    {"own ARP request", true},
    {"own ARP reply", true},
    {"own packet to the neighbour", true},
    {"own packet to the gateway", true},
    {"DHCP question", true},
    {"ARP reply for the gateway", false},
    {"gratuitous ARP for the neighbour", false},
    {"ARP with a false sender MAC inside", false},
    {"ARP with a false MAC outside", false},
    {"ARP probe without address", false},
    {"ARP of another operation", false},
    {"packet from a false MAC", false},
    {"packet from the neighbour's address", false},
    {"packet from the gateway's address", false},
    {"packet from 127.0.0.1", false},
    {"DHCP question with a false MAC", false},
    {"packet from 0.0.0.0 that is no DHCP", false},
    {"DHCP answer", false},
    {"IPv6", false},
    {"VLAN tag over an own packet", false},
    {"service tag over an own packet", false},
    {"two tags", false},
    {"priority tag", false},
    {"RARP", false},
    {"802.3 length field (LLC)", false},
    {"spanning tree", false},
    {"LLDP", false},
    {"unknown type", false},
};
#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

static struct frame frame_number(size_t number)
{
    const char *all = "ff:ff:ff:ff:ff:ff", *false_mac = "02:fb:00:00:01:99";
    const char *gateway = "10.30.0.1", *gateway_mac = bridge_macs[0];
    struct frame own = udp(all, macs[WEB], addresses[WEB], "10.30.0.255", 4000, 4001);
    switch (number) {
    case 0:
        return arp(macs[WEB], macs[WEB], addresses[WEB], addresses[DB], 1);
    case 1:
        return arp(macs[WEB], macs[WEB], addresses[WEB], addresses[DB], 2);
    case 2:
        return own;
    case 3:
        return udp(gateway_mac, macs[WEB], addresses[WEB], gateway, 4000, 4001);
    case 4:
        return udp(all, macs[WEB], "0.0.0.0", "255.255.255.255", 68, 67);
    case 5:
        return arp(macs[WEB], macs[WEB], gateway, addresses[DB], 2);
    case 6:
        return arp(macs[WEB], macs[WEB], addresses[DB], addresses[DB], 1);
    case 7:
        return arp(macs[WEB], gateway_mac, addresses[WEB], addresses[DB], 2);
    case 8:
        return arp(false_mac, macs[WEB], addresses[WEB], addresses[DB], 1);
    case 9:
        return arp(macs[WEB], macs[WEB], "0.0.0.0", addresses[DB], 1);
    case 10:
        return arp(macs[WEB], macs[WEB], addresses[WEB], addresses[DB], 3);
    case 11:
        return udp(all, false_mac, addresses[WEB], "10.30.0.255", 4000, 4001);
    case 12:
        return udp(all, macs[WEB], addresses[DB], "10.30.0.255", 4000, 4001);
    case 13:
        return udp(all, macs[WEB], gateway, "10.30.0.255", 4000, 4001);
    case 14:
        return udp(all, macs[WEB], "127.0.0.1", "10.30.0.255", 4000, 4001);
    case 15:
        return udp(all, false_mac, "0.0.0.0", "255.255.255.255", 68, 67);
    case 16:
        return udp(all, macs[WEB], "0.0.0.0", "255.255.255.255", 68, 68);
    case 17:
        return udp(all, macs[WEB], addresses[WEB], "255.255.255.255", 67, 68);
    case 18:
        return other_type(ETH_P_IPV6);
    case 19:
        return tagged(own, ETH_P_8021Q, 0);
    case 20:
        return tagged(own, ETH_P_8021AD, 0);
    case 21:
        return tagged(own, ETH_P_8021AD, ETH_P_8021Q);
    case 22:
        own = tagged(own, ETH_P_8021Q, 0);
        own.bytes[15] = 0;
        return own;
    case 23:
        return other_type(ETH_P_RARP);
    case 24:
        return other_type(40);
    case 25:
        put_type(&own, "01:80:c2:00:00:00", macs[WEB], 40);
        own.size += 40;
        return own;
    case 26:
        put_type(&own, "01:80:c2:00:00:0e", macs[WEB], ETH_P_LLDP);
        own.size += 40;
        return own;
    default:
        return other_type(0x88b5);
    }
}

/* Every frame goes out of web's own interface; it is looked for at the neighbour and on the host's bridge. */
static void check_frames(void)
{
    int sender = raw(&guests[WEB], "eth0"), neighbour = raw(&guests[DB], "eth0"),
        host = raw(NULL, bridges[0]);
    for (size_t i = 0; i < VERDICTS; i++) {
        struct frame frame = frame_number(i), last = honest();
        uint64_t marker = send_frame(sender, &frame), until = send_frame(sender, &last);
        bool at_neighbour = arrives_before(neighbour, marker, until);
        bool at_host = arrives_before(host, marker, until);
        if ((at_neighbour || at_host) != verdicts[i].passes)
            fail_msg("%s: %s the neighbour, %s the host", verdicts[i].what,
                     at_neighbour ? "reaches" : "misses", at_host ? "reaches" : "misses");
    }
    close(sender);
    close(neighbour);
    close(host);
}

/* ---- the scene ---- */

static void set_bridge_netfilter(const char *value)
{
    int fd = open("/proc/sys/net/bridge/bridge-nf-call-iptables", O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        skip(); /* a kernel without br_netfilter has nothing to switch on */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, value, 1), 1);
    close(fd);
}

static struct rules *rules_of_the_scene(void)
{
    struct rules *rules = rules_new(world.arena);
    add(world.arena, &rules->networks, rule_network(world.arena, bridges[0], "10.30.0.0/24"));
    add(world.arena, &rules->networks, rule_network(world.arena, bridges[1], "10.31.0.0/24"));
    for (int i = 0; i < GUESTS; i++)
        add(world.arena, &rules->guards, rule_guard(world.arena, ports[i], macs[i], addresses[i]));
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 8080, "tcp", addresses[WEB], 80));
    add(world.arena, &rules->forwards,
        rule_forward(world.arena, "192.0.2.1", 8080, "tcp", addresses[DB], 80));
    add(world.arena, &rules->forwards, rule_forward(world.arena, NULL, 5353, "udp", addresses[WEB], 53));
    sort(&rules->networks);
    sort(&rules->guards);
    sort(&rules->forwards);
    return rules;
}

static void attach(enum who who)
{
    int network = who == OTHER;
    struct port_attach request = {.ifname = ports[who],
                                  .mark = WORLD_MARK "guest",
                                  .bridge = bridges[network],
                                  .init_pid = guests[who].pid,
                                  .init_start = guests[who].start,
                                  .mac = macs[who],
                                  .address = arena_printf(world.arena, "%s/24", addresses[who]),
                                  .gateway = network ? "10.31.0.1" : "10.30.0.1"};
    must(network_effects.attach_port(&world.paths, &request, &world.call, &world.error), &world);
}

static int begin(void **state)
{
    static const char *const names[] = {"shop/web", "shop/db", "shop/other"};
    (void)state;
    world_enter_namespaces();
    world_open(&world);
    paths_bridge(&world.paths, "shop/front", bridges[0]);
    paths_bridge(&world.paths, "shop/back", bridges[1]);
    for (int i = 0; i < 2; i++) {
        struct bridge bridge = {.ifname = bridges[i],
                                .mark = WORLD_MARK "net",
                                .mac = bridge_macs[i],
                                .address = i ? "10.31.0.1/24" : "10.30.0.1/24"};
        must(network_effects.create_bridge(&world.paths, &bridge, &world.call, &world.error), &world);
    }
    for (int i = 0; i < GUESTS; i++) {
        paths_port(&world.paths, names[i], i == OTHER ? "shop/back" : "shop/front", ports[i]);
        guests[i] = guest_new();
    }
    /* Rules first, as in a run: a port never sends unguarded. */
    must(network_effects.set_rules(&world.paths, rules_of_the_scene(), &world.call, &world.error), &world);
    for (int i = 0; i < GUESTS; i++)
        attach((enum who)i);
    outside = guest_new();
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)outside.pid);
    run(NULL, "ip", "link", "set", "lo", "up");
    run(NULL, "ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", pid);
    run(NULL, "ip", "address", "add", "192.0.2.1/24", "dev", "uplink");
    run(NULL, "ip", "link", "set", "uplink", "up");
    run(&outside, "ip", "address", "add", "192.0.2.2/24", "dev", "eth0");
    run(&outside, "ip", "link", "set", "eth0", "up");
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < GUESTS; i++)
        guest_end(&guests[i]);
    guest_end(&outside);
    world_close(&world);
    return 0;
}

/* ---- tests ---- */

static void check_connections(void)
{
    int web = listener(&guests[WEB], 80), db = listener(&guests[DB], 80),
        other = listener(&guests[OTHER], 80);
    int far = listener(&outside, 80), local = listener(NULL, 9000);
    /* Straight: the host to a guest, and guests of one network to each other. */
    assert_connects(NULL, "10.30.0.10", 80, web, "10.30.0.1");
    assert_connects(&guests[DB], "10.30.0.10", 80, web, "10.30.0.11");
    /* Forwards: from outside with the client's own address, from the host by its address and by 127.0.0.1. */
    assert_connects(&outside, "192.0.2.1", 8080, db, "192.0.2.2");
    assert_connects(NULL, "192.0.2.1", 8080, db, NULL);
    assert_connects(NULL, "127.0.0.1", 8080, web, "10.30.0.1");
    assert_connects(NULL, "10.30.0.1", 8080, web, NULL);
    /* A guest by the host's address: to a neighbour, and from the other network. */
    assert_connects(&guests[DB], "10.30.0.1", 8080, web, NULL);
    assert_connects(&guests[OTHER], "10.31.0.1", 8080, web, "10.31.0.10");
    /* Out: under the host's address. */
    assert_connects(&guests[WEB], "192.0.2.2", 80, far, "192.0.2.1");
    assert_connects(&guests[OTHER], "192.0.2.2", 80, far, "192.0.2.1");
    /* Not: from one network to the other. */
    assert_blocked(&guests[WEB], "10.31.0.10", 80, other);
    assert_blocked(&guests[OTHER], "10.30.0.10", 80, web);
    /* A forward is for this host's addresses alone: the port elsewhere is not taken. */
    assert_blocked(&guests[WEB], "192.0.2.2", 8080, web);
    assert_connects(&guests[WEB], "10.30.0.1", 9000, local, "10.30.0.10");
    close(web);
    close(db);
    close(other);
    close(far);
    close(local);
}

static void test_connections_with_plain_bridges(void **state)
{
    (void)state;
    set_bridge_netfilter("0");
    check_connections();
}

static void test_connections_with_bridge_netfilter(void **state)
{
    (void)state;
    set_bridge_netfilter("1");
    check_connections();
}

/* A guest reaches itself by the host's address; with bridge-nf the frame would have to leave by the port it came. */
static void test_guest_reaches_itself_by_a_forward(void **state)
{
    (void)state;
    int web = listener(&guests[WEB], 80);
    set_bridge_netfilter("0");
    assert_connects(&guests[WEB], "10.30.0.1", 8080, web, "10.30.0.1");
    set_bridge_netfilter("1");
    assert_connects(&guests[WEB], "10.30.0.1", 8080, web, "10.30.0.1");
    close(web);
}

static void test_frames_with_plain_bridges(void **state)
{
    (void)state;
    set_bridge_netfilter("0");
    check_frames();
}

static void test_frames_with_bridge_netfilter(void **state)
{
    (void)state;
    set_bridge_netfilter("1");
    check_frames();
}

/* route_localnet would let a guest talk to what listens on the host's 127.0.0.1. */
static void test_guest_cannot_reach_the_hosts_loopback(void **state)
{
    (void)state;
    int sink = guest_socket(NULL, AF_INET, SOCK_DGRAM, 0), sender = raw(&guests[WEB], "eth0");
    int bridge = raw(NULL, bridges[0]);
    struct sockaddr_in name = at("127.0.0.1", 4001);
    assert_int_equal(bind(sink, (struct sockaddr *)&name, sizeof(name)), 0);
    for (int netfilter = 0; netfilter < 2; netfilter++) {
        struct frame frame = udp(bridge_macs[0], macs[WEB], addresses[WEB], "127.0.0.1", 4000, 4001),
                     last = honest();
        set_bridge_netfilter(netfilter ? "1" : "0");
        uint64_t marker = send_frame(sender, &frame), until = send_frame(sender, &last);
        /* Plain, it comes as far as the bridge; else the same chain stops it before. */
        assert_int_equal(arrives_before(bridge, marker, until), !netfilter);
        assert_false(wait_for(sink, POLLIN, REFUSAL));
    }
    close(sink);
    close(sender);
    close(bridge);
}

/* UDP by a forward, with an answer. */
static void test_udp_is_forwarded(void **state)
{
    (void)state;
    int server = guest_socket(&guests[WEB], AF_INET, SOCK_DGRAM, 0);
    int client = guest_socket(&outside, AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = at("0.0.0.0", 53), host = at("192.0.2.1", 5353), peer;
    socklen_t size = sizeof(peer);
    char byte = 'x';
    assert_int_equal(bind(server, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&host, sizeof(host)), 0);
    assert_int_equal(send(client, &byte, 1, 0), 1);
    assert_true(wait_for(server, POLLIN, PATIENCE));
    assert_int_equal(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&peer, &size), 1);
    assert_int_equal(peer.sin_addr.s_addr, inet_addr("192.0.2.2"));
    assert_int_equal(sendto(server, &byte, 1, 0, (struct sockaddr *)&peer, size), 1);
    assert_true(wait_for(client, POLLIN, PATIENCE));
    close(server);
    close(client);
}

/* A port whose guard is missing is mute, and so it is before its first rules and during every replacement: a sender
 * that never pauses gets not one frame through while the rules are set again and again. */
static void test_no_frame_slips_through_an_update(void **state)
{
    (void)state;
    struct frame spoof = arp(macs[WEB], macs[WEB], "10.30.0.1", addresses[DB], 2), last = honest();
    int sender = raw(&guests[WEB], "eth0"), neighbour = raw(&guests[DB], "eth0");
    int size = 1 << 20;
    setsockopt(neighbour, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    uint64_t marker = ++next_marker;
    memcpy(spoof.bytes + spoof.size + 10, &marker, sizeof(marker));
    spoof.size += 30;
    pid_t flood = fork();
    if (flood == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            if (send(sender, spoof.bytes, spoof.size, 0) < 0 && errno != ENOBUFS)
                _exit(1);
    }
    for (int i = 0; i < 20; i++)
        must(network_effects.set_rules(&world.paths, rules_of_the_scene(), &world.call, &world.error),
             &world);
    kill(flood, SIGKILL);
    waitpid(flood, NULL, 0);
    uint64_t until = send_frame(sender, &last);
    assert_false(arrives_before(neighbour, marker, until));

    struct rules *rules = rules_of_the_scene();
    rules->guards.count = 0;
    must(network_effects.set_rules(&world.paths, rules, &world.call, &world.error), &world);
    struct frame mute = honest();
    marker = send_frame(sender, &mute);
    must(network_effects.set_rules(&world.paths, rules_of_the_scene(), &world.call, &world.error), &world);
    last = honest();
    until = send_frame(sender, &last);
    assert_false(arrives_before(neighbour, marker, until));
    close(sender);
    close(neighbour);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_with_plain_bridges),
        cmocka_unit_test(test_connections_with_bridge_netfilter),
        cmocka_unit_test(test_guest_reaches_itself_by_a_forward),
        cmocka_unit_test(test_frames_with_plain_bridges),
        cmocka_unit_test(test_frames_with_bridge_netfilter),
        cmocka_unit_test(test_guest_cannot_reach_the_hosts_loopback),
        cmocka_unit_test(test_udp_is_forwarded),
        cmocka_unit_test(test_no_frame_slips_through_an_update),
    };
    if (geteuid() != 0) {
        puts("1..1\nok 1 - network packets # SKIP needs root");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
