tool btrfs
tool let-grow
