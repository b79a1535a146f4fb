#include "init-mounts.h"

#include "init-run.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PLAIN (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct mount_point {
    const char *source, *target, *type, *options;
    unsigned long flags;
    bool optional; /* not in every kernel: no word about it when it is missing */
};

static const struct mount_point system_mounts[] = {
    {"sysfs", "/sys", "sysfs", "", PLAIN, false},
    {"cgroup2", "/sys/fs/cgroup", "cgroup2", "nsdelegate", PLAIN, true},
};

/* gid 5 is "tty" on every distribution; ptmxmode lets each user open /dev/pts/ptmx. */
static const struct mount_point device_mounts[] = {
    {"devpts", "/dev/pts", "devpts", "gid=5,mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC, false},
    {"tmpfs", "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false},
    {"mqueue", "/dev/mqueue", "mqueue", "", PLAIN, true},
};

static bool make_directory(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0; /* whatever the umask */
    return errno == EEXIST;
}

/* True when it is mounted, by this call or before (EBUSY: the kernel or an initrd did it). */
static bool mount_one(const struct mount_point *point)
{
    (void)make_directory(point->target, 0755);
    if (mount(point->source, point->target, point->type, point->flags, point->options) == 0 || errno == EBUSY)
        return true;
    if (!point->optional)
        complain(INIT_PROGRAM, "cannot mount", point->target, errno);
    return false;
}

static void make_root_writable(void)
{
    if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0)
        complain(INIT_PROGRAM, "the root file system stays read-only", NULL, errno);
}

void mount_proc(void)
{
    static const struct mount_point proc = {"proc", "/proc", "proc", "", PLAIN, false};

    /* An initrd may have left it mounted; proc does not answer EBUSY to a second time. */
    if (access("/proc/self", F_OK) == 0)
        return;
    if (access("/proc", F_OK) < 0)
        make_root_writable();
    (void)mount_one(&proc);
}

/* A kernel without devtmpfs: the devices that programs take for granted. */
static void make_devices(void)
{
    static const struct {
        const char *path;
        unsigned major, minor;
        mode_t mode;
    } devices[] = {
        {"/dev/null", 1, 3, 0666},    {"/dev/zero", 1, 5, 0666}, {"/dev/full", 1, 7, 0666},
        {"/dev/random", 1, 8, 0666},  {"/dev/urandom", 1, 9, 0666}, {"/dev/tty", 5, 0, 0666},
        {"/dev/console", 5, 1, 0600}, {"/dev/ptmx", 5, 2, 0666},
    };

    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        dev_t number = makedev(devices[i].major, devices[i].minor);
        if (mknod(devices[i].path, S_IFCHR | devices[i].mode, number) == 0)
            (void)chmod(devices[i].path, devices[i].mode);
    }
}

static void link_device(const char *target, const char *path)
{
    if (symlink(target, path) < 0 && errno != EEXIST)
        complain(INIT_PROGRAM, "cannot make", path, errno);
}

static void mount_devices(void)
{
    static const struct mount_point kernel = {"devtmpfs", "/dev", "devtmpfs", "mode=0755", MS_NOSUID, true};
    static const struct mount_point memory = {"tmpfs", "/dev", "tmpfs", "mode=0755", MS_NOSUID, false};

    /* Without devtmpfs, what the image or an initrd brought along is used, or else made here. */
    if (!mount_one(&kernel) && access("/dev/null", W_OK) < 0) {
        (void)mount_one(&memory);
        make_devices();
    }
    for (size_t i = 0; i < sizeof device_mounts / sizeof device_mounts[0]; i++)
        (void)mount_one(&device_mounts[i]);
    link_device("/proc/self/fd", "/dev/fd");
    link_device("/proc/self/fd/0", "/dev/stdin");
    link_device("/proc/self/fd/1", "/dev/stdout");
    link_device("/proc/self/fd/2", "/dev/stderr");
}

/* Nothing in it but, at most, an empty lock/, as Debian's base image has. */
static bool is_bare_run(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool bare = true;

    if (directory == NULL)
        return errno == ENOENT;
    while (bare && (entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        bare = strcmp(path, "/run") == 0 && strcmp(name, "lock") == 0 && is_bare_run("/run/lock");
    }
    closedir(directory);
    return bare;
}

/*
 * /run in memory, as everywhere; except where the image has put something there: images such as
 * mysql's count on their /run/mysqld, since container runtimes leave /run alone.
 */
static void mount_run(void)
{
    static const struct mount_point run = {"tmpfs", "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV, false};

    if (is_bare_run("/run") && mount_one(&run))
        (void)make_directory("/run/lock", 01777);
}

void mount_all(const struct mount_policy *policy)
{
    static const struct mount_point tmp = {"tmpfs", "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false};

    if (!policy->keep_root_read_only)
        make_root_writable();
    for (size_t i = 0; i < sizeof system_mounts / sizeof system_mounts[0]; i++)
        (void)mount_one(&system_mounts[i]);
    mount_devices();
    mount_run();
    (void)make_directory("/tmp", 01777);
    if (policy->tmp_in_memory)
        (void)mount_one(&tmp);
}

void write_if_empty(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    struct stat about;

    /* A read-only root has no place for it, and neither has a folder that is missing. */
    if (fd < 0)
        return;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == 0 &&
        !write_all(fd, text, strlen(text)))
        complain(INIT_PROGRAM, "cannot write", path, errno);
    close(fd);
}

/* "\040" and the like in /proc/self/mounts are blanks and backslashes (seq_path). */
static void unescape(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0'; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
                     from[3] >= '0' && from[3] <= '7';
        *to = octal ? (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0')) : *from;
        from += octal ? 4 : 1;
    }
    *to = '\0';
}

static bool is_within(struct span path, const char *folder)
{
    size_t size = strlen(folder);
    return span_starts(path, folder) && (path.size == size || path.data[size] == '/');
}

/* The last mount's target that is below "/" and outside what the kernel itself keeps. */
static bool last_mount(char *target, size_t size)
{
    static char table[64 * 1024];
    ssize_t got = read_file("/proc/self/mounts", table, sizeof table);
    struct span rest = {.data = table, .size = got < 0 ? 0 : (size_t)got}, line, source, path;
    bool found = false;

    while (span_next(&rest, '\n', &line)) {
        if (!span_word(&line, &source) || !span_word(&line, &path) || path.size >= size)
            continue;
        if (span_is(path, "/") || is_within(path, "/proc") || is_within(path, "/dev") || is_within(path, "/sys"))
            continue;
        memcpy(target, path.data, path.size);
        target[path.size] = '\0';
        found = true;
    }
    if (found)
        unescape(target);
    return found;
}

void unmount_all(void)
{
    char target[4096];

    sync();
    /* Each round takes the newest away; MNT_DETACH lets go even of one in use. */
    for (unsigned rounds = 0; rounds < 1024 && last_mount(target, sizeof target); rounds++)
        if (umount2(target, 0) < 0 && umount2(target, MNT_DETACH) < 0)
            break;
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        complain(INIT_PROGRAM, "the root file system stays writable", NULL, errno);
    sync();
}
