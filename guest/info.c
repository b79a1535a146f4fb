#include "info.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#ifndef BANGER_VERSION
#define BANGER_VERSION "0"
#endif

/* More interfaces than a microVM has; /info lists the first of them. */
#define ADDRESS_LIMIT 64

static void field(struct out *out, const char *name, struct span value)
{
    out_text(out, ",\"");
    out_text(out, name);
    out_text(out, "\":");
    out_json(out, value);
}

static void c_string_field(struct out *out, const char *name, const char *value, size_t limit)
{
    field(out, name, (struct span){.data = value, .size = strnlen(value, limit)});
}

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0 && text.size <= 18;
}

void info_uptime(struct out *out, struct span uptime)
{
    struct span number, whole, fraction;

    if (!span_word(&uptime, &number) || !span_next(&number, '.', &whole) ||
        !span_next(&number, '.', &fraction) || !is_digits(whole) || !is_digits(fraction) ||
        (whole.size > 1 && whole.data[0] == '0')) {
        out_text(out, "null");
        return;
    }
    out_bytes(out, whole.data, whole.size);
    out_text(out, ".");
    out_bytes(out, fraction.data, fraction.size);
}

static void address(struct out *out, bool first, struct span interface, const char *family,
                    const char *text, uint64_t prefix_length)
{
    out_text(out, first ? "{\"interface\":" : ",{\"interface\":");
    out_json(out, interface);
    c_string_field(out, "family", family, 8);
    c_string_field(out, "address", text, INET6_ADDRSTRLEN);
    out_text(out, ",\"prefix_length\":");
    out_number(out, prefix_length);
    out_text(out, "}");
}

static unsigned prefix_of(struct in_addr mask)
{
    return (unsigned)__builtin_popcount(mask.s_addr);
}

/* IPv4 by SIOCGIFCONF, which needs neither memory nor a privilege. Returns how many it listed. */
static unsigned list_inet(struct out *out, int network_socket)
{
    struct ifreq requests[ADDRESS_LIMIT];
    struct ifconf conf = {.ifc_len = sizeof requests, .ifc_req = requests};
    unsigned count;

    if (network_socket < 0 || ioctl(network_socket, SIOCGIFCONF, &conf) < 0)
        return 0;
    count = (unsigned)conf.ifc_len / sizeof requests[0];
    for (unsigned i = 0; i < count; i++) {
        struct ifreq mask = requests[i];
        struct sockaddr_in bound, netmask = {0};
        char text[INET_ADDRSTRLEN] = "";

        memcpy(&bound, &requests[i].ifr_addr, sizeof bound);
        if (ioctl(network_socket, SIOCGIFNETMASK, &mask) == 0)
            memcpy(&netmask, &mask.ifr_netmask, sizeof netmask);
        inet_ntop(AF_INET, &bound.sin_addr, text, sizeof text);
        address(out, i == 0,
                (struct span){.data = requests[i].ifr_name, .size = strnlen(requests[i].ifr_name, IFNAMSIZ)},
                "inet", text, prefix_of(netmask.sin_addr));
    }
    return count;
}

/* "fe80…(32 hex) index prefix scope flags name", all numbers in hex (net/ipv6/addrconf.c). */
static bool parse_inet6_line(struct span line, struct in6_addr *bound, uint64_t *prefix, struct span *name)
{
    struct span hex, word;

    if (!span_word(&line, &hex) || hex.size != 32 || !span_word(&line, &word))
        return false;
    for (size_t i = 0; i < 16; i++) {
        uint64_t byte;
        if (!parse_hex((struct span){.data = hex.data + 2 * i, .size = 2}, &byte))
            return false;
        bound->s6_addr[i] = (unsigned char)byte;
    }
    if (!span_word(&line, &word) || !parse_hex(word, prefix) || *prefix > 128)
        return false;
    return span_word(&line, &word) && span_word(&line, &word) && span_word(&line, name);
}

void info_inet6(struct out *out, struct span table, bool first)
{
    struct span line, name;
    unsigned count = 0;

    while (count < ADDRESS_LIMIT && span_next(&table, '\n', &line)) {
        struct in6_addr bound;
        uint64_t prefix;
        char text[INET6_ADDRSTRLEN] = "";

        if (!parse_inet6_line(line, &bound, &prefix, &name))
            continue;
        inet_ntop(AF_INET6, &bound, text, sizeof text);
        address(out, first, name, "inet6", text, prefix);
        first = false;
        count++;
    }
}

static struct span read_span(const char *path, char *data, size_t size)
{
    ssize_t got = read_file(path, data, size);
    struct span text = {.data = data, .size = got < 0 ? 0 : (size_t)got};

    while (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    return text;
}

static void kernel_fields(struct out *out)
{
    struct utsname names;

    if (uname(&names) < 0)
        memset(&names, 0, sizeof names);
    c_string_field(out, "hostname", names.nodename, sizeof names.nodename);
    out_text(out, ",\"kernel\":{\"name\":");
    out_json(out, span_of(names.sysname));
    c_string_field(out, "release", names.release, sizeof names.release);
    c_string_field(out, "version", names.version, sizeof names.version);
    c_string_field(out, "machine", names.machine, sizeof names.machine);
    out_text(out, "}");
}

void info_document(struct out *out, int network_socket)
{
    char small[128], table[8192];
    unsigned listed;

    out_text(out, "{\"agent_version\":");
    out_json(out, span_of(BANGER_VERSION));
    field(out, "boot_id", read_span("/proc/sys/kernel/random/boot_id", small, sizeof small));
    out_text(out, ",\"uptime_seconds\":");
    info_uptime(out, read_span("/proc/uptime", small, sizeof small));
    kernel_fields(out);
    out_text(out, ",\"addresses\":[");
    listed = list_inet(out, network_socket);
    info_inet6(out, read_span("/proc/net/if_inet6", table, sizeof table), listed == 0);
    out_text(out, "]}\n");
}
