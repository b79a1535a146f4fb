/** As the kernel writes it (init/version-timestamp.c). */
export function banner(release: string): Buffer {
  return Buffer.from(`Linux version ${release} (builder@host) (gcc 12) #1 SMP\n\0`);
}

/** Enough of a bzImage for whoever looks at its setup header (Documentation/arch/x86/boot.rst). */
export function bzImage(release: string, changes: { protocol?: number; xloadflags?: number } = {}): Buffer {
  const image = Buffer.alloc(40 * 512);
  image[0x1f1] = 30;
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(changes.protocol ?? 0x020f, 0x206);
  image.writeUInt16LE(0x3000, 0x20e);
  image[0x211] = 1;
  image.writeUInt16LE(changes.xloadflags ?? 1, 0x236);
  image.write(`${release} (builder@host) #1 SMP\0`, 0x3200, "latin1");
  return image;
}

/** A 64-bit ELF file with one note and a banner, as a vmlinux has them. */
export function vmlinux(
  release: string,
  changes: {
    machine?: number;
    type?: number;
    pvh?: boolean;
    at?: number;
    nameBytes?: number;
    valueBytes?: number;
  } = {},
): Buffer {
  const at = changes.at ?? 8192;
  const image = Buffer.alloc(at + 512);
  image.write("\x7fELF\x02\x01\x01", 0, "latin1");
  image.writeUInt16LE(changes.type ?? 2, 16);
  image.writeUInt16LE(changes.machine ?? 62, 18);
  image.writeBigUInt64LE(64n, 32);
  image.writeUInt16LE(56, 54);
  image.writeUInt16LE(1, 56);
  const note = Buffer.alloc(12 + 4 + 8);
  note.writeUInt32LE(changes.nameBytes ?? 4, 0);
  note.writeUInt32LE(changes.valueBytes ?? 8, 4);
  note.writeUInt32LE(changes.pvh === false ? 17 : 18, 8);
  note.write("Xen\0", 12, "latin1");
  image.writeUInt32LE(4, 64);
  image.writeBigUInt64LE(4096n, 64 + 8);
  image.writeBigUInt64LE(BigInt(note.length), 64 + 32);
  note.copy(image, 4096);
  banner(release).copy(image, at);
  return image;
}

/** An arm64 Image (Documentation/arch/arm64/booting.rst). */
export function arm64Image(release: string, changes: { bigEndian?: boolean } = {}): Buffer {
  const image = Buffer.alloc(70_000);
  image.write("MZ", 0, "latin1");
  image.writeUInt32LE(changes.bigEndian === true ? 1 : 0, 24);
  image.write("ARM\x64", 0x38, "latin1");
  banner(release).copy(image, 66_000);
  return image;
}

/** What a kernel object says of the release that it was built for, in its section `.modinfo`. */
export function moduleOf(release: string): Buffer {
  return Buffer.from(
    `\x7fELF\0license=GPL\0vermagic=${release} SMP preempt mod_unload modversions \0name=x\0`,
  );
}
