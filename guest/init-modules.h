/*
 * Kernel modules, where the image has /lib/modules of the running kernel: the drivers of the machine's
 * PCI and virtio devices, as udev would load them, and what the vsock agent needs. It takes no program
 * of the image's: container images have no modprobe. A kernel without modules is left in peace.
 */
#ifndef BANGER_INIT_MODULES_H
#define BANGER_INIT_MODULES_H

#include "text.h"

void load_modules(void);

/*
 * The line of modules.dep for a module by name ("-" and "_" are the same): its file and, in `needs`,
 * the files that go before it, the last one first. False when there is none.
 */
bool find_module(struct span dependencies, struct span name, struct span *file, struct span *needs);

/*
 * The next line of modules.alias whose pattern fits a device's modalias; `rest` moves on behind it, as
 * several drivers may fit. False when no more do.
 */
bool next_driver(struct span *rest, const char *modalias, struct span *module);

#endif
