fpsync stop idle
