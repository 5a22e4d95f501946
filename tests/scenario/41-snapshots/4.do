fpsync gc --force
