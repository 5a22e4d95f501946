fpsync snapshot web --name good
fpsync backup ROOT/backup
tool lose
fpsync restore --from ROOT/backup
