fpsync stop web
fpsync start web
