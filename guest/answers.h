/* From the bytes of a request to the bytes of its answer: all of the agent but its sockets. */
#ifndef BANGER_ANSWERS_H
#define BANGER_ANSWERS_H

#include "http.h"

/* The longest answer: /ports with some 900 sockets. */
#define ANSWER_LIMIT (64 * 1024)

/*
 * True when an answer, at most ANSWER_LIMIT bytes, has been written to `out`; false when more of
 * the request is needed. `network_socket`: see info_document().
 */
bool answer_request(struct span received, bool ended, int network_socket, struct out *out);

/* An answer with the status as its message. */
void answer_status(struct out *out, int status, bool head_only);

#endif
