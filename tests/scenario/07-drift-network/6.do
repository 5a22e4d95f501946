tool drop-bridge-address default/front
