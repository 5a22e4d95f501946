tool renew-source https://apps.example.org/app.tar.gz
archive app.1 FROM base|RUN make another|CMD ["/app"]
fpsync image pull app
