export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/**
 * A device's number, from the first two words of `i_block` (kernel include/linux/kdev_t.h and
 * `ext4_iget`): the first holds 8 bits each in the old encoding; where it is 0, the second holds 12 bits of
 * major and 20 of minor, `mmmM MMmm` in hex digits.
 */
export function decodeDevice(blockArea: Buffer): DeviceNumber {
  const old = blockArea.readUInt32LE(0);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const wide = blockArea.readUInt32LE(4);
  return { major: (wide & 0xfff00) >>> 8, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) };
}
