/* GET /ports: the TCP sockets that listen in the guest. */
#ifndef BANGER_PORTS_H
#define BANGER_PORTS_H

#include "text.h"

/* One socket that listens, out of a line of /proc/net/tcp or tcp6. */
struct listener {
    char address[46]; /* INET6_ADDRSTRLEN */
    uint16_t port;
};

/*
 * One line of /proc/net/tcp (8 hex digits an address) or tcp6 (32). False for a heading, for a
 * socket that does not listen and for anything else.
 */
bool ports_parse_line(struct span line, struct listener *listener);

/* The objects for all lines of one table, with a comma before each unless `*first`. */
void ports_table(struct out *out, const char *family, struct span table, bool *first);

/*
 * The whole document. "truncated" is true when there was more than fits: the kernel lists those
 * that listen before all connections, so that takes some 1,500 of them.
 */
void ports_document(struct out *out);

#endif
