/* What the kernel command line asks of the network, for images without a shell. */
#ifndef BANGER_INIT_NETWORK_H
#define BANGER_INIT_NETWORK_H

#include "inet.h"

#define HOST_NAME_LIMIT 64 /* __NEW_UTS_LEN */

struct network_request {
    /* An address is asked for. */
    bool static_address;
    /* ip=dhcp and its like: the kernel's business, or that of a client in the image. */
    bool automatic;
    /* setup.device is empty when the first Ethernet device is meant. */
    struct interface_setup setup;
    struct in_addr dns[4];
    size_t dns_count;
    char hostname[HOST_NAME_LIMIT + 1];
};

/*
 * The kernel's own ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1:NTP0
 * (Documentation/admin-guide/nfs/nfsroot.rst), and over it banger.address=ADDRESS/PREFIX,
 * banger.gateway=, banger.device=, banger.dns=A,B and banger.hostname=. IPv4.
 * False, with `*why`, when something in there is not what it should be; the rest is still set.
 */
bool parse_network_request(struct span command_line, struct network_request *request, const char **why);

/* The first Ethernet device by name in /proc/net/dev-like `table` for which `fits` is true. */
bool first_device(struct span table, bool (*fits)(const char *name), char name[16]);

/* Whether /proc/net/route-like `table` knows the device: then somebody has configured it. */
bool has_route(struct span table, const char *device);

/*
 * Gives the device its address, unless the kernel or somebody else has, and fills an empty
 * /etc/resolv.conf. Waits up to 5 s for the device to appear.
 */
void apply_network_request(struct network_request *request);

#endif
