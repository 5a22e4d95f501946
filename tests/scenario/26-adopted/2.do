tool lxc-container old
fpsync adopt
