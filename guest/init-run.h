/* Starting the main program as a container runtime would. */
#ifndef BANGER_INIT_RUN_H
#define BANGER_INIT_RUN_H

#include "init-conf.h"
#include "init-user.h"

#define INIT_PROGRAM "banger-init"

/* What a shell answers, and docker run: found but not runnable, not found. */
#define STATUS_CANNOT_RUN 126
#define STATUS_NOT_FOUND 127

struct environment {
    /* NULL-terminated: Env and up to three defaults. */
    char *variables[CONF_STRINGS + 4];
    size_t count;
    char home[4096 + 8];
};

/*
 * Env, the last of several values of one name winning; then PATH, HOME and, when `on_terminal`,
 * TERM where they are not set. Entries without a name or "=" mean nothing and are left out.
 * Borrows the strings of `conf`.
 */
void make_environment(const struct init_conf *conf, const struct identity *identity, bool on_terminal,
                      struct environment *environment);

/* The value of NAME, or NULL. */
const char *environment_value(const struct environment *environment, const char *name);

/*
 * In a new process: working directory (made if missing), identity, then execve() of the first
 * argument, looked up in the environment's own PATH. Returns only on failure, having said why, with
 * the status to exit with.
 */
int become_program(struct init_conf *conf, const struct identity *identity, struct environment *environment);

#endif
