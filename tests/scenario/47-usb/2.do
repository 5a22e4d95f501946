tool plug usb 1a86:7523 /dev/bus/usb/002/009
tool plug gpu all /dev/dri/card0
