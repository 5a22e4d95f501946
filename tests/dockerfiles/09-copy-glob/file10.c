file10.c
