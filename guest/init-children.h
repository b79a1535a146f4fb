/*
 * The processes of PID 1: at most one step of the boot, the agent, the main program; and everything
 * that is handed to PID 1 when its parent ends. One loop waits for them, with a signal mask that
 * lets nothing interrupt it.
 */
#ifndef BANGER_INIT_CHILDREN_H
#define BANGER_INIT_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

#define NEVER INT64_MAX

/* From here on, SIGTERM, SIGINT (ctrl-alt-del), SIGPWR and their like ask the machine to stop. */
void watch_signals(void);

bool was_asked_to_stop(void);

/* Starts the agent where the image has it, and again, ever more slowly, whenever it ends. */
void start_agent(void);

/* Runs one of our scripts to its end, `allowed_ms` (or NEVER) at most, or until a stop is asked for. */
void run_step(const char *path, int64_t allowed_ms);

/*
 * Runs `body` in a new session on the console, whose result is its exit status, and waits for it.
 * Asked to stop, it sends `stop_signal`, and SIGKILL ten seconds later or when asked again.
 * Returns the status as wait() has it.
 */
int run_main(int (*body)(void), int stop_signal);

/* SIGTERM, then SIGKILL to every process there still is. */
void end_leftovers(void);

#endif
