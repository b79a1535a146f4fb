#include "http.h"

#include <string.h>

/* tchar of RFC 9110 section 5.6.2: what methods and field names are made of. */
static bool is_token_byte(char byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9'))
        return true;
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_token_byte(text.data[i]))
            return false;
    return text.size > 0;
}

/* Bytes that no line of a head may hold; a carriage return is fine only before its newline. */
static bool has_control_byte(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool line_end = byte == '\r' && (i + 1 == text.size || text.data[i + 1] == '\n');
        if ((byte < 0x20 && byte != '\t' && byte != '\n' && !line_end) || byte == 0x7f)
            return true;
    }
    return false;
}

static bool is_visible_ascii(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return false;
    return text.size > 0;
}

/* A lone newline ends a line too (RFC 9112 section 2.2); people type requests into socat. */
static bool next_line(struct span *rest, struct span *line)
{
    const char *newline = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);

    if (newline == NULL)
        return false;
    line->data = rest->data;
    line->size = (size_t)(newline - rest->data);
    rest->size -= line->size + 1;
    rest->data = newline + 1;
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* 200 for 1.0 and 1.1, 505 for another HTTP, 400 for anything else. */
static int version_status(struct span version)
{
    if (version.size != 8 || !span_starts(version, "HTTP/") || !is_digit(version.data[5]) ||
        version.data[6] != '.' || !is_digit(version.data[7]))
        return 400;
    return span_is(version, "HTTP/1.0") || span_is(version, "HTTP/1.1") ? 200 : 505;
}

/*
 * The path of an origin-form or absolute-form target (RFC 9112 section 3.2: servers must take
 * both), without its query.
 */
static bool path_of_target(struct span target, struct span *path)
{
    static const char scheme[] = "http://";
    const char *query;

    if (span_starts(target, scheme)) {
        const char *slash;
        target.data += sizeof scheme - 1;
        target.size -= sizeof scheme - 1;
        slash = target.size == 0 ? NULL : memchr(target.data, '/', target.size);
        if (slash == NULL || slash == target.data)
            return false;
        target.size -= (size_t)(slash - target.data);
        target.data = slash;
    }
    if (target.size == 0 || target.data[0] != '/')
        return false;
    query = memchr(target.data, '?', target.size);
    if (query != NULL)
        target.size = (size_t)(query - target.data);
    *path = target;
    return true;
}

/* METHOD SP TARGET SP VERSION, one blank each. The path is set when this answers 200. */
static int parse_request_line(struct span line, struct http_request *request)
{
    struct span method, target, version, more;
    int status;

    if (!span_next(&line, ' ', &method) || !span_next(&line, ' ', &target) ||
        !span_next(&line, ' ', &version) || span_next(&line, ' ', &more))
        return 400;
    if (!is_token(method) || !is_visible_ascii(target))
        return 400;
    status = version_status(version);
    if (status != 200)
        return status;
    request->head_only = span_is(method, "HEAD");
    if (!request->head_only && !span_is(method, "GET"))
        return 405;
    return path_of_target(target, &request->path) ? 200 : 400;
}

/* NAME ":" VALUE; a blank before the colon or a folded line is refused (RFC 9112 section 5). */
static bool parse_field(struct span line, bool *is_host)
{
    struct span name;

    if (memchr(line.data, ':', line.size) == NULL || !span_next(&line, ':', &name) || !is_token(name))
        return false;
    *is_host = name.size == 4 && (name.data[0] | 32) == 'h' && (name.data[1] | 32) == 'o' &&
               (name.data[2] | 32) == 's' && (name.data[3] | 32) == 't';
    return true;
}

static bool is_http_1_0(struct span request_line)
{
    return span_is((struct span){.data = request_line.data + request_line.size - 8, .size = 8}, "HTTP/1.0");
}

/* The whole head is there: one status for it. */
static int parse_head(struct span head, struct http_request *request)
{
    struct span request_line = {0}, line;
    unsigned hosts = 0;
    bool is_host = false;
    int status;

    /* Empty lines in front are skipped (RFC 9112 section 2.2). */
    while (next_line(&head, &request_line) && request_line.size == 0)
        ;
    status = parse_request_line(request_line, request);
    if (status == 400 || status == 505)
        return status;
    while (next_line(&head, &line) && line.size > 0) {
        if (!parse_field(line, &is_host))
            return 400;
        hosts += is_host ? 1 : 0;
    }
    /* RFC 9112 section 3.2: 1.1 names its host once. */
    if (hosts > 1 || (hosts == 0 && !is_http_1_0(request_line)))
        return 400;
    return status;
}

/*
 * Cuts `received` to the head, up to and with the empty line after the first line that is not
 * empty; false when that line has not come yet.
 */
static bool cut_head(struct span *received)
{
    struct span rest = *received, line;
    bool begun = false;

    while (next_line(&rest, &line)) {
        if (line.size == 0 && begun) {
            received->size -= rest.size;
            return true;
        }
        begun = begun || line.size > 0;
    }
    return false;
}

bool http_parse(struct span received, bool ended, struct http_request *request)
{
    struct span head = received;
    bool whole;

    *request = (struct http_request){.status = 400};
    if (head.size > HTTP_HEAD_LIMIT)
        head.size = HTTP_HEAD_LIMIT;
    whole = cut_head(&head);
    /* No later byte makes a control byte right, so a client that speaks no HTTP hears it at once. */
    if (has_control_byte(head))
        return true;
    if (whole) {
        request->status = parse_head(head, request);
        return true;
    }
    if (ended)
        return true;
    if (head.size == HTTP_HEAD_LIMIT) {
        request->status = 431;
        return true;
    }
    return false;
}

const char *http_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

void http_answer(struct out *out, int status, bool head_only, struct span body)
{
    out_text(out, "HTTP/1.1 ");
    out_number(out, (uint64_t)status);
    out_text(out, " ");
    out_text(out, http_reason(status));
    out_text(out, "\r\nContent-Type: application/json\r\nContent-Length: ");
    out_number(out, body.size);
    if (status == 405)
        out_text(out, "\r\nAllow: GET, HEAD");
    out_text(out, "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    if (!head_only)
        out_bytes(out, body.data, body.size);
}
