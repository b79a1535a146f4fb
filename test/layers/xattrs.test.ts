import assert from "node:assert/strict";
import { test } from "node:test";
import { entry, file, hardlink, pax, tar, type PaxPairs } from "./tar-builder.ts";
import { assertRefused, readOne, readTar } from "./read-tar.ts";

/** `cap_setuid=ep`, as a kernel keeps it: 20 bytes that are no UTF-8. */
const capability = Buffer.from("0100000280000000000000000000000000000000", "hex");

function xattrsOf(records: PaxPairs): Record<string, string> {
  const { xattrs } = readOne(tar(entry("f", { pax: records })));
  return Object.fromEntries(xattrs.map(({ name, value }) => [name, value.toString("hex")]));
}

const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");

test("values are bytes: capabilities, NULs, newlines, equals signs, nothing", () => {
  const records = {
    "SCHILY.xattr.security.capability": capability,
    "SCHILY.xattr.user.odd": "a\0\n=b\xff",
    "SCHILY.xattr.user.empty": "",
    "SCHILY.xattr.user.a=b": "the first equals sign ends the keyword",
  };
  assert.deepEqual(xattrsOf(records), {
    "security.capability": capability.toString("hex"),
    "user.a": hex("b=the first equals sign ends the keyword"),
    "user.empty": "",
    "user.odd": hex("a\0\n=b\xff"),
  });
});

test("libarchive's are URL-encoded names and base64 values, padded or not; star's win", () => {
  const records = {
    "LIBARCHIVE.xattr.user.a%3db%25": Buffer.from("x=y").toString("base64"),
    "LIBARCHIVE.xattr.security.capability": capability.toString("base64").replace(/=+$/, ""),
    "LIBARCHIVE.xattr.user.both": Buffer.from("libarchive").toString("base64"),
    "SCHILY.xattr.user.both": "star",
    "SCHILY.xattr.user.first": "star",
    "LIBARCHIVE.xattr.user.first": Buffer.from("libarchive").toString("base64"),
    "LIBARCHIVE.xattr.user.none": "",
  };
  assert.deepEqual(xattrsOf(records), {
    "security.capability": capability.toString("hex"),
    "user.a=b%": hex("x=y"),
    "user.both": hex("star"),
    "user.first": hex("star"),
    "user.none": "",
  });
});

test("they are sorted by name, and a global header's apply too", () => {
  const archive = tar(
    pax({ "SCHILY.xattr.user.z": "global", "SCHILY.xattr.user.m": "global" }, "g"),
    entry("f", { xattrs: { "user.m": "own", "user.a": "own" } }),
    file("g"),
  );
  const names = readTar(archive).entries.map(({ xattrs }) =>
    xattrs.map(({ name, value }) => `${name}=${value.toString()}`),
  );
  assert.deepEqual(names, [
    ["user.a=own", "user.m=own", "user.z=global"],
    ["user.m=global", "user.z=global"],
  ]);
});

test("namespaces: those that the disk holds are kept, the others listed", () => {
  const kept = ["security.ima", "trusted.x", "user.x", "system.posix_acl_access", "system.posix_acl_default"];
  const dropped = [
    "com.apple.provenance",
    "os2.x",
    "security.",
    "system.nfs4_acl",
    "trusted.overlay.opaque",
    "user",
    "user.",
  ];
  const xattrs = Object.fromEntries([...kept, ...dropped].map((name) => [name, "x"]));
  const { entries, losses } = readTar(tar(file("first"), entry("f", { xattrs, content: "body" })));
  assert.deepEqual(
    entries[1]?.xattrs.map(({ name }) => String(name)),
    kept.toSorted(),
  );
  assert.deepEqual(
    losses.map(({ detail }) => detail.split(" ")[0]),
    dropped,
  );
  for (const loss of losses) {
    assert.deepEqual([loss.kind, loss.path, loss.entryNumber], ["XATTR_NAMESPACE", "f", 2]);
  }
});

test("metadata in keywords that no runtime applies is listed too", () => {
  const records = {
    "SCHILY.acl.access": "user::rw-",
    "SCHILY.fflags": "nodump",
    "RHT.security.selinux": "u:r:t",
  };
  const { losses } = readTar(tar(entry("f", { pax: records })));
  assert.deepEqual(
    losses.map(({ detail }) => detail.split(" ")[0]),
    Object.keys(records).toSorted(),
  );
});

test("of a hard link nothing is lost: its header counts for nothing", () => {
  const { losses } = readTar(tar(file("f"), hardlink("h", "f", { xattrs: { "os2.x": "x" } })));
  assert.deepEqual(losses, []);
});

for (const [what, records] of Object.entries({
  "no name": { "SCHILY.xattr.": "x" },
  "a name too long": { [`SCHILY.xattr.user.${"n".repeat(251)}`]: "x" },
  "a name that is not URL-encoded": { "LIBARCHIVE.xattr.user.%zz": "eA" },
  "a name with half an escape": { "LIBARCHIVE.xattr.user.%4": "eA" },
  "an encoded NUL": { "LIBARCHIVE.xattr.user.%00": "eA" },
  "a value that is not base64": { "LIBARCHIVE.xattr.user.a": "e*" },
  "a value with one character too many": { "LIBARCHIVE.xattr.user.a": "eHl6e" },
})) {
  test(`refused: ${what}`, () => {
    const error = assertRefused(tar(entry("f", { pax: records })), {
      reason: "LAYER_INVALID",
      rule: "xattr",
    });
    assert.equal(error.facts["name"], "f");
  });
}
