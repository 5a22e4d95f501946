a / z.c
