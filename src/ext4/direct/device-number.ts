/** EXT4's old encoding holds numbers up to this (kernel include/linux/kdev_t.h, `old_valid_dev`). */
const maxOld = 255;

/**
 * A device's number in the first two words of `i_block`: the old encoding, 8 bits each, in the first; what that can't
 * hold in the new one, in the second: `mmmM MMmm` in hex digits (kernel fs/ext4/inode.c, `ext4_do_update_inode`, and
 * include/linux/kdev_t.h, `new_encode_dev`).
 */
export function encodeDevice(
  out: Buffer,
  at: number,
  device: { readonly major: number; readonly minor: number },
): void {
  const { major, minor } = device;
  if (major <= maxOld && minor <= maxOld) {
    out.writeUInt32LE((major << 8) | minor, at);
    return;
  }
  out.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, at + 4);
}
