import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack, type Header } from "tar-stream";
import { mergedFolders, programFiles, type MachineFile } from "./machine-files.ts";

/** One entry of a layer's tar archive. */
export interface TarEntry {
  readonly header: Partial<Header> & Pick<Header, "name">;
  readonly content?: Buffer;
}

/** The same archive on every run of the same machine. */
const mtime = new Date(Date.UTC(2024, 0, 1));

/**
 * Three layers that use what container images use: a shell that works, its libraries and links; setuid, sticky
 * and private modes, owners, a device, an extended attribute, a hard link; and a last layer that deletes and
 * replaces.
 */
export async function demoLayers(signal: AbortSignal): Promise<readonly (readonly TarEntry[])[]> {
  return [await systemLayer(signal), await toolsLayer(signal), changesLayer()];
}

async function systemLayer(signal: AbortSignal): Promise<readonly TarEntry[]> {
  const release = await readFile("/etc/os-release").catch(() => Buffer.from('NAME="Demo"\n'));
  return [
    folder("tmp", 0o1777),
    folder("root", 0o700),
    folder("dev"),
    { header: { name: "dev/null", type: "character-device", mode: 0o666, devmajor: 1, devminor: 3, mtime } },
    folder("etc"),
    file("etc/os-release", release),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndemo:x:1000:1000::/home/demo:/bin/sh\n"),
    ...withFolders([...(await mergedFolders()), ...(await programFiles("sh", signal))]),
  ];
}

async function toolsLayer(signal: AbortSignal): Promise<readonly TarEntry[]> {
  const tools = [...(await programFiles("ls", signal)), ...(await programFiles("cat", signal))];
  return [
    ...withFolders(tools),
    file("usr/bin/raise", "#!/bin/sh\nexec id\n", { mode: 0o4755 }),
    { header: { name: "usr/bin/lift", type: "link", linkname: "usr/bin/raise", mtime } },
    folder("home"),
    folder("home/demo", 0o750, 1000),
    file("home/demo/notes", "kept as they were\n", {
      mode: 0o640,
      uid: 1000,
      gid: 1000,
      pax: { "SCHILY.xattr.user.comment": "an extended attribute" },
    }),
    folder("srv"),
    file("srv/draft", "deleted by the layer above\n"),
    file("srv/greeting", "replaced by the layer above\n"),
  ];
}

/** OCI image-spec, layer.md, "Whiteouts": `.wh.draft` hides `draft` of the layers below. */
function changesLayer(): readonly TarEntry[] {
  return [file("srv/.wh.draft", ""), file("srv/greeting", "hello from the topmost layer\n")];
}

/** The archive's bytes. */
export async function packLayer(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { header, content } of entries) {
    if (content === undefined) archive.entry(header);
    else archive.entry(header, content);
  }
  archive.finalize();
  return buffer(archive);
}

/** Entries of machine files, each path once, with the folders that they need. */
function withFolders(files: readonly MachineFile[]): TarEntry[] {
  const entries = new Map<string, TarEntry>();
  for (const one of files) {
    const name = one.path.slice(1);
    for (const parent of parentsOf(name)) if (!entries.has(parent)) entries.set(parent, folder(parent));
    if (entries.has(name)) continue;
    if (one.kind === "file") entries.set(name, file(name, one.content, { mode: one.mode }));
    else entries.set(name, { header: { name, type: "symlink", linkname: one.target, mtime } });
  }
  return [...entries.values()];
}

function parentsOf(name: string): string[] {
  const parent = dirname(name);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

function folder(name: string, mode = 0o755, owner = 0): TarEntry {
  return { header: { name: `${name}/`, type: "directory", mode, uid: owner, gid: owner, mtime } };
}

function file(name: string, content: string | Buffer, header: Partial<Header> = {}): TarEntry {
  return {
    header: { name, type: "file", mode: 0o644, uid: 0, gid: 0, mtime, ...header },
    content: Buffer.from(content),
  };
}
