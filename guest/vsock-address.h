/*
 * The one kernel structure an AF_VSOCK socket needs (include/uapi/linux/vm_sockets.h), written out
 * here because musl-tools brings no kernel headers. It is part of the kernel's stable ABI.
 */
#ifndef BANGER_VSOCK_ADDRESS_H
#define BANGER_VSOCK_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#define BANGER_AF_VSOCK 40
#define VSOCK_CID_ANY 0xffffffffu
#define VSOCK_CID_LOOPBACK 1u
/* 0xffffffff means "any free port" to bind(), so it cannot name one. */
#define VSOCK_PORT_MAX 0xfffffffeu
#define VSOCK_PORT_DEFAULT 1024u

struct vsock_address {
    sa_family_t family;
    uint16_t reserved;
    uint32_t port;
    uint32_t cid;
    uint8_t flags;
    uint8_t zero[3];
};

_Static_assert(sizeof(struct vsock_address) == 16, "the kernel's sockaddr_vm is as large as a sockaddr");

#endif
