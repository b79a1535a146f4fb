/*
 * Who the main program runs as: the image config's User, looked up in the image's own /etc/passwd
 * and /etc/group as container runtimes do (OCI image-spec config.md "User"; moby/sys/user
 * GetExecUser). The C library's getpwnam() is not used: a static one cannot load NSS modules.
 */
#ifndef BANGER_INIT_USER_H
#define BANGER_INIT_USER_H

#include "text.h"

#include <sys/types.h>

#define GROUPS_LIMIT 1024

struct identity {
    uid_t uid;
    gid_t gid;
    /* The gid first, then the supplementary groups. */
    gid_t groups[GROUPS_LIMIT];
    size_t group_count;
    /* Home of passwd, "/" where it has none; borrowed from `passwd`, so not NUL-terminated. */
    struct span home;
};

/*
 * `user`: "", user, uid, user:group, uid:gid, uid:group or user:gid. Numbers are ids, never names;
 * an unknown number is taken as it is, with group 0; an unknown name is an error. Without a group,
 * that of passwd and the supplementary groups apply; with one, only that. False with `*why`.
 */
bool find_identity(struct span passwd, struct span group, struct span user, struct identity *identity,
                   const char **why);

#endif
