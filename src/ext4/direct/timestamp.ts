import type { Timestamp } from "../../layers/layer-index.ts";

/**
 * The second word of a time (kernel Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps"): its two low bits
 * count how often 2^32 goes on top of the signed first word, which is the seconds modulo 2^32; the others are
 * nanoseconds. From 1901-12-13 to 2446-05-10.
 */
export function extraTimeWord({ seconds, nanoseconds }: Timestamp): number {
  const epoch = Math.round((seconds - (seconds | 0)) / 2 ** 32) & 3;
  return (nanoseconds * 4 + epoch) >>> 0;
}
