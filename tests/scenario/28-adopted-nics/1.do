permit binds: [/srv]
tool host-bridge br0 add
tool lxc-container web
tool lxc-nic web br0 00:16:3e:00:00:01 10.9.0.5/24
tool lxc-bind web /srv/www /srv/www
tool lxc-container mail
tool lxc-nic mail br0 00:16:3e:00:00:02 dhcp
fpsync adopt
