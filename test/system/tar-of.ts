import { pack, type Pack } from "tar-stream";

export type TarHeader = Parameters<Pack["entry"]>[0];

/** A tar archive as tar-stream writes it; all entries have one time unless they say otherwise. */
export async function tarOf(
  fill: (put: (header: TarHeader, content?: string | Buffer) => void) => void,
): Promise<Buffer> {
  const archive = pack();
  fill((header, content = "") => {
    archive.entry({ mtime: new Date(1_700_000_000_000), ...header }, content);
  });
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive) if (Buffer.isBuffer(piece)) pieces.push(piece);
  return Buffer.concat(pieces);
}
