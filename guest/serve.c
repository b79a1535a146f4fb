#include "serve.h"

#include "answers.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * A request of 100 bytes over vsock takes far below a millisecond; these are for clients that are
 * stuck. They bound how long a place stays taken: 5 + 10 + 1 seconds.
 */
#define RECEIVE_MS 5000
#define SEND_MS 10000
#define LINGER_MS 1000
/* Accepting can fail for lack of memory; try again then, without spinning. */
#define ACCEPT_PAUSE_MS 200

enum state { FREE, RECEIVING, SENDING, LINGERING };

struct connection {
    enum state state;
    int fd;
    int64_t deadline;
    size_t received, answer_size, sent;
    char request[HTTP_HEAD_LIMIT];
    char answer[ANSWER_LIMIT];
};

/* 9 MB of zero pages, of which the kernel hands out only those that are touched. */
static struct connection connections[CONNECTION_LIMIT];

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void enter(struct connection *c, enum state state, int64_t allowed_ms)
{
    c->state = state;
    c->deadline = now_ms() + allowed_ms;
}

static void drop(struct connection *c)
{
    close(c->fd);
    c->state = FREE;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/*
 * The answer is out. Closing while bytes of the client's are unread would reset the connection and
 * could take the answer with it, so: say that we are done, and read on for a moment.
 */
static void linger(struct connection *c)
{
    shutdown(c->fd, SHUT_WR);
    enter(c, LINGERING, LINGER_MS);
}

static void on_writable(struct connection *c)
{
    while (c->sent < c->answer_size) {
        ssize_t put = send(c->fd, c->answer + c->sent, c->answer_size - c->sent, MSG_NOSIGNAL);
        if (put < 0 && would_block(errno))
            return;
        if (put <= 0) {
            drop(c);
            return;
        }
        c->sent += (size_t)put;
    }
    linger(c);
}

static void send_answer(struct connection *c, size_t size)
{
    c->answer_size = size;
    c->sent = 0;
    enter(c, SENDING, SEND_MS);
    on_writable(c);
}

static void on_readable(struct connection *c, int network_socket)
{
    struct out out = out_into(c->answer, sizeof c->answer);
    ssize_t got = recv(c->fd, c->request + c->received, sizeof c->request - c->received, 0);

    if (got < 0 && would_block(errno))
        return;
    /* Nothing was asked, or nobody is there to hear the answer. */
    if (got < 0 || (got == 0 && c->received == 0)) {
        drop(c);
        return;
    }
    c->received += (size_t)got;
    if (answer_request((struct span){.data = c->request, .size = c->received}, got == 0, network_socket, &out))
        send_answer(c, out.used);
}

static void on_lingering(struct connection *c)
{
    char ignored[4096];
    ssize_t got = recv(c->fd, ignored, sizeof ignored, 0);

    /* One piece a round: the deadline ends it for a client that never stops. */
    if (got == 0 || (got < 0 && !would_block(errno)))
        drop(c);
}

static void on_deadline(struct connection *c)
{
    struct out out = out_into(c->answer, sizeof c->answer);

    if (c->state != RECEIVING || c->received == 0) {
        drop(c);
        return;
    }
    answer_status(&out, 408, false);
    send_answer(c, out.used);
}

static void on_event(struct connection *c, int network_socket)
{
    if (c->state == RECEIVING)
        on_readable(c, network_socket);
    else if (c->state == SENDING)
        on_writable(c);
    else if (c->state == LINGERING)
        on_lingering(c);
}

static struct connection *free_place(void)
{
    for (size_t i = 0; i < CONNECTION_LIMIT; i++)
        if (connections[i].state == FREE)
            return &connections[i];
    return NULL;
}

/* Takes what waits, as far as there is room. False when the listener should rest for a moment. */
static bool accept_waiting(int listener)
{
    struct connection *c;

    while ((c = free_place()) != NULL) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0)
            return would_block(errno);
        c->fd = fd;
        c->received = 0;
        enter(c, RECEIVING, RECEIVE_MS);
    }
    return true;
}

/* Fills `polled` for the connections in use; returns the wait until the nearest deadline, or -1. */
static int prepare(struct pollfd *polled)
{
    int64_t now = now_ms(), wait = -1;

    for (size_t i = 0; i < CONNECTION_LIMIT; i++) {
        struct connection *c = &connections[i];

        /* poll() passes over negative descriptors. */
        polled[i] = (struct pollfd){.fd = -1};
        if (c->state != FREE && c->deadline <= now)
            on_deadline(c);
        if (c->state == FREE)
            continue;
        polled[i].fd = c->fd;
        polled[i].events = c->state == SENDING ? POLLOUT : POLLIN;
        if (wait < 0 || c->deadline - now < wait)
            wait = c->deadline > now ? c->deadline - now : 0;
    }
    return (int)wait;
}

void serve(int listener, int network_socket)
{
    struct pollfd polled[CONNECTION_LIMIT + 1];
    bool resting = false;

    for (;;) {
        int wait = prepare(polled), ready;

        polled[CONNECTION_LIMIT] = (struct pollfd){.fd = listener, .events = POLLIN};
        if (resting || free_place() == NULL)
            polled[CONNECTION_LIMIT].fd = -1;
        if (resting && (wait < 0 || wait > ACCEPT_PAUSE_MS))
            wait = ACCEPT_PAUSE_MS;
        ready = poll(polled, CONNECTION_LIMIT + 1, wait);
        if (ready < 0 && errno != EINTR)
            return;
        resting = false;
        if (ready <= 0)
            continue;
        for (size_t i = 0; i < CONNECTION_LIMIT; i++)
            if (polled[i].revents != 0)
                on_event(&connections[i], network_socket);
        if ((polled[CONNECTION_LIMIT].revents & (POLLERR | POLLNVAL)) != 0)
            return;
        if ((polled[CONNECTION_LIMIT].revents & POLLIN) != 0)
            resting = !accept_waiting(listener);
    }
}
