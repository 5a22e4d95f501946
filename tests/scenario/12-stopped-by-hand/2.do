fpsync stop web
