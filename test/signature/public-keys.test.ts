import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { readPublicKeys } from "../../src/signature/public-keys.ts";

test("a key's file is read within its bound, and nothing in its place holds up who reads it", async () => {
  await using folder = await makeTempDir("banger-keys-");
  const at = (name: string): string => join(folder.path, name);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = publicKey.export({ type: "spki", format: "pem" });
  writeFileSync(at("cosign.pub"), pem);
  assert.equal((await readPublicKeys(at("cosign.pub"), { publicKeyBytes: 1000 })).length, 1);
  writeFileSync(at("long.pub"), `${pem}${" ".repeat(1000)}`);
  mkdirSync(at("folder.pub"));
  execFileSync("mkfifo", [at("pipe.pub")]);
  const cases: readonly (readonly [string, RegExp])[] = [
    ["long.pub", /it has more than the 1000 bytes that are allowed/],
    ["folder.pub", /it is no file/],
    ["pipe.pub", /it is no file/],
    ["none.pub", /ENOENT/],
  ];
  for (const [name, message] of cases) {
    const read = readPublicKeys(at(name), { publicKeyBytes: 1000 });
    await assert.rejects(read, { reason: "SIGNATURE_INVALID", message }, name);
  }
});
