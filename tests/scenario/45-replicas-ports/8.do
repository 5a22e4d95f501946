tool drop-rule forwards 8080/tcp
