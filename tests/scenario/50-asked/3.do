tool renew-source images:debian/12
