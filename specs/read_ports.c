/* Ports from their short form, and what follows from their parts. */
#include <inttypes.h>
#include <string.h>

#include "lib/units.h"
#include "specs/ports.h"
#include "specs/shorthand.h"

#define LAST_PORT 65535

/* "8000" or "8000-9000" as the value of `key`; how many ports that is, or 0 after a problem. */
static int64_t read_span(const struct reader *reader, const struct table *table, const struct node *node,
                         void *item, const char *key, char *text)
{
    const struct field *row = field_by_key(table, key);
    const size_t before = reader->problems->count;
    char *last_text = strchr(text, '-');
    int64_t last;
    if (last_text)
        *last_text++ = '\0';
    set_part(reader, table, item, key, text, node);
    if (reader->problems->count != before || !last_text)
        return reader->problems->count == before;
    const int64_t first = *(const int64_t *)field_at(item, row);
    if (number_parse(last_text, &last) == 0 && last >= first && last <= LAST_PORT)
        return last - first + 1;
    const bool turned = number_parse(last_text, &last) == 0 && last < first;
    problem_add(reader->problems, node->place, turned ? "the first is above the last" : NULL,
                "'%s': expected FIRST-LAST up to %d, found '%s-%s'", key, LAST_PORT, text, last_text);
    return 0;
}

/* Which of an address's colons begin the ports is not to be seen without brackets: 2001:db8::1:80:80 is an address by
 * itself. */
static bool address_is_bracketed(const struct reader *reader, const struct field *row,
                                 const struct node *node, const char *address)
{
    if (*address == '[' || !strchr(address, ':'))
        return true;
    problem_add(reader->problems, node->place, "write an IPv6 address in brackets: \"[2001:db8::1]:8080:80\"",
                "'%s': expected %s, found %s", row->key, row->shorthand, node_describe(reader->arena, node));
    return false;
}

void read_port(const struct reader *reader, const struct field *row, const struct node *node, void *item)
{
    const struct table *table = row->nested;
    char *text = arena_strdup(reader->arena, node->text);
    char *protocol = strchr(text, '/');
    if (protocol)
        *protocol++ = '\0';
    char *guest = strrchr(text, ':');
    if (!guest) {
        not_of_shape(reader, row, node);
        return;
    }
    *guest++ = '\0';
    char *host = strrchr(text, ':');
    if (host) {
        *host++ = '\0';
        if (!address_is_bracketed(reader, row, node, text))
            return;
        set_part(reader, table, item, "address", text, node);
    }
    const int64_t count = read_span(reader, table, node, item, "host", host ? host : text);
    const int64_t guests = read_span(reader, table, node, item, "guest", guest);
    if (count && guests && count != guests)
        problem_add(reader->problems, node->place, "make both ranges equally long",
                    "'%s': %" PRId64 " ports of the host lead to %" PRId64 " of the container", node->text,
                    count, guests);
    else if (count > 1)
        set_part(reader, table, item, "count", arena_printf(reader->arena, "%" PRId64, count), node);
    if (protocol)
        set_part(reader, table, item, "protocol", protocol, node);
}

void finish_port(const struct reader *reader, struct port *port)
{
    if (!port->host || !port->guest)
        return;
    const int64_t last = (port->host > port->guest ? port->host : port->guest) + port->count - 1;
    if (last > LAST_PORT)
        problem_add(reader->problems, port->described.place, NULL,
                    "'count': %" PRId64 " ports end at %" PRId64 ", beyond %d", port->count, last, LAST_PORT);
    /* 0.0.0.0, :: and "all addresses" are one thing and must have one spelling. */
    if (port->address && (strcmp(port->address, "0.0.0.0") == 0 || strcmp(port->address, "::") == 0)) {
        port->address = NULL;
        port->described.present &= ~((uint64_t)1 << (field_by_key(&port_table, "address") - port_table.rows));
    }
    port->listen = port_key(reader->arena, port->address, port->host, port->count, port->protocol);
    field_mark(&port_table, port, offsetof(struct port, listen));
}
