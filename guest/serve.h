/* The poll loop: one thread, a fixed number of connections, a deadline for each. */
#ifndef BANGER_SERVE_H
#define BANGER_SERVE_H

/* As many at once; further ones wait in the listener's queue, at most until a deadline frees a place. */
#define CONNECTION_LIMIT 128

/*
 * Serves a listening, non-blocking socket for ever. Returns only when poll() or the listener
 * itself fails, with errno. `network_socket`: see info_document().
 */
void serve(int listener, int network_socket);

#endif
