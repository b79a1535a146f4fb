#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct out out_into(char *data, size_t size)
{
    return (struct out){.data = data, .size = size};
}

void out_bytes(struct out *out, const char *data, size_t size)
{
    if (out->full || size > out->size - out->used) {
        out->full = true;
        return;
    }
    if (size > 0)
        memcpy(out->data + out->used, data, size);
    out->used += size;
}

void out_text(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

void out_number(struct out *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    out_bytes(out, digits + at, sizeof digits - at);
}

/*
 * The length of the well-formed UTF-8 sequence at the front of `data`, 0 when there is none:
 * no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629 section 4).
 */
static size_t utf8_length(const unsigned char *data, size_t size)
{
    static const struct {
        unsigned char first, last, second_low, second_high, length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (data[0] < forms[i].first || data[0] > forms[i].last)
            continue;
        if (forms[i].length > size)
            return 0;
        if (forms[i].length > 1 && (data[1] < forms[i].second_low || data[1] > forms[i].second_high))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if (data[k] < 0x80 || data[k] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static void out_json_ascii(struct out *out, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";

    if (byte == '"' || byte == '\\') {
        char escaped[2] = {'\\', (char)byte};
        out_bytes(out, escaped, 2);
    } else if (byte < 0x20 || byte == 0x7f) {
        char escaped[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        out_bytes(out, escaped, 6);
    } else {
        out_bytes(out, (const char *)&byte, 1);
    }
}

void out_json(struct out *out, struct span text)
{
    const unsigned char *data = (const unsigned char *)text.data;
    size_t at = 0;

    out_text(out, "\"");
    while (at < text.size) {
        size_t length = utf8_length(data + at, text.size - at);
        if (length == 0) {
            out_text(out, "\xef\xbf\xbd");
            length = 1;
        } else if (length == 1) {
            out_json_ascii(out, data[at]);
        } else {
            out_bytes(out, text.data + at, length);
        }
        at += length;
    }
    out_text(out, "\"");
}

struct span span_of(const char *text)
{
    return (struct span){.data = text, .size = strlen(text)};
}

bool span_is(struct span span, const char *text)
{
    size_t size = strlen(text);
    return span.size == size && memcmp(span.data, text, size) == 0;
}

bool span_starts(struct span span, const char *text)
{
    size_t size = strlen(text);
    return span.size >= size && memcmp(span.data, text, size) == 0;
}

bool span_next(struct span *rest, char separator, struct span *piece)
{
    const char *found;

    if (rest->data == NULL)
        return false;
    found = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    if (found == NULL) {
        *piece = *rest;
        *rest = (struct span){0};
        return true;
    }
    *piece = (struct span){.data = rest->data, .size = (size_t)(found - rest->data)};
    rest->size -= piece->size + 1;
    rest->data = found + 1;
    return true;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool span_word(struct span *rest, struct span *word)
{
    while (rest->size > 0 && is_blank(rest->data[0])) {
        rest->data++;
        rest->size--;
    }
    *word = (struct span){.data = rest->data};
    while (rest->size > 0 && !is_blank(rest->data[0])) {
        rest->data++;
        rest->size--;
        word->size++;
    }
    return word->size > 0;
}

bool parse_decimal(struct span text, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit;
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        digit = (uint64_t)(text.data[i] - '0');
        if (digit > max || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool parse_hex(struct span text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.size == 0 || text.size > 16)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        uint64_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint64_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint64_t)(c - 'A') + 10;
        else
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

ssize_t read_file(const char *path, char *data, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t used = 0;

    if (fd < 0)
        return -1;
    while (used < size) {
        ssize_t got = read(fd, data + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    close(fd);
    return (ssize_t)used;
}

bool read_line_file(const char *path, char *data, size_t size)
{
    ssize_t got = read_file(path, data, size - 1);

    if (got < 0)
        return false;
    if (got > 0 && data[got - 1] == '\n')
        got--;
    data[got] = '\0';
    return true;
}

bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        size -= (size_t)put;
    }
    return true;
}

void complain(const char *program, const char *what, const char *subject, int error)
{
    char line[512];
    /* One byte stays free for the newline, whatever was too long. */
    struct out out = out_into(line, sizeof line - 1);

    out_text(&out, program);
    out_text(&out, ": ");
    out_text(&out, what);
    if (subject != NULL) {
        out_text(&out, ": ");
        out_bytes(&out, subject, strnlen(subject, 256));
    }
    if (error != 0) {
        out_text(&out, ": ");
        out_text(&out, strerror(error));
    }
    line[out.used++] = '\n';
    (void)write_all(STDERR_FILENO, line, out.used);
}
