#include "init-conf.h"

#include <signal.h>
#include <string.h>

/*
 * The first real-time signal a program of the image sees. glibc keeps 32 and 33 for itself, musl
 * one more; images mean glibc's, as container runtimes take it (systemd stops at SIGRTMIN+3).
 */
#define FIRST_REAL_TIME 34
#define LAST_REAL_TIME 64

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"SIGHUP", SIGHUP},   {"SIGINT", SIGINT},       {"SIGQUIT", SIGQUIT},     {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP}, {"SIGABRT", SIGABRT},     {"SIGBUS", SIGBUS},       {"SIGFPE", SIGFPE},
    {"SIGKILL", SIGKILL}, {"SIGUSR1", SIGUSR1},     {"SIGSEGV", SIGSEGV},     {"SIGUSR2", SIGUSR2},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},     {"SIGTERM", SIGTERM},     {"SIGSTKFLT", SIGSTKFLT},
    {"SIGCHLD", SIGCHLD}, {"SIGCONT", SIGCONT},     {"SIGSTOP", SIGSTOP},     {"SIGTSTP", SIGTSTP},
    {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU},     {"SIGURG", SIGURG},       {"SIGXCPU", SIGXCPU},
    {"SIGXFSZ", SIGXFSZ}, {"SIGVTALRM", SIGVTALRM}, {"SIGPROF", SIGPROF},     {"SIGWINCH", SIGWINCH},
    {"SIGIO", SIGIO},     {"SIGPWR", SIGPWR},       {"SIGSYS", SIGSYS},
};

#define SIGNALS (sizeof signals / sizeof signals[0])

static struct span after(struct span text, size_t front)
{
    return (struct span){.data = text.data + front, .size = text.size - front};
}

/* "RTMIN", "RTMIN+3", "RTMAX-1" (after SIG). */
static int parse_real_time(struct span text)
{
    bool from_min = span_starts(text, "RTMIN"), from_max = span_starts(text, "RTMAX");
    uint64_t offset = 0;

    if (!from_min && !from_max)
        return 0;
    text = after(text, 5);
    if (text.size > 0 && (text.data[0] != (from_min ? '+' : '-') ||
                          !parse_decimal(after(text, 1), LAST_REAL_TIME - FIRST_REAL_TIME, &offset)))
        return 0;
    return from_min ? FIRST_REAL_TIME + (int)offset : LAST_REAL_TIME - (int)offset;
}

int parse_signal(struct span text)
{
    uint64_t number;

    if (parse_decimal(text, LAST_REAL_TIME, &number))
        return (int)number;
    if (span_starts(text, "SIG"))
        text = after(text, 3);
    for (size_t i = 0; i < SIGNALS; i++)
        if (span_is(text, signals[i].name + 3))
            return signals[i].number;
    return parse_real_time(text);
}

const char *signal_name(int signal)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i].number == signal)
            return signals[i].name;
    return NULL;
}

static bool append(char **list, size_t *count, char *value, const char **why)
{
    if (*count == CONF_STRINGS) {
        *why = "more than 4096 arguments or variables";
        return false;
    }
    list[(*count)++] = value;
    return true;
}

static bool once(const char **field, const char *value, const char **why)
{
    if (*field != NULL) {
        *why = "a record stands twice";
        return false;
    }
    *field = value;
    return true;
}

static bool take_stop(struct init_conf *conf, const char *value, const char **why)
{
    if (conf->stop_signal != 0) {
        *why = "a record stands twice";
        return false;
    }
    conf->stop_signal = parse_signal(span_of(value));
    *why = "stop= names no signal";
    return conf->stop_signal != 0;
}

static bool take_directory(struct init_conf *conf, const char *value, const char **why)
{
    if (value[0] != '/') {
        *why = "dir= is not an absolute path";
        return false;
    }
    return once(&conf->directory, value, why);
}

/* One record between the first and the last. */
static bool take_record(struct init_conf *conf, char *record, const char **why)
{
    struct span text = span_of(record);

    if (span_starts(text, "arg="))
        return append(conf->arguments, &conf->argument_count, record + 4, why);
    if (span_starts(text, "env="))
        return append(conf->environment, &conf->environment_count, record + 4, why);
    if (span_starts(text, "dir="))
        return take_directory(conf, record + 4, why);
    if (span_starts(text, "user="))
        return once(&conf->user, record + 5, why);
    if (span_starts(text, "stop="))
        return take_stop(conf, record + 5, why);
    if (span_starts(text, "hostname="))
        return once(&conf->hostname, record + 9, why);
    *why = "an unknown record";
    return false;
}

static void set_defaults(struct init_conf *conf)
{
    conf->arguments[conf->argument_count] = NULL;
    conf->environment[conf->environment_count] = NULL;
    if (conf->directory == NULL)
        conf->directory = "/";
    if (conf->user == NULL)
        conf->user = "";
    if (conf->hostname == NULL)
        conf->hostname = "";
    if (conf->stop_signal == 0)
        conf->stop_signal = SIGTERM;
}

bool parse_init_conf(char *data, size_t size, struct init_conf *conf, const char **why)
{
    size_t at = 0, records = 0;

    memset(conf, 0, sizeof *conf);
    /* With this NUL in place every record below is a C string inside `data`. */
    if (size == 0 || data[size - 1] != '\0') {
        *why = "cut off";
        return false;
    }
    for (; at < size; records++) {
        char *record = data + at;
        size_t length = strlen(record);

        at += length + 1;
        if (records == 0 && strcmp(record, "banger-init 1") != 0) {
            *why = "not of the format \"banger-init 1\"";
            return false;
        }
        if (records > 0 && strcmp(record, "end") == 0) {
            set_defaults(conf);
            *why = "bytes after the end";
            return at == size;
        }
        if (records > 0 && !take_record(conf, record, why))
            return false;
    }
    *why = "cut off";
    return false;
}
