/* The word `get`: one URL into the file at descriptor 3.
 *
 * The request is a JSON object:
 *   url        "https://..."; "http://..." only with `plain`
 *   headers    texts; they go to the host of `url` and to no other one that it redirects to
 *   ca         PEM certificates that servers are verified by; absent: the host's bundle
 *   crl        PEM revocation lists; absent: nothing is looked up
 *   limit      bytes that the body may have
 *   validator  ETag or Last-Modified of what the file holds already: the rest is asked for; absent: all of it
 *   stall      milliseconds in which at least one KiB a second on average must come
 *   tries      how often a passing failure is tried again
 *   plain      http:// may be asked
 *   head       no body is asked for, only what the server says of it
 *   guarded    the URL was named by a server: only public addresses are connected to
 *   proxy, no_proxy
 *
 * Lines of the answer: {"validator": V} as soon as what the file begins with is known to be of V;
 * {"progress": BYTES, "total": BYTES}; {"note": TEXT}; and at last one of
 *   {"done": true, "bytes", "sha256", "status", "type", "version", "public", "resumed"} - the digest is over what the
 *      file holds, resumed parts included;
 *   {"error": TEXT, "code": ERRNO, "status", "challenge"}; the code ESTALE says that the file holds another version's
 *      beginning and is to be begun anew. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/arena.h"
#include "lib/digest.h"

struct error;

struct get_request {
    const char *url;
    const char **headers; /* ends with NULL */
    const char *ca, *crl; /* texts; NULL */
    const char *validator;
    const char *proxy, *no_proxy; /* NULL */
    int64_t limit, stall, tries;
    bool plain, guarded, head;
};

/* A JSON object from a descriptor, of at most `limit` bytes. */
struct json;
int request_read(int input, size_t limit, struct json **object, struct error *error);
/* Reads and checks the request. -EINVAL. */
int get_request_read(int input, struct arena *arena, struct get_request *request, struct error *error);

/* Whether `host` is exempted from the proxy by `no_proxy`: "*", or names and suffixes with commas between. */
bool get_is_exempt(const char *no_proxy, const char *host);

/* Whether the address is one that anybody may have: neither of this host nor of a network behind it, and nobody's
 * who hands out credentials to those who ask (169.254.169.254). */
bool address_is_public(const struct sockaddr *address);
/* The same of a host as a URL has it. A name other than localhost counts as public: what it resolves to is looked at
 * when it is connected to. */
bool host_is_public(const char *host);

/* User, mount, IPC and UTS namespaces of its own; a file system that holds what resolving names and verifying servers
 * needs and nothing else, and cannot be written to; no capabilities, an id that nobody has; the calls that a client
 * needs. Descriptors stay. */
int get_sandbox_enter(const struct get_request *request, struct error *error);
#define GET_CA_PATH  "/ca.pem" /* inside */
#define GET_CRL_PATH "/crl.pem"

/* The digest of what a file holds, taken in a thread while it is written. */
struct hashing;
struct hashing *hashing_start(int file, struct error *error); /* NULL: error */
/* The file holds so many bytes, which stay as they are. */
void hashing_follow(struct hashing *hashing, int64_t stored);
/* Before the file is emptied. */
int hashing_restart(struct hashing *hashing, struct error *error);
/* Waits for the last byte; the object is used up, also when that fails. */
int hashing_end(struct hashing *hashing, char digest[static DIGEST_TEXT_SIZE], struct error *error);

struct getting {
    const struct get_request *request;
    struct hashing *hashing; /* of what the file holds */
    int64_t stored;          /* bytes in it */
    char validator[256];     /* of what it holds; "": none that a server could compare */
    bool began;              /* this process has written to it */
    bool resumed;
    /* of the answer: */
    long status;
    int64_t total;  /* bytes; -1: the server does not say */
    int64_t wait;   /* milliseconds until the server wants to be asked again; 0 */
    char type[128]; /* of the content */
    char challenge[1024];
    char version[256]; /* ETag, be it a weak one, else Last-Modified */
    bool is_public;    /* what the first connection went to */
};

struct transfer;
struct transfer *transfer_new(struct getting *getting, struct error *error);
void transfer_free(struct transfer *transfer); /* accepts NULL */
/* One try, with redirects. `passing`: the failure may be none the next time. */
int transfer_run(struct transfer *transfer, bool *passing, struct error *error);
