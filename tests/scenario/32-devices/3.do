tool bring /dev/gone
tool take-device web /dev/fuse
