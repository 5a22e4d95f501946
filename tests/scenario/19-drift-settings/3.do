tool bridge-mac default/front 02:00:00:00:00:99
tool bridge-setting-off default/back forwards
