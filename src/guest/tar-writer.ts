import { bytesToBuffer, joinBytes, utf8Bytes, type ByteString } from "../base/bytes.ts";

/** One entry of an archive, owned by root, from 1970: so that equal entries make equal archives. */
export type TarEntry =
  | { readonly kind: "file"; readonly path: ByteString; readonly mode: number; readonly content: Buffer }
  | { readonly kind: "symlink"; readonly path: ByteString; readonly target: ByteString }
  | { readonly kind: "directory"; readonly path: ByteString; readonly mode: number };

const blockBytes = 512;

/** Bytes that a header's name and link name have room for; longer ones go into PAX records. */
const nameBytes = 100;

/**
 * An archive of those entries in their order: POSIX.1-2001 pax (IEEE Std 1003.1, "pax Interchange Format"), with
 * extended headers only where a name needs one. Names are bytes, as they are in an image.
 */
export function writeTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(tarPieces), tarEnd]);
}

/** One entry's part of an archive: its headers, and its content to the end of a block. */
export function tarPieces(entry: TarEntry): readonly Buffer[] {
  return [...paxOf(entry), ...piecesOf(entry)];
}

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes);

function piecesOf(entry: TarEntry): readonly Buffer[] {
  switch (entry.kind) {
    case "file": {
      const { path, mode, content } = entry;
      return [header({ type: "0", path, mode, size: content.length }), padded(content)];
    }
    case "symlink":
      return [header({ type: "2", path: entry.path, mode: 0o777, target: entry.target })];
    case "directory":
      return [header({ type: "5", path: joinBytes([entry.path, utf8Bytes("/")]), mode: entry.mode })];
  }
}

function paxOf(entry: TarEntry): readonly Buffer[] {
  const records = [
    ...(entry.path.length < nameBytes ? [] : [record("path", entry.path)]),
    ...(entry.kind === "symlink" && entry.target.length > nameBytes
      ? [record("linkpath", entry.target)]
      : []),
  ];
  if (records.length === 0) return [];
  const content = Buffer.concat(records);
  const path = utf8Bytes("PaxHeader");
  return [header({ type: "x", path, mode: 0o644, size: content.length }), padded(content)];
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function record(key: string, value: ByteString): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), bytesToBuffer(value), Buffer.from("\n")]);
}

interface HeaderFields {
  readonly type: string;
  readonly path: ByteString;
  readonly mode: number;
  readonly size?: number;
  readonly target?: ByteString;
}

function header({ type, path, mode, size = 0, target }: HeaderFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  };
  block.write(path.slice(0, nameBytes), 0, "latin1");
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(0, 136, 11);
  block.write(type, 156, "latin1");
  if (target !== undefined) block.write(target.slice(0, nameBytes), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & (blockBytes - 1))]);
}
