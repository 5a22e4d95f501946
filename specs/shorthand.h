/* List items that are written as one scalar, and fields made from others. */
#pragma once

#include "specs/read.h"

/* "8080:80" into a port, "data:/srv" into a mount, a name into an attachment or dependency. */
void read_shorthand(const struct reader *reader, const struct field *row, const struct node *node,
                    void *item);
/* Fills derived fields of an item whose other fields are complete. */
void finish_item(const struct reader *reader, const struct table *table, void *item);

/* Reads `text` as if it were the value of `key`, placed where `node` is. */
void set_part(const struct reader *reader, const struct table *table, void *item, const char *key,
              const char *text, const struct node *node);
/* "expected ..., found ...", for a scalar that is not of the row's short form. */
void not_of_shape(const struct reader *reader, const struct field *row, const struct node *node);

/* Of ports (read_ports.c). */
void read_port(const struct reader *reader, const struct field *row, const struct node *node, void *item);
void finish_port(const struct reader *reader, struct port *port);
