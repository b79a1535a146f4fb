/*
 * vsock-get CID PORT PATH: one GET over vsock, the whole answer to stdout. For boot tests: inside
 * a guest with vsock_loopback, CID 1 is the guest itself. Exit status 0 when the answer is 200.
 */
#include "text.h"
#include "vsock-address.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "vsock-get"

static int failed(const char *what)
{
    complain(PROGRAM, what, NULL, errno);
    return 1;
}

static int connect_once(uint32_t cid, uint32_t port)
{
    struct vsock_address address = {.family = BANGER_AF_VSOCK, .cid = cid, .port = port};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(BANGER_AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return -1;
    if (connect(fd, (const void *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* The agent may just be starting: nobody listening (a reset, in vsock) is asked again for 5 s. */
static int connect_to(uint32_t cid, uint32_t port)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000000L};

    for (unsigned attempt = 0; attempt < 100; attempt++) {
        int fd = connect_once(cid, port);
        if (fd >= 0 || errno != ECONNRESET)
            return fd;
        nanosleep(&pause, NULL);
    }
    errno = ETIMEDOUT;
    return -1;
}

static bool ask(int fd, const char *path)
{
    char request[1024];
    struct out out = out_into(request, sizeof request);

    out_text(&out, "GET ");
    out_text(&out, path);
    out_text(&out, " HTTP/1.1\r\nHost: guest\r\n\r\n");
    if (out.full)
        errno = ENAMETOOLONG;
    return !out.full && write_all(fd, request, out.used);
}

/* Prints until the other side closes; true when the answer began with 200. */
static bool print_answer(int fd, bool *ok)
{
    char bytes[65536];
    size_t total = 0;
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        if (total == 0)
            *ok = span_starts((struct span){.data = bytes, .size = (size_t)got}, "HTTP/1.1 200 ");
        total += (size_t)got;
        if (!write_all(STDOUT_FILENO, bytes, (size_t)got))
            return false;
    }
    return got == 0;
}

int main(int argc, char **argv)
{
    uint64_t cid, port;
    bool ok = false;
    int fd;

    if (argc != 4 || !parse_decimal(span_of(argv[1]), VSOCK_CID_ANY, &cid) ||
        !parse_decimal(span_of(argv[2]), VSOCK_PORT_MAX, &port)) {
        complain(PROGRAM, "usage: vsock-get CID PORT PATH", NULL, 0);
        return 2;
    }
    fd = connect_to((uint32_t)cid, (uint32_t)port);
    if (fd < 0)
        return failed("cannot connect");
    if (!ask(fd, argv[3]))
        return failed("cannot send");
    if (!print_answer(fd, &ok))
        return failed("cannot read the answer");
    return ok ? 0 : 1;
}
