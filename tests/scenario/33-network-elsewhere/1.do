tool host-bridge br0 add
tool host-bridge eth9 add
