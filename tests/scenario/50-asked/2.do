fpsync -f ROOT/spec.yaml build --no-cache
fpsync image publish app --to ROOT/published
fpsync gc --force
