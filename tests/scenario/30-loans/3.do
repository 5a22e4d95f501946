tool miss /srv/spare
tool unbind web /srv/other
