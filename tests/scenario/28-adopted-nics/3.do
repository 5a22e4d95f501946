tool drop-port web eth0
