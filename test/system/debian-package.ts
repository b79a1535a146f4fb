import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runProgram } from "./program.ts";

/** Makes a Debian package of those files, paths as they are to be installed. */
export function writeDebianPackage(
  path: string,
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
): void {
  const tree = `${path}.tree`;
  const all = {
    ...files,
    "DEBIAN/control": `Package: ${name}\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDescription: for a test\n`,
  };
  try {
    for (const [file, content] of Object.entries(all)) {
      mkdirSync(dirname(join(tree, file)), { recursive: true });
      writeFileSync(join(tree, file), content);
    }
    runProgram("dpkg-deb", ["--root-owner-group", "--build", tree, path]);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
