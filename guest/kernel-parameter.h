/* Parameters on the kernel command line, as the kernel itself splits them. */
#ifndef BANGER_KERNEL_PARAMETER_H
#define BANGER_KERNEL_PARAMETER_H

#include "text.h"

/* COMMAND_LINE_SIZE is 2,048 on x86 and arm64, 4,096 on s390 and 65,536 nowhere we run. */
#define COMMAND_LINE_LIMIT 8192

/* Reads /proc/cmdline into `data`; an unreadable one is an empty one. */
struct span read_command_line(char *data, size_t size);

/*
 * The value of the last NAME=value, as in the kernel, where the last one counts. Double quotes
 * around a value keep its blanks and are taken off; words behind "--" are init's, not ours.
 * False when it is not there.
 */
bool kernel_parameter(struct span command_line, const char *name, struct span *value);

#endif
