tool renew-source bootstrap:bookworm
