tool host-bridge eth7 add
