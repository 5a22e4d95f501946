/* The rows of every kind: what YAML may say, what it means, what a change of it costs.
 *
 * Reading, defaults, diffs, printing, explain, the JSON Schema and the encoding all follow these rows. Ids stand
 * in databases: never change one, never use one again. */
#include "specs/model.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define MEBIBYTE         ((int64_t)1 << 20)

static const char *const protocols[] = {"tcp", "udp", NULL};
static const char *const conditions[] = {"started", "completed", NULL};
static const char *const restarts[] = {"always", "on-failure", "never", NULL};

static const struct field image_rows[] = {
    {.id = 1, .key = "source", .type = FIELD_TEXT, .form = FORM_IMAGE_SOURCE, AT(image, source),
     .class = CLASS_RECREATE, .flags = FIELD_REQUIRED, .example = "\"bootstrap:bookworm\"",
     .help = "Where the root file system comes from: bootstrap:SUITE (mmdebstrap with the host's apt sources) or "
             "file:PATH, a tar archive or a folder; a relative path starts at the folder of the spec file."},
    {.id = 2, .key = "packages", .type = FIELD_TEXTS, .form = FORM_PACKAGE, AT(image, packages),
     .class = CLASS_RECREATE, .example = "[systemd-sysv, ifupdown]",
     .help = "Further Debian packages of a bootstrap."},
};
const struct table image_table = {.name = "image", .size = sizeof(struct image), TABLE_ROWS(image_rows),
                                  .help = "A read-only root file system, stored once and never written to."};

static const struct field network_rows[] = {
    {.id = 1, .key = "subnet", .type = FIELD_TEXT, .form = FORM_SUBNET, AT(network, subnet),
     .class = CLASS_RECREATE, .example = "10.30.0.0/24",
     .help = "The IPv4 subnet; its first address is the bridge's. Without it one is leased from the pool."},
};
const struct table network_table = {.name = "network", .size = sizeof(struct network), TABLE_ROWS(network_rows),
                                    .help = "A bridge with an IPv4 subnet, NAT, DHCP and names."};

/* Nothing to say of a volume yet but that it is there. */
static const struct field volume_rows[1];
const struct table volume_table = {.name = "volume", .size = sizeof(struct volume), .rows = volume_rows, .count = 0,
                                   .help = "Data with a life of its own, mounted into containers."};

static const struct field layer_rows[] = {
    {.id = 1, .key = "image", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(layer, image),
     .class = CLASS_RECREATE, .flags = FIELD_REQUIRED, .example = "base", .help = "The image below the layer."},
};
const struct table layer_table = {.name = "layer", .size = sizeof(struct layer), TABLE_ROWS(layer_rows),
                                  .help = "What one container writes, above its image. A container that names no "
                                          "layer has one of its own name."};

static const struct field attachment_rows[] = {
    {.id = 1, .key = "network", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(attachment, network),
     .class = CLASS_LIVE, .flags = FIELD_REQUIRED, .example = "front", .help = "The network."},
    {.id = 2, .key = "address", .type = FIELD_TEXT, .form = FORM_IPV4, AT(attachment, address),
     .class = CLASS_LIVE, .example = "10.30.0.10",
     .help = "The container's address there; without it one is leased and kept."},
};
const struct table attachment_table = {.name = "container.networks", .size = sizeof(struct attachment),
                                       TABLE_ROWS(attachment_rows), .help = "A container's place in a network."};

static const struct field port_rows[] = {
    {.id = 1, .key = "listen", .type = FIELD_TEXT, AT(port, listen), .class = CLASS_LIVE, .flags = FIELD_DERIVED,
     .help = "[ADDRESS:]HOST/PROTOCOL, made of the others."},
    {.id = 2, .key = "address", .type = FIELD_TEXT, .form = FORM_IPV4, AT(port, address), .class = CLASS_LIVE,
     .example = "192.0.2.1", .help = "The host's address to forward from; without it all of them."},
    {.id = 3, .key = "host", .type = FIELD_NUMBER, .form = FORM_PORT, AT(port, host), .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 65535, .example = "8080", .help = "The port on the host."},
    {.id = 4, .key = "guest", .type = FIELD_NUMBER, .form = FORM_PORT, AT(port, guest), .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 65535, .example = "80",
     .help = "The port in the container."},
    {.id = 5, .key = "protocol", .type = FIELD_TEXT, AT(port, protocol), .class = CLASS_LIVE, .standard = "tcp",
     .words = protocols, .example = "udp", .help = "The protocol."},
};
const struct table port_table = {.name = "container.ports", .size = sizeof(struct port), TABLE_ROWS(port_rows),
                                 .help = "A forward from the host to the container."};

static const struct field mount_rows[] = {
    {.id = 1, .key = "path", .type = FIELD_TEXT, .form = FORM_GUEST_PATH, AT(mount, path), .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED, .example = "/srv/data", .help = "Where it is mounted in the container."},
    {.id = 2, .key = "volume", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(mount, volume), .class = CLASS_LIVE,
     .flags = FIELD_REQUIRED, .example = "data", .help = "The volume."},
};
const struct table mount_table = {.name = "container.volumes", .size = sizeof(struct mount),
                                  TABLE_ROWS(mount_rows), .help = "A volume mounted in the container."};

static const struct field limits_rows[] = {
    {.id = 1, .key = "memory", .type = FIELD_NUMBER, .form = FORM_SIZE, AT(limits, memory), .class = CLASS_LIVE,
     .minimum = MEBIBYTE, .maximum = INT64_MAX, .example = "512MiB",
     .help = "Memory; without it there is no limit."},
    {.id = 2, .key = "swap", .type = FIELD_NUMBER, .form = FORM_SIZE, AT(limits, swap), .class = CLASS_LIVE,
     .standard = "0", .example = "256MiB", .help = "Swap beside the memory."},
    {.id = 3, .key = "cpus", .type = FIELD_NUMBER, .form = FORM_CPUS, AT(limits, cpus), .class = CLASS_LIVE,
     .minimum = 10, .maximum = 4096000, .example = "1.5",
     .help = "Processor time, in processors; without it there is no limit."},
    {.id = 4, .key = "pids", .type = FIELD_NUMBER, AT(limits, pids), .class = CLASS_LIVE, .standard = "8192",
     .minimum = 1, .maximum = 4194304, .example = "500", .help = "Processes and threads."},
};
const struct table limits_table = {.name = "container.limits", .size = sizeof(struct limits),
                                   TABLE_ROWS(limits_rows), .help = "What a container may use at most."};

static const struct field dependency_rows[] = {
    {.id = 1, .key = "container", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(dependency, container),
     .class = CLASS_RECORD, .flags = FIELD_REQUIRED, .example = "cache", .help = "The container that comes first."},
    {.id = 2, .key = "condition", .type = FIELD_TEXT, AT(dependency, condition), .class = CLASS_RECORD,
     .standard = "started", .words = conditions, .example = "completed",
     .help = "What of it is awaited: that it started, or that its command ended well."},
};
const struct table dependency_table = {.name = "container.depends_on", .size = sizeof(struct dependency),
                                       TABLE_ROWS(dependency_rows),
                                       .help = "A container that is started before this one."};

static const struct field container_rows[] = {
    {.id = 1, .key = "image", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(container, image),
     .class = CLASS_RECREATE, .example = "base",
     .help = "The image it runs. May be left out where `layer` names a declared layer."},
    {.id = 2, .key = "layer", .type = FIELD_TEXT, .form = FORM_REFERENCE, AT(container, layer),
     .class = CLASS_RECREATE, .example = "web-data",
     .help = "The declared layer it writes to; without it, one of its own name."},
    {.id = 3, .key = "networks", .type = FIELD_LIST, AT(container, networks), .class = CLASS_LIVE,
     .nested = &attachment_table, .shorthand = "NETWORK", .example = "[front]",
     .help = "Its networks, in the order of eth0, eth1, ... (order of names for a mapping). Without it the "
             "project's network `default`; [] for loopback only."},
    {.id = 4, .key = "ports", .type = FIELD_LIST, AT(container, ports), .class = CLASS_LIVE,
     .nested = &port_table, .shorthand = "[ADDRESS:]HOST:GUEST[/tcp|udp]", .example = "[\"8080:80\"]",
     .help = "Ports of the host that lead into the container."},
    {.id = 5, .key = "volumes", .type = FIELD_LIST, AT(container, volumes), .class = CLASS_LIVE,
     .nested = &mount_table, .shorthand = "VOLUME:/PATH", .example = "[\"data:/srv/data\"]",
     .help = "Volumes and where they are mounted."},
    {.id = 6, .key = "env", .type = FIELD_PAIRS, .form = FORM_VARIABLE, AT(container, env),
     .class = CLASS_RESTART, .example = "{SITE: shop}",
     .help = "Environment variables of init, its services, logins and exec; values are taken as written."},
    {.id = 7, .key = "command", .type = FIELD_TEXTS, AT(container, command), .class = CLASS_RESTART,
     .example = "[/bin/busybox, httpd, -f]",
     .help = "The one program to run, word by word, below a small init; without it the image's own init."},
    {.id = 8, .key = "limits", .type = FIELD_STRUCT, AT(container, limits), .class = CLASS_LIVE,
     .nested = &limits_table, .example = "{memory: 512MiB, cpus: 1.5}", .help = "What it may use at most."},
    {.id = 9, .key = "privileged", .type = FIELD_BOOL, AT(container, privileged), .class = CLASS_RECREATE,
     .standard = "false", .example = "true",
     .help = "Without an id range of its own: root inside is root outside. Must be permitted in fpsync.conf."},
    {.id = 10, .key = "depends_on", .type = FIELD_LIST, AT(container, depends_on), .class = CLASS_RECORD,
     .nested = &dependency_table, .shorthand = "CONTAINER", .example = "{cache: started}",
     .help = "Containers that come first: a list of names, or name: started|completed."},
    {.id = 11, .key = "restart", .type = FIELD_TEXT, AT(container, restart), .class = CLASS_RECORD,
     .standard = "always", .words = restarts, .example = "on-failure",
     .help = "Whether it is started again when it ended by itself."},
    {.id = 12, .key = "stop_signal", .type = FIELD_TEXT, .form = FORM_SIGNAL, AT(container, stop_signal),
     .class = CLASS_RESTART, .example = "SIGTERM",
     .help = "What asks it to end; without it SIGRTMIN+3 for systemd, SIGPWR for other inits, SIGTERM for "
             "commands."},
    {.id = 13, .key = "stop_timeout", .type = FIELD_NUMBER, .form = FORM_DURATION, AT(container, stop_timeout),
     .class = CLASS_RECORD, .standard = "30s", .example = "1m30s",
     .help = "How long it may take to end before it is killed."},
};
const struct table container_table = {.name = "container", .size = sizeof(struct container),
                                      TABLE_ROWS(container_rows),
                                      .help = "What runs: an image with a layer, networks, volumes and limits."};
