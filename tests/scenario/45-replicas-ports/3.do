fpsync start web-2
