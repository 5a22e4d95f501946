permit binds: [/srv]
