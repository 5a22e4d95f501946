fpsync stop web-2
