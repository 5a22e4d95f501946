/* The head of an HTTP/1 reply (RFC 9112), written by somebody who may mean no good: only its status is wanted.
 *
 * A state machine over bytes, without memory but its own struct and without system calls: it runs where nothing else may
 * be done any more. What is no such head, or is longer than HTTP_REPLY_SIZE, is no reply. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REPLY_SIZE    16384 /* bytes of all heads */
#define HTTP_REPLY_INTERIM 8     /* 1xx that may come before the one that counts */

struct http_reply { /* begins zeroed */
    size_t taken;   /* bytes */
    size_t column;  /* of the line that is being read */
    bool in_fields; /* behind the status line */
    bool returned;  /* the last byte was a carriage return */
    int status;     /* of the line that was read last */
    int interim;
};

/* The status, 200 to 599, once its head is whole; 0: there has to be more; -1: it is no HTTP, and will never be. */
int http_reply_take(struct http_reply *reply, const char *bytes, size_t count);
