tool freeze web
