archive other FROM base|COPY file /|CMD ["/other"]
fpsync --remote images store search
fpsync gc --force -y
