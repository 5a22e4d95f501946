tool bring /srv/spare
tool kill web
