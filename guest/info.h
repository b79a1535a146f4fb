/* GET /info: which boot of which machine this is, and how it is reached. */
#ifndef BANGER_INFO_H
#define BANGER_INFO_H

#include "text.h"

/* "12.34" out of "12.34 56.78\n", as a JSON number; null for anything else. */
void info_uptime(struct out *out, struct span uptime);

/* The entries of /proc/net/if_inet6 as JSON objects, each with a comma before it unless `first`. */
void info_inet6(struct out *out, struct span table, bool first);

/* The whole document. `network_socket` is an AF_INET socket to ask for addresses with, or -1. */
void info_document(struct out *out, int network_socket);

#endif
