/* IPv4 addresses as text, and giving one to an interface without any program of the image's. */
#ifndef BANGER_INET_H
#define BANGER_INET_H

#include "text.h"

#include <netinet/in.h>

/* Dotted quad, strictly four decimal numbers of one to three digits. */
bool parse_inet(struct span text, struct in_addr *address);

/* "24" or "255.255.255.0"; a mask with a hole in it is refused. */
bool parse_mask(struct span text, struct in_addr *mask);

struct interface_setup {
    char device[16]; /* IFNAMSIZ, NUL-terminated */
    struct in_addr address, mask;
    struct in_addr gateway; /* 0.0.0.0: none */
};

/* "ADDRESS/PREFIX" into address and mask. */
bool parse_address_with_prefix(struct span text, struct interface_setup *setup);

/* Sets an interface up, without an address. False with errno. */
bool bring_up(const char *device);

/*
 * Address, mask, up, default route. Doing it again changes nothing. False with errno, and `*step`
 * names what failed.
 */
bool configure_interface(const struct interface_setup *setup, const char **step);

#endif
