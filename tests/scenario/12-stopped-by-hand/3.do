fpsync start web
fpsync restart other
