fpsync reset web
fpsync restore web good
fpsync restore copy good
fpsync restore volume/data good
