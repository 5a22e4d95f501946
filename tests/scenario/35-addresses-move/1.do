tool host-bridge br0 add
