#include "init-modules.h"

#include "init-run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MODULES_LOAD "/etc/modules-load.d/banger-vsock.conf"
/* MODULE_INIT_COMPRESSED_FILE of include/uapi/linux/module.h: the kernel unpacks .xz and .zst itself. */
#define COMPRESSED_FILE 4
/* Debian's full kernel has a modules.alias of 1.3 MB. */
#define TABLE_LIMIT (4 * 1024 * 1024)
#define PATH_BYTES 1024

static char dependency_bytes[TABLE_LIMIT], alias_bytes[TABLE_LIMIT];
static char folder[128];

static bool path_below(char path[PATH_BYTES], const char *above, struct span name, const char *behind)
{
    struct out out = out_into(path, PATH_BYTES - 1);

    out_text(&out, above);
    out_bytes(&out, name.data, name.size);
    out_text(&out, behind);
    path[out.used] = '\0';
    return !out.full;
}

static struct span read_table(const char *name, char *bytes)
{
    char path[PATH_BYTES];
    ssize_t got = path_below(path, folder, span_of(name), "") ? read_file(path, bytes, TABLE_LIMIT) : -1;

    return (struct span){.data = bytes, .size = got < 0 ? 0 : (size_t)got};
}

static char like_name(char byte)
{
    return byte == '-' ? '_' : byte;
}

/* Whether ".../NAME.ko", whatever comes behind ".ko", is that module. */
static bool is_file_of(struct span file, struct span name)
{
    const char *slash = memrchr(file.data, '/', file.size);

    if (slash != NULL) {
        file.size -= (size_t)(slash + 1 - file.data);
        file.data = slash + 1;
    }
    if (file.size < name.size + 3 || memcmp(file.data + name.size, ".ko", 3) != 0)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (like_name(file.data[i]) != like_name(name.data[i]))
            return false;
    return true;
}

bool find_module(struct span dependencies, struct span name, struct span *file, struct span *needs)
{
    struct span line;

    while (span_next(&dependencies, '\n', &line)) {
        if (!span_next(&line, ':', file) || line.data == NULL || !is_file_of(*file, name))
            continue;
        *needs = line;
        return true;
    }
    return false;
}

bool next_driver(struct span *rest, const char *modalias, struct span *module)
{
    struct span line, word, pattern;
    char text[512];

    while (span_next(rest, '\n', &line)) {
        if (!span_word(&line, &word) || !span_is(word, "alias") || !span_word(&line, &pattern) ||
            pattern.size >= sizeof text || !span_word(&line, module))
            continue;
        memcpy(text, pattern.data, pattern.size);
        text[pattern.size] = '\0';
        if (fnmatch(text, modalias, 0) == 0)
            return true;
    }
    return false;
}

static void insert(struct span file)
{
    char path[PATH_BYTES];
    bool compressed = file.size > 3 && memcmp(file.data + file.size - 3, ".ko", 3) != 0;
    int fd = path_below(path, folder, file, "") ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 || (syscall(SYS_finit_module, fd, "", compressed ? COMPRESSED_FILE : 0) < 0 && errno != EEXIST &&
                   errno != ENODEV))
        complain(INIT_PROGRAM, "cannot load", path, errno);
    if (fd >= 0)
        close(fd);
}

/* What it needs is listed nearest first, so it goes in from the far end. */
static void load(struct span dependencies, struct span name)
{
    struct span file, needs;

    if (!find_module(dependencies, name, &file, &needs))
        return;
    while (needs.size > 0) {
        const char *blank = memrchr(needs.data, ' ', needs.size);
        struct span last = needs;
        if (blank != NULL)
            last = (struct span){.data = blank + 1, .size = needs.size - (size_t)(blank + 1 - needs.data)};
        needs.size -= last.size + (blank != NULL ? 1 : 0);
        if (last.size > 0)
            insert(last);
    }
    insert(file);
}

static void load_driver_of(struct span dependencies, struct span aliases, const char *device)
{
    char path[PATH_BYTES], modalias[512];
    struct span module;

    if (!path_below(path, device, span_of("/modalias"), "") || !read_line_file(path, modalias, sizeof modalias))
        return;
    while (next_driver(&aliases, modalias, &module))
        load(dependencies, module);
}

static void load_drivers(struct span dependencies, struct span aliases, const char *bus)
{
    DIR *devices = opendir(bus);
    struct dirent *entry;
    char path[PATH_BYTES];

    if (devices == NULL)
        return;
    while ((entry = readdir(devices)) != NULL)
        if (entry->d_name[0] != '.' && path_below(path, bus, span_of(entry->d_name), ""))
            load_driver_of(dependencies, aliases, path);
    closedir(devices);
}

/* The lines of modules-load.d(5) that are neither empty nor a comment. */
static void load_listed(struct span dependencies)
{
    char bytes[4096];
    ssize_t got = read_file(MODULES_LOAD, bytes, sizeof bytes);
    struct span rest = {.data = bytes, .size = got < 0 ? 0 : (size_t)got}, line, name;

    while (span_next(&rest, '\n', &line))
        if (span_word(&line, &name) && name.data[0] != '#' && name.data[0] != ';')
            load(dependencies, name);
}

void load_modules(void)
{
    struct utsname kernel;
    struct span dependencies, aliases;

    if (uname(&kernel) < 0)
        return;
    struct out out = out_into(folder, sizeof folder - 1);
    out_text(&out, "/lib/modules/");
    out_text(&out, kernel.release);
    out_text(&out, "/");
    folder[out.used] = '\0';
    dependencies = read_table("modules.dep", dependency_bytes);
    aliases = read_table("modules.alias", alias_bytes);
    /* virtio devices appear when the driver of the PCI device that carries them is there. */
    load_drivers(dependencies, aliases, "/sys/bus/pci/devices/");
    load_drivers(dependencies, aliases, "/sys/bus/virtio/devices/");
    load_listed(dependencies);
}
