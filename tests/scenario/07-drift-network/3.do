tool drop-address web eth0
