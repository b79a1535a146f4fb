/*
 * banger-init: PID 1 of a guest made from an image that has no init of its own.
 *
 * Mounts what programs expect, loads drivers, sets host name and network, starts the vsock agent, runs the image's
 * Entrypoint and Cmd as /etc/banger/init.conf says (init-conf.h), reaps what is left behind, passes
 * on a request to stop, and powers off when the program has ended.
 *
 * On the kernel command line, besides those of init-network.h and the agent's banger.agent_port=:
 *   banger.root=ro         leave the root file system read-only
 *   banger.tmp=tmpfs       /tmp in memory instead of the image's own
 *   banger.end=poweroff|reboot|halt
 *                          how the machine ends; default poweroff, but reboot where the command line
 *                          has the kernel's reboot=k: a Firecracker guest ends by a keyboard reset
 *
 * Run by anyone else than the kernel, `banger-init --check ROOT` says as JSON what would be run.
 */
#include "init-children.h"
#include "init-conf.h"
#include "init-modules.h"
#include "init-mounts.h"
#include "init-network.h"
#include "init-run.h"
#include "init-user.h"
#include "kernel-parameter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETWORK_SCRIPT "/usr/local/libexec/banger-network-bootstrap"
#define FIRST_BOOT_SCRIPT "/usr/local/libexec/banger-first-boot"
#define FIRST_BOOT_MARKER "/var/lib/banger/first-boot-pending"
#define SHELL "/bin/sh"
#define CONF "/etc/banger/init.conf"
/* A DHCP server takes seconds; a minute is one that is not there. */
#define NETWORK_MS 60000

static char conf_bytes[CONF_LIMIT + 1];
static char passwd_bytes[1024 * 1024], group_bytes[1024 * 1024];
static struct init_conf conf;
static struct identity identity;
static struct environment environment;

static void say(const char *what, const char *subject, int error)
{
    complain(INIT_PROGRAM, what, subject, error);
}

static struct span read_whole(const char *root, const char *path, char *bytes, size_t size)
{
    char full[4096];
    struct out out = out_into(full, sizeof full - 1);
    ssize_t got;

    out_text(&out, root);
    out_text(&out, path);
    full[out.used] = '\0';
    got = read_file(full, bytes, size);
    if (got == (ssize_t)size)
        say("longer than 1 MiB, read in part", full, 0);
    return (struct span){.data = bytes, .size = got < 0 ? 0 : (size_t)got};
}

/* All that /etc has to say. False, with `*why`, when nothing can be run. */
static bool load(const char *root, bool on_terminal, const char **why)
{
    struct span bytes = read_whole(root, CONF, conf_bytes, sizeof conf_bytes);
    struct span passwd = read_whole(root, "/etc/passwd", passwd_bytes, sizeof passwd_bytes);
    struct span group = read_whole(root, "/etc/group", group_bytes, sizeof group_bytes);

    *why = "missing, empty or longer than 2 MiB";
    if (bytes.size == 0 || bytes.size > CONF_LIMIT || !parse_init_conf(conf_bytes, bytes.size, &conf, why))
        return false;
    *why = "the image has neither Entrypoint nor Cmd";
    if (conf.argument_count == 0 || !find_identity(passwd, group, span_of(conf.user), &identity, why))
        return false;
    make_environment(&conf, &identity, on_terminal, &environment);
    return true;
}

/* Standard input, output and error on the console, which the kernel opens only when it finds it. */
static void open_console(void)
{
    int fd;

    if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
        return;
    fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        fd = open("/dev/null", O_RDWR | O_NOCTTY);
    for (int standard = 0; fd >= 0 && standard <= STDERR_FILENO; standard++)
        if (fd != standard)
            (void)dup2(fd, standard);
    if (fd > STDERR_FILENO)
        close(fd);
}

static void set_host_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0)
        return;
    if (length > HOST_NAME_LIMIT || sethostname(name, length) < 0)
        say("cannot set the host name", name, errno);
}

/* Name lookups of oneself work without DNS, as container runtimes see to. */
static void write_etc(void)
{
    char hosts[512], name[HOST_NAME_LIMIT + 1] = "";
    struct out out = out_into(hosts, sizeof hosts - 1);

    (void)gethostname(name, sizeof name - 1);
    out_text(&out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if (name[0] != '\0' && strcmp(name, "(none)") != 0) {
        out_text(&out, "127.0.1.1\t");
        out_text(&out, name);
        out_text(&out, "\n");
    }
    hosts[out.used] = '\0';
    write_if_empty("/etc/hosts", hosts);
}

/* The command line's word beats the configuration's. */
static void set_up_network(struct span command_line)
{
    struct network_request request;
    const char *why;

    if (!parse_network_request(command_line, &request, &why))
        say(why, NULL, 0);
    set_host_name(request.hostname[0] != '\0' ? request.hostname : conf.hostname != NULL ? conf.hostname : "");
    write_etc();
    if (!bring_up("lo"))
        say("cannot bring lo up", NULL, errno);
    if (access(SHELL, X_OK) == 0 && access(NETWORK_SCRIPT, X_OK) == 0)
        run_step(NETWORK_SCRIPT, NETWORK_MS);
    else
        apply_network_request(&request);
}

static bool parameter_is(struct span command_line, const char *name, const char *value)
{
    struct span found;
    return kernel_parameter(command_line, name, &found) && span_is(found, value);
}

static unsigned end_command(struct span command_line)
{
    struct span reboot_mode, end;

    if (kernel_parameter(command_line, "banger.end", &end)) {
        if (span_is(end, "reboot"))
            return RB_AUTOBOOT;
        if (span_is(end, "halt"))
            return RB_HALT_SYSTEM;
        if (!span_is(end, "poweroff"))
            say("banger.end= is not poweroff, reboot or halt", NULL, 0);
        return RB_POWER_OFF;
    }
    if (kernel_parameter(command_line, "reboot", &reboot_mode) && span_is(reboot_mode, "k"))
        return RB_AUTOBOOT;
    return RB_POWER_OFF;
}

static void report_end(int status)
{
    char line[128];
    struct out out = out_into(line, sizeof line);
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const char *name = signal_name(signal);

    out_text(&out, INIT_PROGRAM ": exited with status ");
    out_number(&out, (uint64_t)(signal > 0 ? 128 + signal : WEXITSTATUS(status)));
    if (signal > 0) {
        out_text(&out, " (killed by ");
        out_text(&out, name != NULL ? name : "a real-time signal");
        out_text(&out, ")");
    }
    out_text(&out, "\n");
    (void)write_all(STDERR_FILENO, line, out.used);
}

static void end_machine(unsigned command)
{
    end_leftovers();
    unmount_all();
    (void)reboot((int)command);
    say("the kernel does not end the machine", NULL, errno);
    for (;;)
        pause();
}

/* As systemd does: many open files for those who ask, and few where select() would break. */
static void set_limits(void)
{
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288};

    umask(022);
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int main_body(void)
{
    return become_program(&conf, &identity, &environment);
}

static void run_as_init(void)
{
    static char bytes[COMMAND_LINE_LIMIT];
    struct mount_policy policy;
    struct span command_line;
    const char *why;
    bool loaded;

    mount_proc();
    command_line = read_command_line(bytes, sizeof bytes);
    policy.keep_root_read_only = parameter_is(command_line, "banger.root", "ro");
    policy.tmp_in_memory = parameter_is(command_line, "banger.tmp", "tmpfs");
    mount_all(&policy);
    open_console();
    watch_signals();
    set_limits();
    loaded = load("", isatty(STDIN_FILENO) == 1, &why);
    load_modules();
    set_up_network(command_line);
    start_agent();
    if (access(FIRST_BOOT_MARKER, F_OK) == 0 && access(SHELL, X_OK) == 0 && access(FIRST_BOOT_SCRIPT, X_OK) == 0)
        run_step(FIRST_BOOT_SCRIPT, NEVER);
    if (!loaded)
        say(why, CONF, 0);
    else if (was_asked_to_stop())
        say("asked to stop before the program began", NULL, 0);
    report_end(!loaded                ? STATUS_NOT_FOUND << 8
               : was_asked_to_stop() ? 0
                                     : run_main(main_body, conf.stop_signal));
    end_machine(end_command(command_line));
}

static void out_strings(struct out *out, const char *name, char **strings)
{
    out_text(out, name);
    for (size_t i = 0; strings[i] != NULL; i++) {
        out_text(out, i == 0 ? "[" : ",");
        out_json(out, span_of(strings[i]));
    }
    out_text(out, strings[0] == NULL ? "[]" : "]");
}

static int check(const char *root)
{
    static char bytes[6 * CONF_LIMIT];
    struct out out = out_into(bytes, sizeof bytes);
    const char *why;

    if (!load(root, false, &why)) {
        say(why, CONF, 0);
        return 1;
    }
    out_strings(&out, "{\"argv\":", conf.arguments);
    out_strings(&out, ",\"env\":", environment.variables);
    out_text(&out, ",\"dir\":");
    out_json(&out, span_of(conf.directory));
    out_text(&out, ",\"hostname\":");
    out_json(&out, span_of(conf.hostname));
    out_text(&out, ",\"stop\":");
    out_number(&out, (uint64_t)conf.stop_signal);
    out_text(&out, ",\"uid\":");
    out_number(&out, identity.uid);
    out_text(&out, ",\"gid\":");
    out_number(&out, identity.gid);
    out_text(&out, ",\"groups\":[");
    for (size_t i = 0; i < identity.group_count; i++) {
        out_text(&out, i == 0 ? "" : ",");
        out_number(&out, identity.groups[i]);
    }
    out_text(&out, "]}\n");
    return !out.full && write_all(STDOUT_FILENO, bytes, out.used) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        run_as_init();
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return check(argv[2]);
    say("this is PID 1's program; usage otherwise: banger-init --check ROOT", NULL, 0);
    return 2;
}
