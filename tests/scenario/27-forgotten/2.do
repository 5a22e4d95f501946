fpsync forget container/web
fpsync forget network/front
