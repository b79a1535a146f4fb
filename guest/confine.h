/* Giving up every right the agent has no use for. */
#ifndef BANGER_CONFINE_H
#define BANGER_CONFINE_H

#include <stdbool.h>

/*
 * For a process that has all its sockets: no new privileges, no capabilities, uid and gid 65534
 * when it was root, no core dumps, no children, few descriptors, and only the system calls of the
 * poll loop. False, with errno and `*step` naming what failed, when root could not be given up;
 * the caller must not serve then. What a kernel merely does not know is passed over.
 */
bool confine(const char **step);

#endif
