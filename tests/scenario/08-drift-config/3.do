tool set-limit web pids 77
