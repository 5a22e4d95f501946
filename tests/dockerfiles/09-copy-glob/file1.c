file1.c
