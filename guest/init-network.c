#include "init-network.h"

#include "init-mounts.h"
#include "init-run.h"
#include "kernel-parameter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define DEVICE_WAIT_MS 5000
#define DEVICE_POLL_MS 50

static bool copy_text(char *into, size_t size, struct span text)
{
    if (text.size >= size)
        return false;
    memcpy(into, text.data, text.size);
    into[text.size] = '\0';
    return true;
}

static bool copy_device(struct interface_setup *setup, struct span text)
{
    return memchr(text.data, '/', text.size) == NULL && copy_text(setup->device, sizeof setup->device, text);
}

static bool add_dns(struct network_request *request, struct span text)
{
    struct in_addr server;

    if (!parse_inet(text, &server))
        return false;
    /* The resolver reads three (MAXNS). */
    if (server.s_addr != 0 && request->dns_count < sizeof request->dns / sizeof request->dns[0])
        request->dns[request->dns_count++] = server;
    return true;
}

/* The mask of the address's class, as the kernel takes it (ic_defaults() in net/ipv4/ipconfig.c). */
static struct in_addr mask_of_class(struct in_addr address)
{
    uint32_t first = ntohl(address.s_addr) >> 24;
    uint32_t mask = first < 128 ? 0xff000000u : first < 192 ? 0xffff0000u : 0xffffff00u;
    return (struct in_addr){.s_addr = htonl(mask)};
}

static bool is_automatic(struct span word)
{
    return span_is(word, "dhcp") || span_is(word, "bootp") || span_is(word, "rarp") || span_is(word, "both") ||
           span_is(word, "on") || span_is(word, "any");
}

static bool is_off(struct span word)
{
    return span_is(word, "off") || span_is(word, "none");
}

enum ip_field { CLIENT, SERVER, GATEWAY, NETMASK, HOSTNAME, DEVICE, AUTOCONF, DNS0, DNS1, NTP0 };

static bool take_ip_field(struct network_request *request, enum ip_field index, struct span field)
{
    switch (index) {
    case CLIENT:
        request->static_address = parse_inet(field, &request->setup.address);
        return request->static_address;
    case GATEWAY:
        return parse_inet(field, &request->setup.gateway);
    case NETMASK:
        return parse_mask(field, &request->setup.mask);
    case HOSTNAME:
        return copy_text(request->hostname, sizeof request->hostname, field);
    case DEVICE:
        return copy_device(&request->setup, field);
    case AUTOCONF:
        request->automatic = is_automatic(field);
        return request->automatic || is_off(field);
    case DNS0:
    case DNS1:
        return add_dns(request, field);
    case SERVER: /* of NFS */
    case NTP0:
        return true;
    }
    return false;
}

static bool parse_ip(struct span value, struct network_request *request)
{
    struct span field;
    unsigned index = 0;
    bool mask_given = false, right = true;

    if (is_off(value))
        return true;
    if (is_automatic(value)) {
        request->automatic = true;
        return true;
    }
    for (; index <= NTP0 && span_next(&value, ':', &field); index++) {
        if (field.size == 0)
            continue;
        mask_given = mask_given || index == NETMASK;
        right = take_ip_field(request, (enum ip_field)index, field) && right;
    }
    /* The kernel takes 0.0.0.0 for "not given". */
    request->static_address = request->static_address && request->setup.address.s_addr != 0;
    if (request->static_address && !mask_given)
        request->setup.mask = mask_of_class(request->setup.address);
    return right;
}

static bool parse_dns(struct span list, struct network_request *request)
{
    struct span server;
    bool right = true;

    request->dns_count = 0;
    while (span_next(&list, ',', &server))
        right = add_dns(request, server) && right;
    return right;
}

bool parse_network_request(struct span command_line, struct network_request *request, const char **why)
{
    struct span value;
    bool right = true;

    memset(request, 0, sizeof *request);
    if (kernel_parameter(command_line, "ip", &value) && !parse_ip(value, request)) {
        *why = "ip= has a part that is not understood";
        right = false;
    }
    if (kernel_parameter(command_line, "banger.address", &value)) {
        request->static_address = parse_address_with_prefix(value, &request->setup);
        *why = "banger.address= is not an IPv4 ADDRESS/PREFIX";
        right = request->static_address && right;
    }
    if (kernel_parameter(command_line, "banger.gateway", &value) && !parse_inet(value, &request->setup.gateway)) {
        *why = "banger.gateway= is not an IPv4 address";
        right = false;
    }
    if (kernel_parameter(command_line, "banger.device", &value) && !copy_device(&request->setup, value)) {
        *why = "banger.device= is not an interface name";
        right = false;
    }
    if (kernel_parameter(command_line, "banger.dns", &value) && !parse_dns(value, request)) {
        *why = "banger.dns= is not a list of IPv4 addresses";
        right = false;
    }
    if (kernel_parameter(command_line, "banger.hostname", &value) &&
        !copy_text(request->hostname, sizeof request->hostname, value)) {
        *why = "banger.hostname= is longer than 64 bytes";
        right = false;
    }
    return right;
}

/* "  eth0: 1 2 …" */
bool first_device(struct span table, bool (*fits)(const char *name), char name[16])
{
    struct span line, word, device;
    bool found = false;

    while (span_next(&table, '\n', &line)) {
        struct interface_setup candidate = {0};
        if (!span_word(&line, &word) || !span_next(&word, ':', &device) || word.data == NULL ||
            device.size == 0 || !copy_device(&candidate, device) || !fits(candidate.device))
            continue;
        if (!found || strcmp(candidate.device, name) < 0)
            memcpy(name, candidate.device, sizeof candidate.device);
        found = true;
    }
    return found;
}

bool has_route(struct span table, const char *device)
{
    struct span line, word;

    while (span_next(&table, '\n', &line))
        if (span_word(&line, &word) && span_is(word, device))
            return true;
    return false;
}

static bool is_ethernet(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ethernet;

    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    ethernet = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    if (fd >= 0)
        close(fd);
    return ethernet;
}

static struct span read_table(const char *path)
{
    static char bytes[32 * 1024];
    ssize_t got = read_file(path, bytes, sizeof bytes);
    return (struct span){.data = bytes, .size = got < 0 ? 0 : (size_t)got};
}

/* Drivers may still be at it when the first program starts. */
static bool wait_for_device(struct interface_setup *setup)
{
    const struct timespec pause = {.tv_nsec = DEVICE_POLL_MS * 1000000L};

    for (int waited = 0; waited <= DEVICE_WAIT_MS; waited += DEVICE_POLL_MS) {
        if (setup->device[0] != '\0' ? if_nametoindex(setup->device) != 0
                                     : first_device(read_table("/proc/net/dev"), is_ethernet, setup->device))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void write_resolv_conf(const struct network_request *request)
{
    char text[512], server[INET_ADDRSTRLEN];
    struct out out = out_into(text, sizeof text - 1);

    if (request->dns_count == 0)
        return;
    out_text(&out, "# Written by banger-init from the kernel command line.\n");
    for (size_t i = 0; i < request->dns_count; i++) {
        out_text(&out, "nameserver ");
        out_text(&out, inet_ntop(AF_INET, &request->dns[i], server, sizeof server));
        out_text(&out, "\n");
    }
    text[out.used] = '\0';
    write_if_empty("/etc/resolv.conf", text);
}

void apply_network_request(struct network_request *request)
{
    const char *step;

    write_resolv_conf(request);
    if (!request->static_address) {
        if (request->automatic && read_table("/proc/net/pnp").size == 0)
            complain(INIT_PROGRAM, "ip= asks for DHCP, which neither the kernel nor this image does", NULL, 0);
        return;
    }
    if (!wait_for_device(&request->setup))
        complain(INIT_PROGRAM, "no network device to give an address to", request->setup.device, 0);
    else if (!has_route(read_table("/proc/net/route"), request->setup.device) &&
             !configure_interface(&request->setup, &step))
        complain(INIT_PROGRAM, step, request->setup.device, errno);
}
