/* Quantities as people write them, and back. Parsers return 0, -EINVAL (not of that shape) or -ERANGE (does
 * not fit); printers write the shortest text that parses to the same number. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_SIZE 32 /* bytes that hold any printed quantity */

/* "512MiB", "512M", "1G", "1GB", "4096": powers of 1024 with or without "iB"/"B". Bytes. */
int size_parse(const char *text, int64_t *bytes);
void size_print(int64_t bytes, char text[static UNITS_TEXT_SIZE]);
/* The same, and INT64_MAX is "unlimited". */
int limit_parse(const char *text, int64_t *bytes);
void limit_print(int64_t bytes, char text[static UNITS_TEXT_SIZE]);

/* "1m30s", "500ms", "2h", "7d", "0". A bare number other than 0 has no unit and is refused. Milliseconds. */
int duration_parse(const char *text, int64_t *milliseconds);
void duration_print(int64_t milliseconds, char text[static UNITS_TEXT_SIZE]);

/* "1.5" with at most three decimals. Thousandths of a CPU. */
int cpus_parse(const char *text, int64_t *thousandths);
void cpus_print(int64_t thousandths, char text[static UNITS_TEXT_SIZE]);

/* Decimal integer with an optional minus; "0", never "007" or "0x7". */
int number_parse(const char *text, int64_t *number);
