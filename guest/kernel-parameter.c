#include "kernel-parameter.h"

#include <string.h>

struct span read_command_line(char *data, size_t size)
{
    ssize_t got = read_file("/proc/cmdline", data, size);
    return (struct span){.data = data, .size = got < 0 ? 0 : (size_t)got};
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next word; blanks between double quotes belong to it (next_arg() in lib/cmdline.c). */
static bool next_word(struct span *rest, struct span *word)
{
    bool quoted = false;

    while (rest->size > 0 && is_space(rest->data[0])) {
        rest->data++;
        rest->size--;
    }
    *word = (struct span){.data = rest->data};
    while (word->size < rest->size && (quoted || !is_space(rest->data[word->size]))) {
        if (rest->data[word->size] == '"')
            quoted = !quoted;
        word->size++;
    }
    rest->data += word->size;
    rest->size -= word->size;
    return word->size > 0;
}

static struct span without(struct span text, size_t front)
{
    return (struct span){.data = text.data + front, .size = text.size - front};
}

/* Quotes stand either around the whole word or around the value. */
static struct span unquoted(struct span text)
{
    if (text.size > 0 && text.data[0] == '"')
        text = without(text, 1);
    if (text.size > 0 && text.data[text.size - 1] == '"')
        text.size--;
    return text;
}

bool kernel_parameter(struct span command_line, const char *name, struct span *value)
{
    size_t length = strlen(name);
    struct span word;
    bool found = false;

    while (next_word(&command_line, &word)) {
        if (span_is(word, "--"))
            break;
        if (word.data[0] == '"')
            word = unquoted(word);
        if (word.size <= length || !span_starts(word, name) || word.data[length] != '=')
            continue;
        *value = unquoted(without(word, length + 1));
        found = true;
    }
    return found;
}
