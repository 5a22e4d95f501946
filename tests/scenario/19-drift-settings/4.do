tool forwarding-off
