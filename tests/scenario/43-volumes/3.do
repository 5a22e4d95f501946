tool unmount-volume web /srv
tool mount-volume job /tmp/scratch default_scratch
tool kill web
