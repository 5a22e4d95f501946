/* A guest's hand on the wire, for the system tests: linked statically and put into the test image.
 *
 *   netprobe serve-udp PORT [NAME]                answers each datagram with "PEER-ADDRESS TEXT" or "PEER-ADDRESS NAME"
 *   netprobe ask-udp ADDRESS PORT TEXT            prints the answer, fails after 2 s without one
 *   netprobe serve-tcp FIRST LAST                 answers each connection with "PEER-ADDRESS PORT"
 *   netprobe serve-both FIRST LAST                the same and datagrams, too, with "PEER-ADDRESS PORT"
 *   netprobe serve-tcp6 ADDRESS PORT              the same at one address of IPv6
 *   netprobe ask-tcp ADDRESS PORT [FROM-PORT]     prints the answer, fails after 2 s without one
 *   netprobe talk-udp ADDRESS PORT FROM-PORT      sends each line of its input from one socket and prints what is
 *                                                 answered, "refused", or "silence" after 0.5 s
 *   netprobe stream-udp ADDRESS PORT FROM-PORT MILLISECONDS           sends that often for 60 s; prints each answer that
 *                                                 differs from the one before
 *   netprobe ask-dns udp|tcp ADDRESS NAME COUNT [FROM-PORT]           asks from one port, 20 times a second; prints the
 *                                                 address of each answer
 *   netprobe frame IFNAME COUNT DST-MAC SRC-MAC SRC-IP DST-IP TEXT    forges UDP frames
 *   netprobe arp IFNAME COUNT SRC-MAC SENDER-MAC SENDER-IP TARGET-IP  forges ARP replies to everybody
 *   netprobe raw IFNAME COUNT DST-MAC SRC-MAC ETHERTYPE TEXT          any other protocol (VLAN, RARP, ...)
 *   netprobe frame6 IFNAME COUNT DST-MAC SRC-MAC SRC-IP DST-IP FROM-PORT TEXT  forges UDP frames of IPv6
 *   netprobe nd IFNAME COUNT SRC-MAC SRC-IP TYPE TARGET LINK-MAC [behind]  forges neighbour discovery to everybody: of
 *                                                 ICMPv6 type 133-137, "behind" an extension header
 *   netprobe hear IFNAME TEXT                     prints "listening", and how many frames with TEXT came in until its
 *                                                 standard input ended
 *   netprobe hear-arp IFNAME SENDER-IP SENDER-MAC                     the same of such ARP frames
 *   netprobe hear-nd IFNAME TYPE TARGET LINK-MAC                      the same of such neighbour discovery */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "netprobe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void mac_of(const char *text, unsigned char mac[6])
{
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
        die(text);
}

static in_addr_t address_of(const char *text)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1)
        die(text);
    return address.s_addr;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* IPv4 addresses are mapped ones; a guest without IPv6 has only those. */
union peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int serve_at(int type, int port)
{
    union peer here = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)}};
    socklen_t size = sizeof(here.v6);
    int one = 1, zero = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        here.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
        size = sizeof(here.v4);
        fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    } else {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, &here.any, size) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0))
        die("bind");
    return fd;
}

static const char *peer_text(const union peer *peer, char text[INET6_ADDRSTRLEN])
{
    if (peer->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &peer->v4.sin_addr, text, INET6_ADDRSTRLEN);
    else if (IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr))
        inet_ntop(AF_INET, &peer->v6.sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &peer->v6.sin6_addr, text, INET6_ADDRSTRLEN);
    return text;
}

static void answer_datagram(int fd, const char *instead)
{
    char text[256], answer[320], address[INET6_ADDRSTRLEN];
    union peer from;
    socklen_t size = sizeof(from);
    ssize_t length = recvfrom(fd, text, sizeof(text), 0, &from.any, &size);
    if (length < 0)
        die("recvfrom");
    int all = instead
                  ? snprintf(answer, sizeof(answer), "%s %s", peer_text(&from, address), instead)
                  : snprintf(answer, sizeof(answer), "%s %.*s", peer_text(&from, address), (int)length, text);
    sendto(fd, answer, (size_t)all, 0, &from.any, size);
}

static void answer_connection(int listener, int port)
{
    char answer[320], address[INET6_ADDRSTRLEN];
    union peer from;
    socklen_t size = sizeof(from);
    int fd = accept4(listener, &from.any, &size, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int all = snprintf(answer, sizeof(answer), "%s %d\n", peer_text(&from, address), port);
    if (send(fd, answer, (size_t)all, MSG_NOSIGNAL) < 0)
        perror("netprobe: send");
    close(fd);
}

static _Noreturn void serve_udp(const char *port, const char *name)
{
    for (int fd = serve_at(SOCK_DGRAM, atoi(port));;)
        answer_datagram(fd, name);
}

static _Noreturn void serve_range(int first, int last, bool both)
{
    const int count = last - first + 1, all = both ? 2 * count : count;
    const struct rlimit files = {(rlim_t)all + 64, (rlim_t)all + 64};
    struct pollfd *fds = calloc((size_t)all, sizeof(*fds));
    if (count < 1 || !fds || setrlimit(RLIMIT_NOFILE, &files) < 0)
        die("limits");
    for (int i = 0; i < all; i++)
        fds[i] = (struct pollfd){.fd = serve_at(i < count ? SOCK_STREAM : SOCK_DGRAM, first + i % count),
                                 .events = POLLIN};
    for (;;) {
        if (poll(fds, (nfds_t)all, -1) < 0)
            die("poll");
        for (int i = 0; i < all; i++) {
            char port[16];
            snprintf(port, sizeof(port), "%d", first + i % count);
            if (fds[i].revents && i < count)
                answer_connection(fds[i].fd, first + i);
            else if (fds[i].revents)
                answer_datagram(fds[i].fd, port);
        }
    }
}

static _Noreturn void serve_tcp6(const char *address, int port)
{
    union peer here = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)}};
    int one = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET6, address, &here.v6.sin6_addr) != 1 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ||
        bind(fd, &here.any, sizeof(here.v6)) < 0 || listen(fd, 8) < 0)
        die(address);
    for (;;)
        answer_connection(fd, port);
}

static int connect_to(int type, const char *address, const char *port, const char *from)
{
    union peer there = {0}, here = {0};
    socklen_t size;
    if (inet_pton(AF_INET, address, &there.v4.sin_addr) == 1) {
        there.v4.sin_family = here.v4.sin_family = AF_INET;
        size = sizeof(there.v4);
    } else if (inet_pton(AF_INET6, address, &there.v6.sin6_addr) == 1) {
        there.v6.sin6_family = here.v6.sin6_family = AF_INET6;
        size = sizeof(there.v6);
    } else {
        die(address);
    }
    there.v4.sin_port = htons((in_port_t)atoi(port)); /* at the same place in both */
    here.v4.sin_port = htons((in_port_t)(from ? atoi(from) : 0));
    const struct timeval patience = {.tv_sec = 2};
    int one = 1, fd = socket(there.any.sa_family, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* of connect, too */
    if (fd < 0 || (from && bind(fd, &here.any, size) < 0) || connect(fd, &there.any, size) < 0)
        die("connect");
    return fd;
}

static int ask_tcp(const char *address, const char *port, const char *from)
{
    char answer[320];
    int fd = connect_to(SOCK_STREAM, address, port, from);
    ssize_t length = recv(fd, answer, sizeof(answer), MSG_WAITALL);
    if (length <= 0)
        return 1;
    printf("%.*s", (int)length, answer);
    return 0;
}

static int ask_udp(const char *address, const char *port, const char *text)
{
    int fd = connect_to(SOCK_DGRAM, address, port, NULL);
    for (int attempt = 0; attempt < 4; attempt++) {
        char answer[320];
        if (send(fd, text, strlen(text), 0) < 0)
            continue;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 500) != 1)
            continue;
        ssize_t length = recv(fd, answer, sizeof(answer), 0);
        if (length < 0)
            continue;
        printf("%.*s\n", (int)length, answer);
        return 0;
    }
    return 1;
}

static size_t put_question(unsigned char *at, const char *name)
{
    unsigned char *end = at + 12;
    memcpy(at, "\0\1\1\0\0\1\0\0\0\0\0\0", 12); /* one question, recursion wanted */
    for (const char *label = name; *label;
         label += strcspn(label, ".") + (label[strcspn(label, ".")] == '.')) {
        *end = (unsigned char)strcspn(label, ".");
        memcpy(end + 1, label, *end);
        end += 1 + *end;
    }
    memcpy(end, "\0\0\1\0\1", 5); /* A, IN */
    return (size_t)(end + 5 - at);
}

/* An answer of one record ends in its address, unless it has more sections. */
static int ask_dns(const char *protocol, const char *address, const char *name, int count, const char *from)
{
    const bool tcp = strcmp(protocol, "tcp") == 0;
    unsigned char question[300], answer[512];
    if (strlen(name) > 250)
        die(name);
    size_t size = put_question(question + 2, name);
    question[0] = 0;
    question[1] = (unsigned char)size;
    int fd = connect_to(tcp ? SOCK_STREAM : SOCK_DGRAM, address, "53", from);
    for (int i = 0; i < count; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (i > 0)
            poll(NULL, 0, 50);
        if (send(fd, tcp ? question : question + 2, tcp ? size + 2 : size, MSG_NOSIGNAL) < 0 ||
            poll(&wait, 1, 500) != 1)
            continue;
        ssize_t length = recv(fd, answer, sizeof(answer), 0);
        const unsigned char *head = tcp ? answer + 2 : answer, *end = answer + length - 4;
        if (length < 20 || head[7] != 1)
            continue;
        printf("%d.%d.%d.%d\n", end[0], end[1], end[2], end[3]);
        fflush(stdout);
    }
    return 0;
}

/* What follows the peer's address in an answer. */
static void hear_answer(int fd, int milliseconds, char out[static 320])
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char answer[320];
    if (poll(&wait, 1, milliseconds) != 1) {
        strcpy(out, "silence");
        return;
    }
    ssize_t length = recv(fd, answer, sizeof(answer) - 1, 0);
    if (length < 0) {
        strcpy(out, errno == ECONNREFUSED ? "refused" : strerror(errno));
        return;
    }
    answer[length] = '\0';
    char *space = strchr(answer, ' ');
    strcpy(out, space ? space + 1 : answer);
}

static int talk_udp(const char *address, const char *port, const char *from)
{
    char line[256], answer[320];
    int fd = connect_to(SOCK_DGRAM, address, port, from);
    while (fgets(line, sizeof(line), stdin)) {
        while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0) /* late ones */
            ;
        /* What was refused is told once more by the next call. */
        if (send(fd, line, strcspn(line, "\n"), 0) < 0 && errno != ECONNREFUSED)
            die("send");
        hear_answer(fd, 500, answer);
        puts(answer);
        fflush(stdout);
    }
    return 0;
}

static int stream_udp(const char *address, const char *port, const char *from, int milliseconds)
{
    char answer[320], last[320] = "";
    int fd = connect_to(SOCK_DGRAM, address, port, from);
    for (long long end = now_ms() + 60000, next = now_ms(); next < end; next += milliseconds) {
        send(fd, "more", 4, 0);
        for (long long left; (left = next + milliseconds - now_ms()) > 0;) {
            hear_answer(fd, (int)left, answer);
            if (!strcmp(answer, "silence") || !strcmp(answer, last))
                continue;
            puts(strcpy(last, answer));
            fflush(stdout);
        }
    }
    return 0;
}

static int packet_socket(const char *ifname, struct sockaddr_ll *where)
{
    *where = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(ifname),
                                  .sll_halen = 6};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (!where->sll_ifindex || fd < 0 || bind(fd, (struct sockaddr *)where, sizeof(*where)) < 0)
        die(ifname);
    return fd;
}

static int send_frames(const char *ifname, int count, const unsigned char *frame, size_t size)
{
    struct sockaddr_ll where;
    int fd = packet_socket(ifname, &where);
    for (int i = 0; i < count; i++) {
        if (sendto(fd, frame, size, 0, (struct sockaddr *)&where, sizeof(where)) < 0 && errno != ENOBUFS)
            die("sendto");
        if (count > 100)
            poll(NULL, 0, 1); /* a stream over seconds, not a burst */
    }
    return 0;
}

static unsigned short checksum(const unsigned char *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (unsigned)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (unsigned short)~sum;
}

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static int forge_udp(char **argv)
{
    unsigned char frame[256] = {0}, *ip = frame + 14, *udp = ip + 20;
    size_t length = strlen(argv[6]);
    mac_of(argv[2], frame);
    mac_of(argv[3], frame + 6);
    put16(frame + 12, ETHERTYPE_IP);
    if (length > 128)
        die("text too long");
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(28 + length));
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    in_addr_t source = address_of(argv[4]), target = address_of(argv[5]);
    memcpy(ip + 12, &source, 4);
    memcpy(ip + 16, &target, 4);
    put16(ip + 10, checksum(ip, 20));
    put16(udp, 4000);
    put16(udp + 2, 4001);
    put16(udp + 4, (unsigned)(8 + length));
    memcpy(udp + 8, argv[6], length);
    return send_frames(argv[0], atoi(argv[1]), frame, 42 + length);
}

static int forge_arp(char **argv)
{
    unsigned char frame[60] = {0}, *arp = frame + 14;
    memset(frame, 0xff, 6);
    mac_of(argv[2], frame + 6);
    put16(frame + 12, ETHERTYPE_ARP);
    memcpy(arp, "\0\1\10\0\6\4\0\2", 8); /* Ethernet, IPv4, reply */
    mac_of(argv[3], arp + 8);
    in_addr_t sender = address_of(argv[4]), target = address_of(argv[5]);
    memcpy(arp + 14, &sender, 4);
    memset(arp + 18, 0xff, 6);
    memcpy(arp + 24, &target, 4);
    return send_frames(argv[0], atoi(argv[1]), frame, sizeof(frame));
}

static int forge_raw(char **argv)
{
    unsigned char frame[256] = {0};
    size_t length = strlen(argv[5]);
    mac_of(argv[2], frame);
    mac_of(argv[3], frame + 6);
    put16(frame + 12, (unsigned)strtoul(argv[4], NULL, 0));
    if (length > 128)
        die("text too long");
    memcpy(frame + 18, argv[5], length); /* behind a VLAN tag's four bytes */
    return send_frames(argv[0], atoi(argv[1]), frame, 18 + length < 60 ? 60 : 18 + length);
}

static void in6_of(const char *text, unsigned char address[16])
{
    if (inet_pton(AF_INET6, text, address) != 1)
        die(text);
}

/* Of what follows the IPv6 header at `ip`, with its pseudo header. */
static unsigned short checksum6(const unsigned char *ip, unsigned protocol, const unsigned char *bytes,
                                size_t size)
{
    unsigned char whole[512] = {0};
    memcpy(whole, ip + 8, 32);
    put16(whole + 34, (unsigned)size);
    whole[39] = (unsigned char)protocol;
    memcpy(whole + 40, bytes, size);
    return checksum(whole, 40 + size + size % 2);
}

static unsigned char *begin_frame6(unsigned char *frame, const char *target_mac, const char *source_mac,
                                   const char *source, const char *target)
{
    unsigned char *ip = frame + 14;
    mac_of(target_mac, frame);
    mac_of(source_mac, frame + 6);
    put16(frame + 12, ETHERTYPE_IPV6);
    ip[0] = 0x60;
    ip[7] = 255;
    in6_of(source, ip + 8);
    in6_of(target, ip + 24);
    return ip;
}

static int forge_udp6(char **argv)
{
    unsigned char frame[256] = {0}, *ip = begin_frame6(frame, argv[2], argv[3], argv[4], argv[5]);
    unsigned char *udp = ip + 40;
    const size_t length = strlen(argv[7]);
    if (length > 128)
        die("text too long");
    put16(ip + 4, (unsigned)(8 + length));
    ip[6] = IPPROTO_UDP;
    put16(udp, (unsigned)atoi(argv[6]));
    put16(udp + 2, 4001);
    put16(udp + 4, (unsigned)(8 + length));
    memcpy(udp + 8, argv[7], length);
    put16(udp + 6, checksum6(ip, IPPROTO_UDP, udp, 8 + length));
    return send_frames(argv[0], atoi(argv[1]), frame, 62 + length);
}

/* Target and the option that tells a MAC address, as they stand in all of them; a router advertisement has no target,
 * and this one has it as one more option. */
static size_t put_discovery(unsigned char *at, int type, const char *target, const char *mac)
{
    const bool advertises = type == 136 || type == 137;
    if (type == 134) {
        at[0] = 64;
        put16(at + 2, 1800); /* seconds that it would be a default router */
        at += 12;
        at[0] = 200; /* of no meaning */
        at[1] = 3;
        in6_of(target, at + 8);
        at += 24;
    } else {
        if (type == 136)
            at[0] = 0x20; /* overrides */
        in6_of(target, at + 4);
        at += 20;
        if (type == 137) {
            in6_of(target, at);
            at += 16;
        }
    }
    at[0] = advertises ? 2 : 1;
    at[1] = 1;
    mac_of(mac, at + 2);
    return (type == 134 ? 36 : type == 137 ? 36 : 20) + 8;
}

static int forge_discovery(int argc, char **argv)
{
    const int type = atoi(argv[4]);
    const bool behind = argc > 7;
    unsigned char frame[256] = {0};
    unsigned char *ip = begin_frame6(frame, "33:33:00:00:00:01", argv[2], argv[3], "ff02::1"),
                  *icmp = ip + 40;
    ip[6] = IPPROTO_ICMPV6;
    if (behind) { /* destination options, of padding alone */
        ip[6] = IPPROTO_DSTOPTS;
        icmp[0] = IPPROTO_ICMPV6;
        icmp[2] = 1;
        icmp[3] = 4;
        icmp += 8;
    }
    icmp[0] = (unsigned char)type;
    const size_t size = 4 + put_discovery(icmp + 4, type, argv[5], argv[6]);
    put16(icmp + 2, checksum6(ip, IPPROTO_ICMPV6, icmp, size));
    put16(ip + 4, (unsigned)(size + (behind ? 8 : 0)));
    return send_frames(argv[0], atoi(argv[1]), frame, 54 + size + (behind ? 8 : 0));
}

static int hear(const char *ifname, const void *needle, size_t size)
{
    enum { LONGEST = 120000, STILL_ON_THE_WAY = 200 }; /* milliseconds */
    struct sockaddr_ll where;
    int fd = packet_socket(ifname, &where), heard = 0;
    struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    printf("listening\n");
    fflush(stdout);
    for (long long end = now_ms() + LONGEST, left; (left = end - now_ms()) > 0;) {
        unsigned char frame[2048];
        socklen_t from_size = sizeof(where);
        if (poll(wait, 2, (int)left) < 1)
            continue;
        if (wait[1].revents) {
            wait[1].fd = -1;
            end = now_ms() + STILL_ON_THE_WAY;
        }
        if (!wait[0].revents)
            continue;
        ssize_t length = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&where, &from_size);
        if (length > 0 && where.sll_pkttype != PACKET_OUTGOING && memmem(frame, (size_t)length, needle, size))
            heard++;
    }
    printf("%d\n", heard);
    return 0;
}

static int hear_arp(char **argv)
{
    unsigned char sender[10]; /* hardware address, then protocol address, as they stand in the frame */
    in_addr_t address = address_of(argv[1]);
    mac_of(argv[2], sender);
    memcpy(sender + 6, &address, 4);
    return hear(argv[0], sender, sizeof(sender));
}

static int hear_discovery(char **argv)
{
    unsigned char whole[64] = {0}, *needle = whole + 4; /* from the target on */
    const int type = atoi(argv[1]);
    size_t size = put_discovery(whole, type, argv[2], argv[3]);
    needle = type == 134 ? whole + 20 : whole + 4;
    return hear(argv[0], needle, size - (size_t)(needle - whole));
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "serve-udp") && (argc == 3 || argc == 4))
        serve_udp(argv[2], argv[3]);
    if (!strcmp(mode, "talk-udp") && argc == 5)
        return talk_udp(argv[2], argv[3], argv[4]);
    if (!strcmp(mode, "stream-udp") && argc == 6)
        return stream_udp(argv[2], argv[3], argv[4], atoi(argv[5]));
    if (!strcmp(mode, "ask-udp") && argc == 5)
        return ask_udp(argv[2], argv[3], argv[4]);
    if ((!strcmp(mode, "serve-tcp") || !strcmp(mode, "serve-both")) && argc == 4)
        serve_range(atoi(argv[2]), atoi(argv[3]), !strcmp(mode, "serve-both"));
    if (!strcmp(mode, "ask-tcp") && (argc == 4 || argc == 5))
        return ask_tcp(argv[2], argv[3], argv[4]);
    if (!strcmp(mode, "serve-tcp6") && argc == 4)
        serve_tcp6(argv[2], atoi(argv[3]));
    if (!strcmp(mode, "ask-dns") && (argc == 6 || argc == 7))
        return ask_dns(argv[2], argv[3], argv[4], atoi(argv[5]), argv[6]);
    if (!strcmp(mode, "frame") && argc == 9)
        return forge_udp(argv + 2);
    if (!strcmp(mode, "arp") && argc == 8)
        return forge_arp(argv + 2);
    if (!strcmp(mode, "frame6") && argc == 10)
        return forge_udp6(argv + 2);
    if (!strcmp(mode, "nd") && (argc == 9 || argc == 10))
        return forge_discovery(argc - 2, argv + 2);
    if (!strcmp(mode, "hear-nd") && argc == 6)
        return hear_discovery(argv + 2);
    if (!strcmp(mode, "raw") && argc == 8)
        return forge_raw(argv + 2);
    if (!strcmp(mode, "hear") && argc == 4)
        return hear(argv[2], argv[3], strlen(argv[3]));
    if (!strcmp(mode, "hear-arp") && argc == 5)
        return hear_arp(argv + 2);
    fprintf(stderr, "netprobe: see the head of tests/system/netprobe.c\n");
    return 2;
}
