import { lstat, readFile, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { run } from "../../base/exec.ts";

/** A file or symbolic link of this machine, to be packed under its own path. */
export type MachineFile =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

const lddOutputBytes = 64 * 1024;
const lddMs = 10_000;

/** A program with all that it loads: its libraries, their links, and the loader. Missing programs give nothing. */
export async function programFiles(program: string, signal: AbortSignal): Promise<MachineFile[]> {
  const found = await Promise.all(
    [`/bin/${program}`, `/usr/bin/${program}`].map((path) => realpath(path).catch(() => undefined)),
  );
  const path = found.find((candidate) => candidate !== undefined);
  if (path === undefined) return [];
  const listed = await run("ldd", [path], {
    op: "list libraries",
    signal,
    timeoutMs: lddMs,
    maxOutputBytes: lddOutputBytes,
  });
  const wanted = [`/usr/bin/${program}`, ...librariesIn(listed.stdout.toString("utf8"))];
  const files = await Promise.all([path, ...wanted].map(withLink));
  return files.flat();
}

/** The absolute paths in what ldd prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, and the loader's own line. */
export function librariesIn(output: string): string[] {
  return [...output.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)].map((match) => match[1] ?? "");
}

/** The file that a path leads to, and the link beside it where the path is one. */
async function withLink(path: string): Promise<MachineFile[]> {
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined) return [];
  const content = await readFile(target);
  const { mode } = await lstat(target);
  const file: MachineFile = { kind: "file", path: target, mode: mode & 0o7777, content };
  // Its folder may itself be a link, as /lib is on a system with merged /usr.
  const link = join(await realpath(dirname(path)), basename(path));
  if (link === target) return [file];
  return [file, { kind: "symlink", path: link, target: await readlink(link) }];
}

/** Top folders that are links into /usr, where this machine has them so. */
export async function mergedFolders(): Promise<MachineFile[]> {
  const links = await Promise.all(
    ["/bin", "/sbin", "/lib", "/lib32", "/lib64"].map(async (path): Promise<MachineFile[]> => {
      const target = await readlink(path).catch(() => undefined);
      return target === undefined ? [] : [{ kind: "symlink", path, target }];
    }),
  );
  return links.flat();
}
