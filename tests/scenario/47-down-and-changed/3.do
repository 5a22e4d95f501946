fpsync down
tool renew-source bootstrap:bookworm
