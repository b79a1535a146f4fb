/*
 * A faulty disk, loaded before libc (LD_PRELOAD): of the calls that change files below FAULT_ROOT, or read them, the
 * one whose number is armed fails, or kills the daemon in the middle of it. Numbers are counted in a shared file, so
 * that all threads and children of a daemon count together, and the test arms a daemon that is already at work.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The layout that control.ts writes. */
struct control {
	_Atomic uint64_t changes; /* counted so far */
	_Atomic uint64_t reads;
	_Atomic uint64_t armed_change; /* fails when `changes` gets there; 0 is never */
	_Atomic uint64_t armed_read;
	_Atomic uint64_t error; /* errno, or 0 to kill */
	_Atomic uint64_t lasting; /* whether all that follow fail as well: a full disk */
	_Atomic uint64_t daemon; /* who is killed; 0 is whoever makes the call */
	_Atomic uint64_t struck;
};

static struct control *control;
static char root[PATH_MAX];
static size_t root_length;

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("FAULT_CONTROL");
	const char *below = getenv("FAULT_ROOT");
	if (path == NULL || below == NULL)
		return;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return;
	snprintf(root, sizeof root, "%s/", below);
	root_length = strlen(root);
	control = mapped;
}

static int below_root(const char *path)
{
	return control != NULL && path != NULL && strncmp(path, root, root_length) == 0;
}

static int fd_below_root(int fd)
{
	char link[64], path[PATH_MAX];
	if (control == NULL || fd < 3)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length <= 0)
		return 0;
	path[length] = '\0';
	return below_root(path);
}

static int strikes(_Atomic uint64_t *counter, _Atomic uint64_t *armed)
{
	uint64_t number = atomic_fetch_add(counter, 1) + 1;
	uint64_t at = atomic_load(armed);
	if (at == 0 || number < at || (number > at && atomic_load(&control->lasting) == 0))
		return 0;
	atomic_fetch_add(&control->struck, 1);
	uint64_t error = atomic_load(&control->error);
	if (error == 0) {
		pid_t daemon = (pid_t)atomic_load(&control->daemon);
		kill(daemon == 0 ? getpid() : daemon, SIGKILL);
		/* A child of it goes on for a moment, as children do. */
		return 0;
	}
	errno = (int)error;
	return 1;
}

static int change_fails(void) { return strikes(&control->changes, &control->armed_change); }
static int read_fails(void) { return strikes(&control->reads, &control->armed_read); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_FD(check, type, name, params, args) \
	type name params \
	{ \
		static __typeof__(&name) real; \
		if (real == NULL) \
			real = REAL(name); \
		if (fd_below_root(fd) && check()) \
			return -1; \
		return real args; \
	}

#define ON_PATH(path, type, name, params, args) \
	type name params \
	{ \
		static __typeof__(&name) real; \
		if (real == NULL) \
			real = REAL(name); \
		if (below_root(path) && change_fails()) \
			return -1; \
		return real args; \
	}

ON_FD(change_fails, ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
ON_FD(change_fails, ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
ON_FD(change_fails, ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
ON_FD(change_fails, ssize_t, writev, (int fd, const struct iovec *all, int count), (fd, all, count))
ON_FD(change_fails, ssize_t, pwritev, (int fd, const struct iovec *all, int count, off_t at), (fd, all, count, at))
ON_FD(change_fails, ssize_t, pwritev64, (int fd, const struct iovec *all, int count, off64_t at), (fd, all, count, at))
ON_FD(change_fails, int, fsync, (int fd), (fd))
ON_FD(change_fails, int, fdatasync, (int fd), (fd))
ON_FD(change_fails, int, ftruncate, (int fd, off_t length), (fd, length))
ON_FD(change_fails, int, ftruncate64, (int fd, off64_t length), (fd, length))
ON_FD(change_fails, int, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
ON_FD(change_fails, int, fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))
ON_FD(change_fails, int, fchmod, (int fd, mode_t mode), (fd, mode))

ON_FD(read_fails, ssize_t, read, (int fd, void *bytes, size_t count), (fd, bytes, count))
ON_FD(read_fails, ssize_t, pread, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at))
ON_FD(read_fails, ssize_t, pread64, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count, at))

ON_PATH(to, int, rename, (const char *from, const char *to), (from, to))
ON_PATH(path, int, mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(path, int, rmdir, (const char *path), (path))
ON_PATH(path, int, unlink, (const char *path), (path))
ON_PATH(to, int, link, (const char *from, const char *to), (from, to))
ON_PATH(to, int, symlink, (const char *from, const char *to), (from, to))

/* Making a file is a change; opening one that is there is none. */
#define OPENS(name, check_path, params, call) \
	int name params \
	{ \
		static __typeof__(&name) real; \
		if (real == NULL) \
			real = REAL(name); \
		mode_t mode = 0; \
		if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) { \
			va_list rest; \
			va_start(rest, flags); \
			mode = va_arg(rest, mode_t); \
			va_end(rest); \
			if (below_root(path) && change_fails()) \
				return -1; \
		} \
		return real call; \
	}

OPENS(open, path, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, path, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, path, (int at, const char *path, int flags, ...), (at, path, flags, mode))
