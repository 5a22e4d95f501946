permit host_network: true
