tool unmark-port web eth0
