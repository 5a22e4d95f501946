fpsync down
fpsync gc --force
