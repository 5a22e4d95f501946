archive app FROM base|RUN make app|CMD ["/app"]
