/*
 * What the guest's readers make of bytes, one assertion a fact. Built with the sanitizers by
 * readers.test.ts; a failure names its line and ends with 1.
 */
#include "../../guest/info.h"
#include "../../guest/init-conf.h"
#include "../../guest/init-modules.h"
#include "../../guest/init-network.h"
#include "../../guest/kernel-parameter.h"
#include "../../guest/ports.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(truth)                                                                                          \
    do {                                                                                                     \
        if (!(truth)) {                                                                                      \
            fprintf(stderr, "line %d: %s\n", __LINE__, #truth);                                              \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static char written[4096];

static bool wrote(struct out *out, const char *expected)
{
    bool same = out->used == strlen(expected) && memcmp(out->data, expected, out->used) == 0;

    if (!same)
        fprintf(stderr, "wrote %.*s\n", (int)out->used, out->data);
    *out = out_into(written, sizeof written);
    return same;
}

static void json(void)
{
    struct out out = out_into(written, sizeof written);
    char small[4];

    out_json(&out, span_of("a\"b\\c\n\x7f\x01"));
    MUST(wrote(&out, "\"a\\\"b\\\\c\\u000a\\u007f\\u0001\""));
    out_json(&out, span_of("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    MUST(wrote(&out, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
    /* A lone lead byte, an overlong slash, a surrogate, beyond U+10FFFF, cut off. */
    out_json(&out, span_of("\xc3\x28"));
    MUST(wrote(&out, "\"\xef\xbf\xbd(\""));
    out_json(&out, span_of("\xc0\xaf"));
    MUST(wrote(&out, "\"\xef\xbf\xbd\xef\xbf\xbd\""));
    out_json(&out, span_of("\xed\xa0\x80"));
    MUST(wrote(&out, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
    out_json(&out, span_of("\xf4\x90\x80\x80"));
    MUST(wrote(&out, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
    out_json(&out, span_of("\xe2\x82"));
    MUST(wrote(&out, "\"\xef\xbf\xbd\xef\xbf\xbd\""));
    out = out_into(small, sizeof small);
    out_text(&out, "abc");
    out_text(&out, "de");
    MUST(out.full && out.used == 3);
    out_text(&out, "d");
    MUST(out.used == 3);
}

static void numbers(void)
{
    uint64_t value = 7;

    MUST(parse_decimal(span_of("0"), 10, &value) && value == 0);
    MUST(parse_decimal(span_of("18446744073709551615"), UINT64_MAX, &value) && value == UINT64_MAX);
    MUST(!parse_decimal(span_of("18446744073709551616"), UINT64_MAX, &value));
    MUST(parse_decimal(span_of("10"), 10, &value) && !parse_decimal(span_of("11"), 10, &value));
    MUST(!parse_decimal(span_of(""), 10, &value) && !parse_decimal(span_of("-1"), 10, &value));
    MUST(!parse_decimal(span_of(" 1"), 10, &value) && !parse_decimal(span_of("0x1"), 10, &value));
    MUST(parse_hex(span_of("fFfFfFfFfFfFfFfF"), &value) && value == UINT64_MAX);
    MUST(!parse_hex(span_of("11111111111111111"), &value) && !parse_hex(span_of("g"), &value));
}

static void tables(void)
{
    struct listener found;
    struct out out = out_into(written, sizeof written);

    MUST(ports_parse_line(span_of("   0: 0100007F:1F90 00000000:0000 0A 0:0"), &found));
    MUST(strcmp(found.address, "127.0.0.1") == 0 && found.port == 8080);
    MUST(ports_parse_line(span_of(" 1: 0000000000000000FFFF00000100007F:0016 00:0 0A"), &found));
    MUST(strcmp(found.address, "::ffff:127.0.0.1") == 0 && found.port == 22);
    MUST(!ports_parse_line(span_of("   0: 0100007F:1F90 00000000:0000 01 0:0"), &found));
    MUST(!ports_parse_line(span_of("  sl  local_address rem_address   st"), &found));
    MUST(!ports_parse_line(span_of("   0: 0100007:1F90 00000000:0000 0A"), &found));
    MUST(!ports_parse_line(span_of("   0: 0100007F 00000000:0000 0A"), &found));
    MUST(!ports_parse_line(span_of("   0: 0100007F:11F90 00000000:0000 0A"), &found));
    info_uptime(&out, span_of("12.34 56.78"));
    MUST(wrote(&out, "12.34"));
    info_uptime(&out, span_of("1e5 1"));
    MUST(wrote(&out, "null"));
    info_uptime(&out, span_of("01.5"));
    MUST(wrote(&out, "null"));
    info_inet6(&out, span_of("fd000000000000000000000000000002 02 40 00 80     eth0\nbad\n"), false);
    MUST(wrote(&out, ",{\"interface\":\"eth0\",\"family\":\"inet6\",\"address\":\"fd00::2\",\"prefix_length\":64}"));
}

static void command_lines(void)
{
    struct span value;

    MUST(kernel_parameter(span_of("a=1 b=2 a=3\n"), "a", &value) && span_is(value, "3"));
    MUST(kernel_parameter(span_of("x a=\"1 2\" y"), "a", &value) && span_is(value, "1 2"));
    MUST(kernel_parameter(span_of("\"a=1 2\""), "a", &value) && span_is(value, "1 2"));
    MUST(!kernel_parameter(span_of("aa=1 -- a=1"), "a", &value));
    MUST(!kernel_parameter(span_of("x=\"y a=1\""), "a", &value));
    MUST(kernel_parameter(span_of("a="), "a", &value) && value.size == 0);
    MUST(!kernel_parameter(span_of("a"), "a", &value));
}

static bool is(struct in_addr address, const char *text)
{
    return address.s_addr == inet_addr(text);
}

static bool never_lo(const char *name)
{
    return strcmp(name, "lo") != 0;
}

static void networks(void)
{
    struct network_request r;
    const char *why;
    char name[16];

    MUST(parse_network_request(span_of("quiet"), &r, &why) && !r.static_address && !r.automatic);
    MUST(parse_network_request(span_of("ip=10.0.0.2::10.0.0.1:255.255.255.0:box:eth1:off:1.1.1.1:8.8.8.8:9.9.9.9"), &r, &why));
    MUST(r.static_address && is(r.setup.address, "10.0.0.2") && is(r.setup.gateway, "10.0.0.1"));
    MUST(is(r.setup.mask, "255.255.255.0") && strcmp(r.hostname, "box") == 0 && strcmp(r.setup.device, "eth1") == 0);
    MUST(r.dns_count == 2 && is(r.dns[0], "1.1.1.1") && is(r.dns[1], "8.8.8.8"));
    MUST(parse_network_request(span_of("ip=172.16.0.2"), &r, &why) && is(r.setup.mask, "255.255.0.0"));
    MUST(parse_network_request(span_of("ip=:::::eth0:dhcp"), &r, &why) && r.automatic && !r.static_address);
    MUST(parse_network_request(span_of("ip=dhcp"), &r, &why) && r.automatic);
    MUST(parse_network_request(span_of("ip=off"), &r, &why) && !r.automatic && !r.static_address);
    MUST(parse_network_request(span_of("ip=0.0.0.0::::::dhcp"), &r, &why) && r.automatic && !r.static_address);
    MUST(!parse_network_request(span_of("ip=10.0.0.2::::::sometimes"), &r, &why));
    MUST(parse_network_request(span_of("ip=1.2.3.4 banger.address=10.0.0.3/32 banger.gateway=10.0.0.1 "
                                       "banger.dns=9.9.9.9 banger.device=ens3 banger.hostname=h"), &r, &why));
    MUST(is(r.setup.address, "10.0.0.3") && is(r.setup.mask, "255.255.255.255") && is(r.setup.gateway, "10.0.0.1"));
    MUST(r.dns_count == 1 && strcmp(r.setup.device, "ens3") == 0 && strcmp(r.hostname, "h") == 0);
    MUST(!parse_network_request(span_of("banger.address=10.0.0.3"), &r, &why) && !r.static_address);
    MUST(!parse_network_request(span_of("banger.address=10.0.0.3/33"), &r, &why));
    MUST(!parse_network_request(span_of("banger.address=10.0.0.3.1/8"), &r, &why));
    MUST(!parse_network_request(span_of("ip=10.0.0.2:::255.0.255.0"), &r, &why));
    MUST(!parse_network_request(span_of("banger.device=../../etc/x"), &r, &why));
    MUST(!parse_network_request(span_of("banger.dns=1.1.1.1,x"), &r, &why) && r.dns_count == 1);
    MUST(first_device(span_of("Inter-|\n face |\n  lo: 1\n eth1: 2\n eth0:3\n"), never_lo, name));
    MUST(strcmp(name, "eth0") == 0);
    MUST(!first_device(span_of("   lo: 1\n"), never_lo, name));
    MUST(has_route(span_of("Iface\tD\neth0\t0\n"), "eth0") && !has_route(span_of("Iface\tD\neth01\t0\n"), "eth0"));
}

static void modules(void)
{
    struct span file, needs, rest, module;
    struct span table = span_of("kernel/a/not-vsock.ko:\nkernel/a/vsock.ko.xz: kernel/b/x.ko kernel/c/y.ko\nkernel/n_t.ko:\n");

    MUST(find_module(table, span_of("vsock"), &file, &needs) && span_is(file, "kernel/a/vsock.ko.xz"));
    MUST(span_is(needs, " kernel/b/x.ko kernel/c/y.ko"));
    MUST(find_module(table, span_of("n-t"), &file, &needs) && needs.size == 0);
    MUST(find_module(table, span_of("not_vsock"), &file, &needs));
    MUST(!find_module(table, span_of("sock"), &file, &needs) && !find_module(table, span_of(""), &file, &needs));
    rest = span_of("# x\nalias virtio:d00000001v* virtio_net\nalias virtio:d00000002v* blk\nalias virtio:d*v* any\n");
    MUST(next_driver(&rest, "virtio:d00000001v00001AF4", &module) && span_is(module, "virtio_net"));
    MUST(next_driver(&rest, "virtio:d00000001v00001AF4", &module) && span_is(module, "any"));
    MUST(!next_driver(&rest, "virtio:d00000001v00001AF4", &module));
}

static void signals(void)
{
    MUST(parse_signal(span_of("SIGTERM")) == 15 && parse_signal(span_of("TERM")) == 15);
    MUST(parse_signal(span_of("9")) == 9 && parse_signal(span_of("64")) == 64);
    MUST(parse_signal(span_of("SIGRTMIN")) == 34 && parse_signal(span_of("RTMIN+3")) == 37);
    MUST(parse_signal(span_of("SIGRTMAX-1")) == 63);
    MUST(parse_signal(span_of("0")) == 0 && parse_signal(span_of("65")) == 0 && parse_signal(span_of("")) == 0);
    MUST(parse_signal(span_of("sigterm")) == 0 && parse_signal(span_of("SIG")) == 0);
    MUST(parse_signal(span_of("SIGRTMIN+31")) == 0 && parse_signal(span_of("SIGRTMIN-1")) == 0);
}

int main(void)
{
    json();
    numbers();
    tables();
    command_lines();
    networks();
    modules();
    signals();
    return 0;
}
