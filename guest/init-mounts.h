/* The file systems a program expects around it, and taking them away at the end. */
#ifndef BANGER_INIT_MOUNTS_H
#define BANGER_INIT_MOUNTS_H

#include <stdbool.h>

/* /proc alone, on a root made writable for the moment if the mount point is missing. */
void mount_proc(void);

struct mount_policy {
    bool keep_root_read_only; /* banger.root=ro */
    bool tmp_in_memory;       /* banger.tmp=tmpfs */
};

/*
 * Root writable, /sys, cgroup2, /dev with pts, shm and mqueue, /run, /tmp; every missing mount
 * point is made. What fails is said and passed over: a program may well run without it.
 */
void mount_all(const struct mount_policy *policy);

/* Writes `text` to a file that is missing or empty; container images have such placeholders. */
void write_if_empty(const char *path, const char *text);

/* Everything written out and unmounted or read-only, as far as it can be. */
void unmount_all(void);

#endif
