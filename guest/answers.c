#include "answers.h"

#include "info.h"
#include "ports.h"

/* The head of an answer stays well below this. */
#define HEAD_RESERVE 512

/* One body at a time: the agent has one thread, and the body is copied behind its head at once. */
static char body_bytes[ANSWER_LIMIT - HEAD_RESERVE];

void answer_status(struct out *out, int status, bool head_only)
{
    char bytes[128];
    struct out body = out_into(bytes, sizeof bytes);

    out_text(&body, "{\"error\":");
    out_json(&body, span_of(http_reason(status)));
    out_text(&body, "}\n");
    http_answer(out, status, head_only, (struct span){.data = bytes, .size = body.used});
}

static bool write_document(struct span path, int network_socket, struct out *body)
{
    if (span_is(path, "/healthz"))
        out_text(body, "{\"status\":\"ok\"}\n");
    else if (span_is(path, "/info"))
        info_document(body, network_socket);
    else if (span_is(path, "/ports"))
        ports_document(body);
    else
        return false;
    return true;
}

bool answer_request(struct span received, bool ended, int network_socket, struct out *out)
{
    struct http_request request;
    struct out body = out_into(body_bytes, sizeof body_bytes);

    if (!http_parse(received, ended, &request))
        return false;
    if (request.status != 200)
        answer_status(out, request.status, request.head_only);
    else if (!write_document(request.path, network_socket, &body))
        answer_status(out, 404, request.head_only);
    else if (body.full)
        answer_status(out, 500, request.head_only);
    else
        http_answer(out, 200, request.head_only, (struct span){.data = body.data, .size = body.used});
    return true;
}
