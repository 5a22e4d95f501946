fpsync down
