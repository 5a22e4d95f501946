tool undefine web
