tool have-address 192.0.2.8
