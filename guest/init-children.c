#include "init-children.h"

#include "init-run.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGENT "/usr/local/bin/banger-vsock-agent"
/* What docker stop grants before it kills. */
#define STOP_MS 10000
/* For what the main program leaves behind. */
#define LEFTOVER_MS 2000
#define AGENT_PAUSE_MS 500
#define AGENT_PAUSE_MAX_MS 60000
/* The agent's own word for "the command line is wrong": no restart helps. */
#define AGENT_EXIT_USAGE 2

/* One child of each kind; 0 when there is none. */
static pid_t main_child, agent_child, step_child;
static int main_status;
static bool stop_requested, stop_at_once;
static int64_t agent_due = NEVER, agent_pause = AGENT_PAUSE_MS;
static sigset_t watched;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *what, const char *subject, int error)
{
    complain(INIT_PROGRAM, what, subject, error);
}

enum child_place { OWN_SESSION, ON_THE_CONSOLE };

/* A child with a signal mask of its own; 0 in the child, -1 on failure. */
static pid_t fork_child(enum child_place place)
{
    pid_t child = fork();

    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (place == OWN_SESSION)
            setsid();
        else
            (void)setpgid(0, 0);
    } else if (child < 0) {
        say("cannot start a process", NULL, errno);
    }
    return child;
}

/* One of our own helpers, with a bare environment. */
static pid_t start_helper(const char *path)
{
    char *arguments[] = {(char *)(uintptr_t)path, NULL};
    char *variables[] = {(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                         (char *)"HOME=/root", NULL};
    pid_t child = fork_child(OWN_SESSION);

    if (child == 0) {
        execve(path, arguments, variables);
        say("cannot run", path, errno);
        _exit(STATUS_CANNOT_RUN);
    }
    return child < 0 ? 0 : child;
}

void start_agent(void)
{
    agent_due = NEVER;
    if (access(AGENT, X_OK) == 0)
        agent_child = start_helper(AGENT);
}

/* Each failure doubles the pause; an agent that lived a minute starts afresh. */
static void agent_ended(int status)
{
    static int64_t last_end;
    int64_t now = now_ms();

    agent_child = 0;
    if (stop_requested)
        return;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == AGENT_EXIT_USAGE || WEXITSTATUS(status) == STATUS_CANNOT_RUN))
        return;
    if (now - last_end > AGENT_PAUSE_MAX_MS + agent_pause)
        agent_pause = AGENT_PAUSE_MS;
    last_end = now;
    agent_due = now + agent_pause;
    agent_pause = agent_pause * 2 > AGENT_PAUSE_MAX_MS ? AGENT_PAUSE_MAX_MS : agent_pause * 2;
}

static void reap(void)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == main_child) {
            main_child = 0;
            main_status = status;
        } else if (pid == step_child) {
            step_child = 0;
        } else if (pid == agent_child) {
            agent_ended(status);
        }
    }
}

bool was_asked_to_stop(void)
{
    return stop_requested;
}

/* Waits for one signal or until `until`, and does what it asks for. */
static void pump(int64_t until)
{
    int64_t due = stop_requested ? NEVER : agent_due;
    int64_t wait = (due < until ? due : until) - now_ms();
    struct timespec patience = {0};
    int signal;

    if (wait > 0) {
        /* A day at most: time_t is wide enough for that everywhere. */
        wait = wait > 86400000 ? 86400000 : wait;
        patience = (struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
    }
    signal = sigtimedwait(&watched, NULL, &patience);
    reap();
    if (signal > 0 && signal != SIGCHLD) {
        stop_at_once = stop_requested;
        stop_requested = true;
    }
    if (agent_due <= now_ms() && !stop_requested)
        start_agent();
}

/* Runs a script to its end, or until it has had its time, or the machine is to stop. */
void run_step(const char *path, int64_t allowed_ms)
{
    int64_t until = allowed_ms == NEVER ? NEVER : now_ms() + allowed_ms;

    step_child = start_helper(path);
    while (step_child > 0 && !stop_requested && now_ms() < until)
        pump(until);
    if (step_child > 0) {
        say("stopped before its end", path, 0);
        (void)kill(-step_child, SIGKILL);
        step_child = 0;
    }
}

void watch_signals(void)
{
    /* SIGINT is ctrl-alt-del, once the kernel is told not to reset the machine by itself. */
    static const int asking[] = {SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGUSR1, SIGUSR2, SIGQUIT, SIGHUP};

    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++)
        sigaddset(&watched, asking[i]);
    sigprocmask(SIG_SETMASK, &watched, NULL);
    (void)reboot(RB_DISABLE_CAD);
}

/* Until the main program has ended, of its own accord or because the machine is to stop. */
static void watch_main(int stop_signal)
{
    bool told = false, killed = false;
    int64_t deadline = NEVER;

    while (main_child > 0) {
        if (stop_requested && !told) {
            (void)kill(main_child, stop_signal);
            told = true;
            deadline = now_ms() + STOP_MS;
        }
        if (!killed && (stop_at_once || now_ms() >= deadline)) {
            say("the program did not stop; killing it", NULL, 0);
            (void)kill(main_child, SIGKILL);
            killed = true;
            deadline = NEVER;
        }
        pump(deadline);
    }
}

/* Puts the calling process in the console's foreground; whoever asks from behind would be stopped by SIGTTOU. */
static void come_to_front(void)
{
    (void)signal(SIGTTOU, SIG_IGN);
    (void)tcsetpgrp(STDIN_FILENO, getpid());
    (void)signal(SIGTTOU, SIG_DFL);
}

int run_main(int (*body)(void), int stop_signal)
{
    /*
     * The console is the terminal of PID 1's session, and the program a foreground job in it: job control for images
     * whose program is a shell. Were the program to lead the session, its end would make the kernel hang the terminal
     * up and throw away what is not sent yet (drivers/tty/tty_jobctrl.c, disassociate_ctty).
     */
    (void)setsid();
    (void)ioctl(STDIN_FILENO, TIOCSCTTY, 1);
    main_child = fork_child(ON_THE_CONSOLE);
    if (main_child == 0) {
        come_to_front();
        _exit(body());
    }
    if (main_child < 0) {
        main_child = 0;
        return STATUS_CANNOT_RUN << 8;
    }
    watch_main(stop_signal);
    return main_status;
}

void end_leftovers(void)
{
    int64_t until = now_ms() + LEFTOVER_MS;

    /* ECHILD from kill(-1) means that nobody is left. */
    stop_requested = true;
    if (kill(-1, SIGTERM) < 0)
        return;
    while (now_ms() < until) {
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        pump(now_ms() + 20);
    }
    (void)kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

