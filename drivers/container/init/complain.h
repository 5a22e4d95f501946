/* What stands in the way of the command, for the console and for whoever started the container. */
#pragma once

#define COMPLAINT_SIZE 512 /* bytes, with the NUL */

/* One line on standard error, behind the program's name. The last one is kept. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *complaint(void); /* without that name and without an end of line; "" before the first */
