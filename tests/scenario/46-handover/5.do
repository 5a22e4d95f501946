fpsync stop c
