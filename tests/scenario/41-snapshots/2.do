fpsync snapshot web --name good
fpsync snapshot copy --name good
fpsync snapshot volume/data --name good
