tool kill-init web
