/* Every step there is: its name and the tables of its messages. */
#include "drivers/steps.h"

static const struct step_type types[STEP_KINDS] = {
    [STEP_IMAGE_MAKE] = {"image.make", &image_make_table, &image_made_table},
    [STEP_IMAGE_REMOVE] = {"image.remove", &image_reference_table, NULL},
    [STEP_LAYER_CREATE] = {"layer.create", &data_reference_table, NULL},
    [STEP_LAYER_DELETE] = {"layer.delete", &data_reference_table, NULL},
    [STEP_LAYER_RENAME] = {"layer.rename", &data_rename_table, NULL},
    [STEP_VOLUME_RENAME] = {"volume.rename", &data_rename_table, NULL},
    [STEP_VOLUME_CREATE] = {"volume.create", &volume_source_table, NULL},
    [STEP_VOLUME_DELETE] = {"volume.delete", &data_reference_table, NULL},
    [STEP_ROOT_MOUNT] = {"root.mount", &root_mount_table, NULL},
    [STEP_ROOT_UNMOUNT] = {"root.unmount", &root_reference_table, NULL},
    [STEP_VOLUME_ATTACH] = {"volume.attach", &volume_attach_table, NULL},
    [STEP_VOLUME_DETACH] = {"volume.detach", &volume_attach_table, NULL},
    [STEP_BRIDGE_CREATE] = {"bridge.create", &bridge_table, NULL},
    [STEP_BRIDGE_DELETE] = {"bridge.delete", &link_reference_table, NULL},
    [STEP_RULES_SET] = {"rules.set", &rules_table, NULL},
    [STEP_RULES_DELETE] = {"rules.delete", NULL, NULL},
    [STEP_RESOLVER_SET] = {"resolver.set", &resolver_table, NULL},
    [STEP_RESOLVER_DELETE] = {"resolver.delete", &link_reference_table, NULL},
    [STEP_PORT_MARK] = {"port.mark", &port_mark_table, NULL},
    [STEP_PORT_ATTACH] = {"port.attach", &port_attach_table, NULL},
    [STEP_PORT_DELETE] = {"port.delete", &link_reference_table, NULL},
    [STEP_CONTAINER_DEFINE] = {"container.define", &container_definition_table, &container_defined_table},
    [STEP_CONTAINER_START] = {"container.start", &container_start_table, &container_started_table},
    [STEP_CONTAINER_STOP] = {"container.stop", &container_stop_table, NULL},
    [STEP_CONTAINER_SET_LIMITS] = {"container.set_limits", &container_limits_table, &container_defined_table},
    [STEP_CONTAINER_DESTROY] = {"container.destroy", &container_reference_table, NULL},
    [STEP_MACVLAN_DELETE] = {"macvlan.delete", &macvlan_reference_table, NULL},
    [STEP_GUEST_FORWARDING] = {"guest.forwarding", &guest_forwarding_table, NULL},
    [STEP_LINK_UNMARK] = {"link.unmark", &link_reference_table, NULL},
    [STEP_CONTAINER_ADOPT] = {"container.adopt", &container_adopt_table, &container_adopted_table},
    [STEP_CONTAINER_RELEASE] = {"container.release", &container_reference_table, NULL},
    [STEP_ROOT_WRITE] = {"root.write", &root_write_table, NULL},
    [STEP_BIND_ATTACH] = {"bind.attach", &bind_attach_table, NULL},
    [STEP_CONTAINER_FREEZE] = {"container.freeze", &container_freeze_table, NULL},
    [STEP_BIND_DETACH] = {"bind.detach", &bind_attach_table, NULL},
    [STEP_DEVICE_ATTACH] = {"device.attach", &device_attach_table, NULL},
    [STEP_DEVICE_DETACH] = {"device.detach", &device_attach_table, NULL},
    [STEP_LAYER_CHANGE] = {"layer.change", &data_change_table, &data_changed_table},
    [STEP_VOLUME_CHANGE] = {"volume.change", &data_change_table, &data_changed_table},
    [STEP_LAYER_DROP] = {"layer.drop", &data_change_table, NULL},
    [STEP_VOLUME_DROP] = {"volume.drop", &data_change_table, NULL},
    [STEP_BACKUP_WRITE] = {"backup.write", &archive_table, NULL},
    [STEP_BACKUP_READ] = {"backup.read", &archive_table, NULL},
    [STEP_LAYER_CHECK] = {"layer.check", &layer_check_table, NULL},
};

const struct step_type *step_type(enum step_kind kind)
{
    return kind <= 0 || kind >= STEP_KINDS || !types[kind].name ? NULL : &types[kind];
}
