permit devices: [/dev]
tool miss /dev/gone
