/* The storage family's effects, as the worker runs them. */
#include "drivers/storage/archive.h"
#include "drivers/storage/bind.h"
#include "drivers/storage/data.h"
#include "drivers/storage/disk.h"
#include "drivers/storage/live.h"
#include "drivers/storage/root.h"
#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/volume.h"

const struct storage_effects storage_effects = {
    .create_layer = data_create_layer,
    .create_volume = volume_make,
    .rename_layer = data_rename_layer,
    .rename_volume = data_rename_volume,
    .delete_layer = data_delete_layer,
    .delete_volume = data_delete_volume,
    .grow_layer = disk_grow_layer,
    .change_layer = stack_change_layer,
    .change_volume = stack_change_volume,
    .drop_layer_snapshot = stack_drop_layer,
    .drop_volume_snapshot = stack_drop_volume,
    .write_backup = archive_write,
    .read_backup = archive_read,
    .check_layer = stack_check_layer,
    .check_root = root_check,
    .mount_root = root_mount_whole,
    .unmount_root = root_unmount_whole,
    .write_root = root_write_files,
    .attach_volume = live_attach,
    .detach_volume = live_detach,
    .attach_bind = bind_attach,
    .detach_bind = bind_detach,
};
