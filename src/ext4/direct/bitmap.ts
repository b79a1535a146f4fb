/** kernel Documentation/filesystems/ext4/bitmaps.rst: bit 0 of byte 0 is the first block or inode; 1 is in use. */
export function setBits(out: Buffer, from: number, to: number): void {
  const firstWhole = Math.ceil(from / 8);
  const lastWhole = Math.floor(to / 8);
  if (firstWhole >= lastWhole) {
    for (let bit = from; bit < to; bit++) setBit(out, bit);
    return;
  }
  for (let bit = from; bit < firstWhole * 8; bit++) setBit(out, bit);
  out.fill(0xff, firstWhole, lastWhole);
  for (let bit = lastWhole * 8; bit < to; bit++) setBit(out, bit);
}

function setBit(out: Buffer, bit: number): void {
  out.writeUInt8(out.readUInt8(bit >>> 3) | (1 << (bit & 7)), bit >>> 3);
}
