tool btrfs
