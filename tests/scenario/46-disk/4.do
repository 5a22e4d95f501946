tool truncate default_web 134217728
