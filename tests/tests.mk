# Tests; included by the Makefile.
