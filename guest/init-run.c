#include "init-run.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

static char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char default_term[] = "TERM=linux";

static size_t name_length(const char *entry)
{
    const char *equals = strchr(entry, '=');
    return equals == NULL ? 0 : (size_t)(equals - entry);
}

static void put(struct environment *environment, char *entry)
{
    size_t length = name_length(entry);

    if (length == 0)
        return;
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->variables[i], entry, length + 1) == 0) {
            environment->variables[i] = entry;
            return;
        }
    environment->variables[environment->count++] = entry;
}

const char *environment_value(const struct environment *environment, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->variables[i], name, length) == 0 && environment->variables[i][length] == '=')
            return environment->variables[i] + length + 1;
    return NULL;
}

/* As runc: an empty HOME counts as none. */
static void put_home(struct environment *environment, struct span home)
{
    const char *present = environment_value(environment, "HOME");
    struct out out = out_into(environment->home, sizeof environment->home - 1);

    if (present != NULL && present[0] != '\0')
        return;
    out_text(&out, "HOME=");
    out_bytes(&out, home.data, home.size);
    if (out.full)
        out_text(&out, "/");
    environment->home[out.used] = '\0';
    put(environment, environment->home);
}

void make_environment(const struct init_conf *conf, const struct identity *identity, bool on_terminal,
                      struct environment *environment)
{
    memset(environment, 0, sizeof *environment);
    for (size_t i = 0; i < conf->environment_count; i++)
        put(environment, conf->environment[i]);
    if (environment_value(environment, "PATH") == NULL)
        put(environment, default_path);
    put_home(environment, identity->home);
    if (on_terminal && environment_value(environment, "TERM") == NULL)
        put(environment, default_term);
    environment->variables[environment->count] = NULL;
}

/* Like mkdir -p: a container runtime makes a missing WorkingDir, owned by root. */
static void make_directories(const char *path)
{
    char partial[PATH_BYTES];
    size_t length = strlen(path);

    if (length >= sizeof partial)
        return;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        (void)mkdir(partial, 0755);
    }
}

static int refuse(const char *what, const char *subject, int error, int status)
{
    complain(INIT_PROGRAM, what, subject, error);
    return status;
}

/* In a user namespace setgroups() may be forbidden, which takes nothing from uid 0. */
static bool become_user(const struct identity *identity)
{
    if (setgroups(identity->group_count, identity->groups) < 0 && identity->uid != 0)
        return false;
    return setresgid(identity->gid, identity->gid, identity->gid) == 0 &&
           setresuid(identity->uid, identity->uid, identity->uid) == 0;
}

/* execve() came back: say what the kernel's bare errno does not. */
static int explain(const char *path)
{
    int error = errno;

    if (error == ENOENT && access(path, F_OK) == 0)
        return refuse("the program's interpreter is missing from the image", path, 0, STATUS_NOT_FOUND);
    if (error == ENOENT || error == ENOTDIR)
        return refuse("no such program in the image", path, 0, STATUS_NOT_FOUND);
    if (error == ENOEXEC)
        return refuse("not a program for this machine, and without a #! line", path, 0, STATUS_CANNOT_RUN);
    if (error == E2BIG)
        return refuse("Entrypoint, Cmd and Env are larger than the kernel takes", path, 0, STATUS_CANNOT_RUN);
    return refuse("cannot run", path, error, STATUS_CANNOT_RUN);
}

static bool is_program(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISDIR(about.st_mode) && access(path, X_OK) == 0;
}

/* DIRECTORY/NAME; an empty directory in PATH is the current one. */
static bool join(char *path, struct span directory, const char *name)
{
    struct out out = out_into(path, PATH_BYTES - 1);

    if (directory.size == 0)
        directory = span_of(".");
    out_bytes(&out, directory.data, directory.size);
    out_text(&out, "/");
    out_text(&out, name);
    path[out.used] = '\0';
    return !out.full;
}

/*
 * The first executable file of that name on PATH, as the user who will run it sees it. What is
 * found but not executable is passed over, and told apart at the end.
 */
static int find_program(const char *name, const char *search, char *path)
{
    struct span rest = span_of(search), directory;
    bool seen = false;

    while (span_next(&rest, ':', &directory)) {
        if (!join(path, directory, name))
            continue;
        if (is_program(path))
            return 0;
        seen = seen || access(path, F_OK) == 0;
    }
    return seen ? refuse("on PATH, but not executable for this user", name, 0, STATUS_CANNOT_RUN)
                : refuse("not found on PATH", name, 0, STATUS_NOT_FOUND);
}

/*
 * The console is root's; a program that opens /dev/stdout anew, as log settings like to, needs it to
 * be its own. runc does the same (fixStdioPermissions).
 */
static void give_console(uid_t uid)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (isatty(fd) == 1 && fchown(fd, uid, (gid_t)-1) < 0)
            complain(INIT_PROGRAM, "the console stays root's", NULL, errno);
}

static int execute(struct init_conf *conf, struct environment *environment)
{
    char path[PATH_BYTES];
    char *name = conf->arguments[0];

    if (strchr(name, '/') == NULL) {
        const char *search = environment_value(environment, "PATH");
        int status = name[0] == '\0' ? refuse("the program's name is empty", NULL, 0, STATUS_NOT_FOUND)
                                     : find_program(name, search == NULL ? "" : search, path);
        if (status != 0)
            return status;
        name = path;
    }
    execve(name, conf->arguments, environment->variables);
    return explain(name);
}

int become_program(struct init_conf *conf, const struct identity *identity, struct environment *environment)
{
    make_directories(conf->directory);
    if (chdir(conf->directory) < 0)
        return refuse("cannot enter WorkingDir", conf->directory, errno, STATUS_CANNOT_RUN);
    give_console(identity->uid);
    if (!become_user(identity))
        return refuse("cannot become the image's User", conf->user, errno, STATUS_CANNOT_RUN);
    return execute(conf, environment);
}
