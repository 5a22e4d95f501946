/* An address that has come to another container: who had it in mind with the other's MAC would go on sending there until
 * its doubts rise, half a minute later. The host forgets its entry, and whoever is on the bridge hears the new one. */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/network/internal.h"
#include "lib/error.h"

static void forget(struct nl_sock *socket, int bridge, uint32_t address)
{
    struct ndmsg header = {.ndm_family = AF_INET, .ndm_ifindex = bridge};
    _cleanup_message_ struct nl_msg *message = message_new(RTM_DELNEIGH, 0, &header, sizeof(header));
    struct error none_known;
    message_put(message, NDA_DST, &address, sizeof(address));
    netlink_transact(socket, message, NULL, NULL, "neighbour", &none_known);
}

/* RFC 5227: an ARP request of the address by itself, in the container's name. */
static void tell(int bridge, const unsigned char mac[static 6], uint32_t address)
{
    struct {
        struct ether_header ethernet;
        struct ether_arp arp;
    } __attribute__((packed)) frame = {
        .ethernet = {.ether_type = htons(ETHERTYPE_ARP)},
        .arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                           .ar_pro = htons(ETHERTYPE_IP),
                           .ar_hln = ETHER_ADDR_LEN,
                           .ar_pln = sizeof(address),
                           .ar_op = htons(ARPOP_REQUEST)}},
    };
    memset(frame.ethernet.ether_dhost, 0xff, ETHER_ADDR_LEN);
    memcpy(frame.ethernet.ether_shost, mac, ETHER_ADDR_LEN);
    memcpy(frame.arp.arp_sha, mac, ETHER_ADDR_LEN);
    memcpy(frame.arp.arp_spa, &address, sizeof(address));
    memcpy(frame.arp.arp_tpa, &address, sizeof(address));
    const struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_ifindex = bridge, .sll_halen = ETHER_ADDR_LEN};
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd >= 0 && sendto(fd, &frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return; /* the bridge is down: nobody has anything in mind */
}

void address_announce(struct nl_sock *socket, int bridge, const char *mac, const char *address)
{
    char text[INET_ADDRSTRLEN];
    unsigned char bytes[6];
    struct in_addr parsed;
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(address, "/"), address);
    if (mac_parse(mac, bytes) < 0 || inet_pton(AF_INET, text, &parsed) != 1)
        return;
    forget(socket, bridge, parsed.s_addr);
    tell(bridge, bytes, parsed.s_addr);
}
