/*
 * /etc/banger/init.conf: what banger-init is to run, as written into the image by the host.
 *
 * A sequence of records, each ended by one NUL. No byte but NUL is special: there is no quoting,
 * no comment and no character set, and no value can hold a NUL because execve() could not pass it.
 *
 *   banger-init 1     the first record, exactly: the format and its version
 *   arg=BYTES         Entrypoint and then Cmd, one record an element, in order; may be empty
 *   env=NAME=BYTES    Env in order
 *   dir=PATH          WorkingDir; absolute; default "/"
 *   user=TEXT         User as in the image config: user, uid, user:group, uid:gid, …; default root
 *   stop=TEXT         StopSignal: SIGTERM, TERM, 15, SIGRTMIN+3; default SIGTERM
 *   hostname=TEXT     default: what the kernel has
 *   end               the last record, exactly, and the file ends with its NUL
 *
 * arg and env may repeat; the others stand at most once. A record of another kind, one too many or
 * a missing end makes the whole file invalid: half a command must not be run.
 */
#ifndef BANGER_INIT_CONF_H
#define BANGER_INIT_CONF_H

#include "text.h"

/* The kernel gives argv and environ together a quarter of an 8 MiB stack (fs/exec.c). */
#define CONF_LIMIT (2 * 1024 * 1024)
/* Images have dozens. */
#define CONF_STRINGS 4096

struct init_conf {
    /* NULL-terminated, pointing into the bytes that were parsed. */
    char *arguments[CONF_STRINGS + 1];
    char *environment[CONF_STRINGS + 1];
    size_t argument_count, environment_count;
    /* Never NULL; empty where the file has no such record. */
    const char *directory, *user, *hostname;
    int stop_signal;
};

/* False, with `*why`, when the file is not exactly as above. `data` must outlive `conf`. */
bool parse_init_conf(char *data, size_t size, struct init_conf *conf, const char **why);

/* The number of a signal by name, with or without SIG, or by number; 0 when it is none. */
int parse_signal(struct span text);

/* The name of a signal ("SIGKILL"), or NULL. */
const char *signal_name(int signal);

#endif
