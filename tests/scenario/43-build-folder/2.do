archive app FROM base|ARG VERSION=1|RUN make $VERSION|CMD ["/app"]
archive broken FROM base|RUN false
fpsync build ROOT/archives/app -y --build-arg VERSION=2
fpsync build ROOT/archives/app/Recipe -y -t other
fails build ROOT/archives/broken -y
fpsync build --shell broken -- true
