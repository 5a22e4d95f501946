x.h
