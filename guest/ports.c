#include "ports.h"

#include <arpa/inet.h>
#include <string.h>

/* TCP_LISTEN of include/net/tcp_states.h. */
#define STATE_LISTEN 0x0a
/* A line of /proc/net/tcp has 150 bytes, of tcp6 some 180. */
#define TABLE_LIMIT (256 * 1024)

static char table_bytes[TABLE_LIMIT];

/*
 * The kernel prints an address as 32-bit words of memory in the machine's own byte order ("%08X"
 * in net/ipv4/tcp_ipv4.c), so reading a word as a number and storing it gives the bytes back.
 */
static bool parse_address(struct span hex, struct listener *listener)
{
    uint32_t words[4];
    size_t count = hex.size / 8;

    if (hex.size != 8 && hex.size != 32)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        if (!parse_hex((struct span){.data = hex.data + 8 * i, .size = 8}, &word))
            return false;
        words[i] = (uint32_t)word;
    }
    return inet_ntop(count == 1 ? AF_INET : AF_INET6, words, listener->address,
                     sizeof listener->address) != NULL;
}

/* "  0: 0100007F:1F90 00000000:0000 0A …": slot, local, remote, state. */
bool ports_parse_line(struct span line, struct listener *listener)
{
    struct span slot, local, remote, state, address;
    uint64_t port, code;

    if (!span_word(&line, &slot) || !span_word(&line, &local) || !span_word(&line, &remote) ||
        !span_word(&line, &state))
        return false;
    if (state.size != 2 || !parse_hex(state, &code) || code != STATE_LISTEN)
        return false;
    if (!span_next(&local, ':', &address) || local.data == NULL || local.size != 4 || !parse_hex(local, &port))
        return false;
    listener->port = (uint16_t)port;
    return parse_address(address, listener);
}

void ports_table(struct out *out, const char *family, struct span table, bool *first)
{
    struct span line;
    struct listener listener;

    while (!out->full && span_next(&table, '\n', &line)) {
        size_t before = out->used;

        if (!ports_parse_line(line, &listener))
            continue;
        out_text(out, *first ? "{\"family\":\"" : ",{\"family\":\"");
        out_text(out, family);
        out_text(out, "\",\"address\":");
        out_json(out, span_of(listener.address));
        out_text(out, ",\"port\":");
        out_number(out, listener.port);
        out_text(out, "}");
        /* An object that does not fit goes whole, so that the document stays JSON. */
        if (out->full)
            out->used = before;
        else
            *first = false;
    }
}

void ports_document(struct out *out)
{
    static const struct {
        const char *path, *family;
    } tables[] = {{"/proc/net/tcp", "inet"}, {"/proc/net/tcp6", "inet6"}};
    static const char begin[] = "{\"listening\":[", end[] = "],\"truncated\":";
    /* Room for the end is set aside first. */
    struct out items = out_into(out->data, out->size - 64);
    bool first = true, truncated = false;

    out_text(&items, begin);
    for (size_t i = 0; i < 2; i++) {
        ssize_t got = read_file(tables[i].path, table_bytes, sizeof table_bytes);
        /* No tcp6 without IPv6: nothing listens there. */
        if (got <= 0)
            continue;
        ports_table(&items, tables[i].family, (struct span){.data = table_bytes, .size = (size_t)got}, &first);
        truncated = truncated || (size_t)got == sizeof table_bytes;
    }
    truncated = truncated || items.full;
    out->used = items.used;
    out_text(out, end);
    out_text(out, truncated ? "true}\n" : "false}\n");
}
