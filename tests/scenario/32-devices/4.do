tool miss /dev/gone
