/*
 * Text without an allocator: a bounded output buffer, strict numbers, small files.
 * Nothing here fails halfway: what does not fit is left out whole and `full` says so.
 */
#ifndef BANGER_TEXT_H
#define BANGER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A borrowed piece of somebody else's bytes; not NUL-terminated. */
struct span {
    const char *data;
    size_t size;
};

/* Output into memory the caller owns. Once `full`, nothing more is taken. */
struct out {
    char *data;
    size_t size;
    size_t used;
    bool full;
};

struct out out_into(char *data, size_t size);
void out_bytes(struct out *out, const char *data, size_t size);
void out_text(struct out *out, const char *text);
void out_number(struct out *out, uint64_t value);

/*
 * A JSON string with its quotes (RFC 8259 section 7). Bytes that are not UTF-8 become U+FFFD, one
 * for each, so the document is valid whatever a host name or an interface name holds.
 */
void out_json(struct out *out, struct span text);

struct span span_of(const char *text);
bool span_is(struct span span, const char *text);
bool span_starts(struct span span, const char *text);

/*
 * Takes the bytes before the next `separator` off the front of `rest` into `piece`. A separator at
 * the very end yields a last empty piece. False once there is nothing left.
 */
bool span_next(struct span *rest, char separator, struct span *piece);

/* Takes the next run of bytes that are neither blank nor tab; false at the end. */
bool span_word(struct span *rest, struct span *word);

/* Digits and nothing else: no sign, no blank, not empty, at most `max`. */
bool parse_decimal(struct span text, uint64_t max, uint64_t *value);

/* Hex digits and nothing else, 1 to 16 of them. */
bool parse_hex(struct span text, uint64_t *value);

/*
 * Reads up to `size` bytes of a file. Returns how many, or -1 with errno. A result of `size` may
 * mean that there was more.
 */
ssize_t read_file(const char *path, char *data, size_t size);

/* The same, NUL-terminated, at most size - 1 bytes, one newline at the end removed. */
bool read_line_file(const char *path, char *data, size_t size);

/* Writes all of it, also across EINTR and short writes. */
bool write_all(int fd, const char *data, size_t size);

/* "PROGRAM: WHAT: REASON\n" to stderr in one write; `error` 0 leaves the reason out. */
void complain(const char *program, const char *what, const char *subject, int error);

#endif
