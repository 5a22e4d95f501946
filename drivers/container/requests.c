/* What the container family is asked for, as tables: they carry a request to the worker and back. Linked into both
 * programs; nothing here touches the world. */
#include "drivers/container/container.h"

#define AT(of, member) .offset = offsetof(struct of, member)

#define TEXT_ROW(number, of, member)                                                                         \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_TEXT, AT(of, member)                                   \
    }
#define NUMBER_ROW(number, of, member)                                                                       \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_NUMBER, AT(of, member)                                 \
    }
#define TABLE(title, of, array)                                                                              \
    {                                                                                                        \
        .name = (title), .size = sizeof(struct of), TABLE_ROWS(array)                                        \
    }

static const struct field nic_rows[] = {
    TEXT_ROW(1, nic, ifname),
    NUMBER_ROW(2, nic, index),
    TEXT_ROW(3, nic, bridge),
    TEXT_ROW(4, nic, mac),
    TEXT_ROW(5, nic, address),
    TEXT_ROW(6, nic, gateway),
    {.id = 7, .key = "macvlan", .type = FIELD_BOOL, AT(nic, macvlan)},
    TEXT_ROW(8, nic, address6),
    TEXT_ROW(9, nic, gateway6),
    {.id = 10, .key = "deaf", .type = FIELD_BOOL, AT(nic, deaf)},
};
const struct table nic_table = TABLE("nic", nic, nic_rows);

static const struct field bind_rows[] = {
    TEXT_ROW(1, container_bind, path),
    TEXT_ROW(2, container_bind, source),
    {.id = 3, .key = "read_only", .type = FIELD_BOOL, AT(container_bind, read_only)},
    {.id = 4, .key = "optional", .type = FIELD_BOOL, AT(container_bind, optional)},
};
const struct table container_bind_table = TABLE("container.bind", container_bind, bind_rows);

static const struct field definition_rows[] = {
    TEXT_ROW(1, container_definition, lxc_name),
    TEXT_ROW(2, container_definition, uid),
    NUMBER_ROW(3, container_definition, generation),
    TEXT_ROW(4, container_definition, root),
    NUMBER_ROW(5, container_definition, id_base),
    {.id = 6, .key = "nics", .type = FIELD_LIST, AT(container_definition, nics), .nested = &nic_table},
    {.id = 7, .key = "env", .type = FIELD_PAIRS, AT(container_definition, env)},
    {.id = 8, .key = "command", .type = FIELD_TEXTS, AT(container_definition, command)},
    {.id = 9,
     .key = "limits",
     .type = FIELD_STRUCT,
     AT(container_definition, limits),
     .nested = &limits_table},
    TEXT_ROW(10, container_definition, halt_signal),
    TEXT_ROW(11, container_definition, hostname),
    {.id = 12, .key = "cap_drop", .type = FIELD_TEXTS, AT(container_definition, cap_drop)},
    {.id = 13, .key = "cap_keep", .type = FIELD_TEXTS, AT(container_definition, cap_keep)},
    {.id = 14, .key = "nesting", .type = FIELD_BOOL, AT(container_definition, nesting)},
    {.id = 15, .key = "lxc", .type = FIELD_TEXTS, AT(container_definition, lxc)},
    {.id = 16, .key = "router", .type = FIELD_BOOL, AT(container_definition, router)},
    TEXT_ROW(41, container_definition, arch),
    {.id = 42, .key = "includes", .type = FIELD_TEXTS, AT(container_definition, includes)},
    TEXT_ROW(43, container_definition, apparmor),
    {.id = 44,
     .key = "binds",
     .type = FIELD_LIST,
     AT(container_definition, binds),
     .nested = &container_bind_table},
    {.id = 45, .key = "host_network", .type = FIELD_BOOL, AT(container_definition, host_network)},
    TEXT_ROW(46, container_definition, exit),
    TEXT_ROW(47, container_definition, user),
    TEXT_ROW(48, container_definition, directory),
    {.id = 49, .key = "passing", .type = FIELD_BOOL, AT(container_definition, passing)},
    {.id = 40, .key = "adopted", .type = FIELD_BOOL, AT(container_definition, adopted)},
};
const struct table container_definition_table =
    TABLE("container.define", container_definition, definition_rows);

static const struct field defined_rows[] = {TEXT_ROW(1, container_defined, config_digest)};
const struct table container_defined_table = TABLE("container.defined", container_defined, defined_rows);

static const struct field reference_rows[] = {TEXT_ROW(1, container_reference, lxc_name)};
const struct table container_reference_table =
    TABLE("container.reference", container_reference, reference_rows);

static const struct field adopt_rows[] = {
    TEXT_ROW(1, container_adopt, lxc_name),
    TEXT_ROW(2, container_adopt, uid),
    NUMBER_ROW(3, container_adopt, generation),
    {.id = 4, .key = "nics", .type = FIELD_LIST, AT(container_adopt, nics), .nested = &nic_table},
};
const struct table container_adopt_table = TABLE("container.adopt", container_adopt, adopt_rows);

static const struct field adopted_rows[] = {
    TEXT_ROW(1, container_adopted, config_digest),
    NUMBER_ROW(2, container_adopted, init_pid),
    NUMBER_ROW(3, container_adopted, init_start),
    TEXT_ROW(4, container_adopted, boot),
};
const struct table container_adopted_table = TABLE("container.adopted", container_adopted, adopted_rows);

static const struct field device_rows[] = {
    TEXT_ROW(1, container_device, path),
    {.id = 2, .key = "is_block", .type = FIELD_BOOL, AT(container_device, is_block)},
    NUMBER_ROW(3, container_device, major),
    NUMBER_ROW(4, container_device, minor),
    NUMBER_ROW(5, container_device, mode),
};
const struct table container_device_table = TABLE("container.device", container_device, device_rows);

static const struct field start_rows[] = {
    TEXT_ROW(1, container_start, lxc_name),
    NUMBER_ROW(2, container_start, id_base),
    {.id = 3,
     .key = "devices",
     .type = FIELD_LIST,
     AT(container_start, devices),
     .nested = &container_device_table},
    {.id = 4, .key = "ports", .type = FIELD_TEXTS, AT(container_start, ports)},
};
const struct table container_start_table = TABLE("container.start", container_start, start_rows);

static const struct field attach_rows[] = {
    TEXT_ROW(1, device_attach, lxc_name),
    NUMBER_ROW(2, device_attach, init_pid),
    NUMBER_ROW(3, device_attach, init_start),
    {.id = 4,
     .key = "device",
     .type = FIELD_STRUCT,
     AT(device_attach, device),
     .nested = &container_device_table},
};
const struct table device_attach_table = TABLE("device.attach", device_attach, attach_rows);

static const struct field started_rows[] = {
    NUMBER_ROW(1, container_started, init_pid),
    NUMBER_ROW(2, container_started, init_start),
    TEXT_ROW(3, container_started, boot),
};
const struct table container_started_table = TABLE("container.started", container_started, started_rows);

static const struct field stop_rows[] = {
    TEXT_ROW(1, container_stop, lxc_name),
    NUMBER_ROW(2, container_stop, timeout),
    TEXT_ROW(3, container_stop, halt_signal),
    TEXT_ROW(4, container_stop, by),
};
static const struct field await_rows[] = {
    TEXT_ROW(1, container_await, lxc_name),
    NUMBER_ROW(2, container_await, timeout),
    {.id = 3, .key = "has_command", .type = FIELD_BOOL, AT(container_await, has_command)},
};
static const struct field probe_rows[] = {
    TEXT_ROW(1, container_probe, lxc_name),
    NUMBER_ROW(2, container_probe, port),
    TEXT_ROW(3, container_probe, page),
    {.id = 4, .key = "addresses", .type = FIELD_TEXTS, AT(container_probe, addresses)},
    {.id = 5, .key = "command", .type = FIELD_TEXTS, AT(container_probe, command)},
    NUMBER_ROW(6, container_probe, interval),
    NUMBER_ROW(7, container_probe, timeout),
    NUMBER_ROW(8, container_probe, start_period),
    NUMBER_ROW(9, container_probe, retries),
    NUMBER_ROW(10, container_probe, most),
};
const struct table container_probe_table = TABLE("container.probe", container_probe, probe_rows);

const struct table container_await_table = TABLE("container.await", container_await, await_rows);
const struct table container_stop_table = TABLE("container.stop", container_stop, stop_rows);

static const struct field freeze_rows[] = {
    TEXT_ROW(1, container_freeze, lxc_name),
    {.id = 2, .key = "frozen", .type = FIELD_BOOL, AT(container_freeze, frozen)},
};
const struct table container_freeze_table = TABLE("container.freeze", container_freeze, freeze_rows);

static const struct field limits_rows[] = {
    TEXT_ROW(1, container_limits, lxc_name),
    {.id = 2, .key = "limits", .type = FIELD_STRUCT, AT(container_limits, limits), .nested = &limits_table},
    {.id = 3, .key = "adopted", .type = FIELD_BOOL, AT(container_limits, adopted)},
    {.id = 4, .key = "lxc", .type = FIELD_TEXTS, AT(container_limits, lxc)},
};
const struct table container_limits_table = TABLE("container.set_limits", container_limits, limits_rows);
