#include "inet.h"

#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool parse_inet(struct span text, struct in_addr *address)
{
    struct span part;
    uint32_t sum = 0;
    unsigned parts = 0;

    while (span_next(&text, '.', &part)) {
        uint64_t byte;
        if (parts == 4 || part.size > 3 || !parse_decimal(part, 255, &byte))
            return false;
        sum = sum << 8 | (uint32_t)byte;
        parts++;
    }
    address->s_addr = htonl(sum);
    return parts == 4;
}

static struct in_addr mask_of_prefix(uint64_t prefix)
{
    return (struct in_addr){.s_addr = prefix == 0 ? 0 : htonl(0xffffffffu << (32 - prefix))};
}

bool parse_mask(struct span text, struct in_addr *mask)
{
    uint64_t prefix;
    uint32_t holes;

    if (parse_decimal(text, 32, &prefix)) {
        *mask = mask_of_prefix(prefix);
        return true;
    }
    if (!parse_inet(text, mask))
        return false;
    holes = ~ntohl(mask->s_addr);
    return (holes & (holes + 1)) == 0;
}

bool parse_address_with_prefix(struct span text, struct interface_setup *setup)
{
    struct span address;

    return span_next(&text, '/', &address) && parse_inet(address, &setup->address) &&
           text.data != NULL && parse_mask(text, &setup->mask);
}

static void put_address(struct sockaddr *into, struct in_addr address)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr = address};
    memcpy(into, &inet, sizeof inet);
}

static struct ifreq request_for(const char *device)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, device, strnlen(device, IFNAMSIZ - 1));
    return request;
}

static bool set_up(int fd, const char *device)
{
    struct ifreq request = request_for(device);

    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return false;
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static bool set_address(int fd, const struct interface_setup *setup)
{
    struct ifreq request = request_for(setup->device);

    put_address(&request.ifr_addr, setup->address);
    return ioctl(fd, SIOCSIFADDR, &request) == 0;
}

static bool set_mask(int fd, const struct interface_setup *setup)
{
    struct ifreq request = request_for(setup->device);

    put_address(&request.ifr_netmask, setup->mask);
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

static bool add_route(int fd, struct rtentry *route)
{
    return ioctl(fd, SIOCADDRT, route) == 0 || errno == EEXIST;
}

/*
 * A gateway outside the interface's own network (a /32 guest, as some providers have) is unknown
 * to the kernel until a route to it alone is there; ENETUNREACH says so.
 */
static bool set_gateway(int fd, const struct interface_setup *setup)
{
    char device[sizeof setup->device];
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = device};
    struct rtentry host = {.rt_flags = RTF_UP | RTF_HOST, .rt_dev = device};

    memcpy(device, setup->device, sizeof device);
    put_address(&route.rt_dst, (struct in_addr){0});
    put_address(&route.rt_genmask, (struct in_addr){0});
    put_address(&route.rt_gateway, setup->gateway);
    if (add_route(fd, &route))
        return true;
    put_address(&host.rt_dst, setup->gateway);
    put_address(&host.rt_genmask, mask_of_prefix(32));
    return errno == ENETUNREACH && add_route(fd, &host) && add_route(fd, &route);
}

bool bring_up(const char *device)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && set_up(fd, device);
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

static bool configure(int fd, const struct interface_setup *setup, const char **step)
{
    *step = "set the address";
    if (!set_address(fd, setup))
        return false;
    *step = "set the mask";
    if (!set_mask(fd, setup))
        return false;
    *step = "bring the interface up";
    if (!set_up(fd, setup->device))
        return false;
    *step = "set the default route";
    return setup->gateway.s_addr == 0 || set_gateway(fd, setup);
}

bool configure_interface(const struct interface_setup *setup, const char **step)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done;
    int error;

    *step = "open a socket";
    if (fd < 0)
        return false;
    done = configure(fd, setup, step);
    error = errno;
    close(fd);
    errno = error;
    return done;
}
