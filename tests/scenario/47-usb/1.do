permit devices: [usb, gpu]
tool plug usb 1a86:7523 /dev/bus/usb/001/005
