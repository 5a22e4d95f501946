file2.c
