tool hairpin-off web eth1
tool bridge-setting-off default/front routes_local
tool spoil-names default/back
