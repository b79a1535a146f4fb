/*
 * The head of an HTTP/1.1 request (RFC 9112), strictly. A body is never read: every connection
 * carries one request and is closed after its answer, so where a body would end does not matter.
 */
#ifndef BANGER_HTTP_H
#define BANGER_HTTP_H

#include "text.h"

/* A head longer than this is answered 431. Real clients of this agent send about 100 bytes. */
#define HTTP_HEAD_LIMIT 4096

struct http_request {
    /* 200, or the error the head itself deserves: 400, 405, 431, 505. */
    int status;
    /* HEAD: the answer's head alone. */
    bool head_only;
    /* The path without query or authority; borrowed from the head. Set when status is 200. */
    struct span path;
};

/*
 * Looks at what has arrived so far. False: more is needed. True: `request` is to be answered now,
 * be it with an error. `ended` means that nothing more will come.
 */
bool http_parse(struct span received, bool ended, struct http_request *request);

/* The reason phrase of the few codes in use. */
const char *http_reason(int status);

/* Head and, unless `head_only`, body of an answer with a JSON body. */
void http_answer(struct out *out, int status, bool head_only, struct span body);

#endif
