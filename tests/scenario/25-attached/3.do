tool drop-port three eth0
