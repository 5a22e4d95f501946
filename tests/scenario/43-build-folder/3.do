fpsync image gc
