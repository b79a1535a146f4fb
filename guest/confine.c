#include "confine.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "nobody" on every distribution, and the kernel's own overflow id. */
#define NOBODY 65534u

/*
 * include/uapi/linux/{seccomp,filter,audit}.h, as far as needed: musl-tools has no kernel headers.
 */
struct filter_step {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};

struct filter_program {
    unsigned short length;
    struct filter_step *steps;
};

#define LOAD_WORD 0x20u  /* BPF_LD | BPF_W | BPF_ABS */
#define JUMP_EQUAL 0x15u /* BPF_JMP | BPF_JEQ | BPF_K */
#define RETURN 0x06u     /* BPF_RET | BPF_K */
#define OFFSET_NUMBER 0u
#define OFFSET_ARCHITECTURE 4u
#define ACTION_ALLOW 0x7fff0000u
#define ACTION_KILL 0x80000000u
/* Refused, not killed: a C library that tries one call more still gets an answer out. */
#define ACTION_REFUSE (0x00050000u | EPERM)
#define MODE_FILTER 2

#if defined(__x86_64__)
#define ARCHITECTURE 0xc000003eu
#elif defined(__aarch64__)
#define ARCHITECTURE 0xc00000b7u
#endif

#ifdef ARCHITECTURE
static const uint16_t allowed_calls[] = {
    SYS_read, SYS_write, SYS_close, SYS_openat, SYS_ioctl, SYS_uname, SYS_ppoll, SYS_accept4,
    SYS_recvfrom, SYS_sendto, SYS_shutdown, SYS_clock_gettime, SYS_rt_sigreturn,
    SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_fcntl,
    /* strerror() and the end of a program in glibc. */
    SYS_fstat, SYS_brk, SYS_mmap, SYS_munmap,
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
};

#define CALLS (sizeof allowed_calls / sizeof allowed_calls[0])

/*
 * Load the architecture, kill on a foreign one (its numbers mean other calls); load the number and
 * compare; the x32 numbers (bit 30) match none and are refused with the rest.
 */
static bool install_filter(void)
{
    struct filter_step steps[CALLS + 6];
    size_t used = 0;

    steps[used++] = (struct filter_step){.code = LOAD_WORD, .value = OFFSET_ARCHITECTURE};
    steps[used++] = (struct filter_step){.code = JUMP_EQUAL, .if_true = 1, .value = ARCHITECTURE};
    steps[used++] = (struct filter_step){.code = RETURN, .value = ACTION_KILL};
    steps[used++] = (struct filter_step){.code = LOAD_WORD, .value = OFFSET_NUMBER};
    for (size_t i = 0; i < CALLS; i++)
        steps[used++] = (struct filter_step){
            .code = JUMP_EQUAL, .if_true = (uint8_t)(CALLS - i), .value = allowed_calls[i]};
    steps[used++] = (struct filter_step){.code = RETURN, .value = ACTION_REFUSE};
    steps[used++] = (struct filter_step){.code = RETURN, .value = ACTION_ALLOW};

    struct filter_program program = {.length = (unsigned short)used, .steps = steps};
    return prctl(PR_SET_SECCOMP, MODE_FILTER, &program, 0, 0) == 0;
}
#else
static bool install_filter(void)
{
    return true;
}
#endif

static void limit(int resource, rlim_t value)
{
    struct rlimit bound = {.rlim_cur = value, .rlim_max = value};
    /* Limits are a second wall; a kernel that refuses one leaves the first standing. */
    (void)setrlimit(resource, &bound);
}

/* The capabilities that any later exec could have; there is none, but nothing is to be had. */
static void empty_bounding_set(void)
{
    for (unsigned long capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno == EINVAL)
            break;
}

/* Leaving uid 0 empties the permitted, effective and ambient sets too (capabilities(7)). */
static bool leave_root(const char **step)
{
    *step = "setgroups";
    if (setgroups(0, NULL) < 0)
        return false;
    *step = "setresgid";
    if (setresgid(NOBODY, NOBODY, NOBODY) < 0)
        return false;
    *step = "setresuid";
    if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return false;
    *step = "setresuid: root can be had back";
    errno = 0;
    return setuid(0) < 0 && getuid() == NOBODY && geteuid() == NOBODY;
}

bool confine(const char **step)
{
    *step = "prctl(PR_SET_NO_NEW_PRIVS)";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return false;
    empty_bounding_set();
    if (geteuid() == 0 && !leave_root(step))
        return false;
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_NOFILE, 256);
    *step = "prctl(PR_SET_SECCOMP)";
    /* EINVAL, ENOSYS: a kernel without seccomp filters, as some microVM configurations have. */
    return install_filter() || errno == EINVAL || errno == ENOSYS;
}
