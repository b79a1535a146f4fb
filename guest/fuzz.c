/*
 * libFuzzer over everything that reads bytes it cannot trust. The first byte picks the reader:
 * 'H' a request and its answer, 'C' init.conf, 'U' passwd, group and User, 'K' the kernel command
 * line, 'T' /proc/net/tcp, 'I' /proc/net/if_inet6 and /proc/uptime,
 * 'M' modules.dep and modules.alias; anything else is a request.
 * Besides the sanitizers, it checks what each promises about its output.
 */
#include "answers.h"
#include "info.h"
#include "init-conf.h"
#include "init-modules.h"
#include "init-network.h"
#include "init-run.h"
#include "init-user.h"
#include "ports.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

/* Whether more bytes come or not, an answer is HTTP and names a length; none only when more may come. */
static void fuzz_request(struct span received)
{
    static char bytes[ANSWER_LIMIT];
    struct out early = out_into(bytes, sizeof bytes), late = early;

    if (answer_request(received, false, -1, &early)) {
        must(!early.full && early.used > 12 && memcmp(bytes, "HTTP/1.1 ", 9) == 0);
        must(memmem(bytes, early.used, "\r\n\r\n", 4) != NULL);
    } else {
        must(received.size < HTTP_HEAD_LIMIT);
    }
    must(answer_request(received, true, -1, &late) && !late.full);
}

static void fuzz_conf(const char *data, size_t size)
{
    static struct init_conf conf;
    static struct environment environment;
    static struct identity identity;
    const char *why = NULL;
    char *copy = malloc(size + 1);

    must(copy != NULL);
    memcpy(copy, data, size);
    if (parse_init_conf(copy, size, &conf, &why)) {
        must(conf.directory[0] == '/' && conf.stop_signal > 0 && conf.stop_signal <= 64);
        identity.home = span_of("/");
        make_environment(&conf, &identity, true, &environment);
        must(environment_value(&environment, "PATH") != NULL && environment_value(&environment, "HOME") != NULL);
    } else {
        must(why != NULL);
    }
    free(copy);
}

/* passwd, group and User, apart by NUL bytes. */
static void fuzz_user(struct span text)
{
    static struct identity identity;
    struct span passwd = {0}, group = {0}, user = {0};
    const char *why = NULL;

    (void)span_next(&text, '\0', &passwd);
    (void)span_next(&text, '\0', &group);
    (void)span_next(&text, '\0', &user);
    if (find_identity(passwd, group, user, &identity, &why))
        must(identity.uid != (uid_t)-1 && identity.group_count >= 1 && identity.groups[0] == identity.gid);
    else
        must(why != NULL);
}

static void fuzz_command_line(struct span text)
{
    struct network_request request;
    const char *why = NULL;

    if (!parse_network_request(text, &request, &why))
        must(why != NULL);
    must(memchr(request.hostname, '\0', sizeof request.hostname) != NULL);
    must(memchr(request.setup.device, '\0', sizeof request.setup.device) != NULL);
}

static bool any(const char *name)
{
    return name[0] != '\0';
}

static void fuzz_tables(struct span text, bool ports)
{
    static char bytes[4096];
    char name[16];
    struct out out = out_into(bytes, sizeof bytes);
    bool first = true;

    if (ports) {
        ports_table(&out, "inet", text, &first);
        must(first == (out.used == 0));
        (void)first_device(text, any, name);
        (void)has_route(text, "eth0");
    } else {
        info_inet6(&out, text, true);
        info_uptime(&out, text);
    }
    out = out_into(bytes, sizeof bytes);
    out_json(&out, text);
    must(out.full || (bytes[0] == '"' && bytes[out.used - 1] == '"'));
}

static void fuzz_modules(struct span text)
{
    struct span file, needs, module, rest = text;

    if (find_module(text, span_of("vsock"), &file, &needs))
        must(file.size >= strlen("vsock.ko"));
    while (next_driver(&rest, "virtio:d00000001v00001AF4", &module))
        must(module.size > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {.data = (const char *)data, .size = size}, rest = all;

    if (size == 0)
        return 0;
    rest.data++;
    rest.size--;
    switch (data[0]) {
    case 'C':
        fuzz_conf(rest.data, rest.size);
        break;
    case 'U':
        fuzz_user(rest);
        break;
    case 'K':
        fuzz_command_line(rest);
        break;
    case 'T':
    case 'I':
        fuzz_tables(rest, data[0] == 'T');
        break;
    case 'M':
        fuzz_modules(rest);
        break;
    case 'H':
        fuzz_request(rest);
        break;
    default:
        fuzz_request(all);
    }
    return 0;
}
