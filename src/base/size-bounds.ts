/** What the size of an image's file system may be, in bytes. */
export const sizeBounds = {
  /** One block of ext4's, below which the number can only be a slip: `--size 12` for 12G. */
  min: 4096n,
  /** The largest ext4 of 4 KiB blocks with 32-bit block numbers. */
  max: 2n ** 44n - 4096n,
} as const;
