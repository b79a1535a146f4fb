/*
 * banger-vsock-agent: answers the host's questions about a guest, over vsock.
 *
 *   GET /healthz   {"status":"ok"}
 *   GET /info      boot id, uptime, host name, kernel, addresses, agent version
 *   GET /ports     the TCP sockets that listen
 *
 * HTTP/1.1, one request a connection. The port is --port, else banger.agent_port= on the kernel
 * command line, else 1024. It opens its sockets, gives up every right and then serves.
 *
 * Exit status: 1 the kernel said no (worth a retry: vsock may be a module that loads later),
 * 2 the command line is wrong (not worth one).
 */
#include "confine.h"
#include "inet.h"
#include "kernel-parameter.h"
#include "serve.h"
#include "vsock-address.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROGRAM "banger-vsock-agent"
/* Who waits for a place; the kernel caps it at net.core.somaxconn, 4,096 since Linux 5.4. */
#define BACKLOG 1024
#define EXIT_KERNEL 1
#define EXIT_USAGE 2

static const char usage[] =
    "usage: " PROGRAM " [--port N | --unix PATH]\n"
    "       " PROGRAM " --set-address DEVICE ADDRESS/PREFIX [GATEWAY]\n"
    "       " PROGRAM " --version\n";

static int wrong(const char *what, const char *subject)
{
    complain(PROGRAM, what, subject, 0);
    (void)write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return EXIT_USAGE;
}

static int failed(const char *what)
{
    complain(PROGRAM, what, NULL, errno);
    return EXIT_KERNEL;
}

static bool parse_port(struct span text, uint32_t *port)
{
    uint64_t value;

    if (!parse_decimal(text, VSOCK_PORT_MAX, &value) || value == 0)
        return false;
    *port = (uint32_t)value;
    return true;
}

static bool listen_on(int fd, const void *address, socklen_t size)
{
    return bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0;
}

static int listen_vsock(uint32_t port)
{
    struct vsock_address address = {.family = BANGER_AF_VSOCK, .port = port, .cid = VSOCK_CID_ANY};
    int fd = socket(BANGER_AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd >= 0 && listen_on(fd, &address, sizeof address) ? fd : -1;
}

/* For tests: the same agent where there is no vsock. An existing file is not replaced. */
static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    int fd;

    if (size == 0 || size >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, size);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && listen_on(fd, &address, sizeof address) ? fd : -1;
}

static int serve_listener(int listener)
{
    const char *step;
    /* Opened before the rights go; /info asks it for addresses. Without IPv4 it is -1. */
    int network_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (listener < 0)
        return failed("cannot listen");
    signal(SIGPIPE, SIG_IGN);
    if (!confine(&step))
        return failed(step);
    serve(listener, network_socket);
    return failed("the listening socket failed");
}

static int serve_vsock(const char *argument)
{
    char bytes[COMMAND_LINE_LIMIT];
    uint32_t port = VSOCK_PORT_DEFAULT;
    struct span value;

    if (argument != NULL && !parse_port(span_of(argument), &port))
        return wrong("not a vsock port", argument);
    if (argument == NULL && kernel_parameter(read_command_line(bytes, sizeof bytes), "banger.agent_port", &value) &&
        !parse_port(value, &port))
        return wrong("not a vsock port", "banger.agent_port on the kernel command line");
    return serve_listener(listen_vsock(port));
}

/* The network script's last resort, for an image with neither ip nor ifconfig. */
static int set_address(const char *device, const char *address, const char *gateway)
{
    struct interface_setup setup = {0};
    const char *step;

    if (strlen(device) == 0 || strlen(device) >= sizeof setup.device)
        return wrong("not an interface name", device);
    memcpy(setup.device, device, strlen(device));
    if (!parse_address_with_prefix(span_of(address), &setup))
        return wrong("not an IPv4 ADDRESS/PREFIX", address);
    if (gateway != NULL && !parse_inet(span_of(gateway), &setup.gateway))
        return wrong("not an IPv4 address", gateway);
    if (configure_interface(&setup, &step))
        return 0;
    return failed(step);
}

int main(int argc, char **argv)
{
    static const char version[] = BANGER_VERSION "\n";

    if (argc == 1)
        return serve_vsock(NULL);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return write_all(STDOUT_FILENO, version, sizeof version - 1) ? 0 : EXIT_KERNEL;
    if (argc == 3 && strcmp(argv[1], "--port") == 0)
        return serve_vsock(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--unix") == 0)
        return serve_listener(listen_unix(argv[2]));
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "--set-address") == 0)
        return set_address(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    return wrong("wrong arguments", argc > 1 ? argv[1] : NULL);
}
