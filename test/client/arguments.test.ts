import assert from "node:assert/strict";
import { test } from "node:test";
import { BangerError, hasReason, reasons } from "../../src/base/error.ts";
import { exitCodeOf } from "../../src/client/exit-code.ts";
import { absoluteReference } from "../../src/client/reference.ts";
import { parseAge, parseImageSize, parseSize } from "../../src/client/size.ts";

const sizes: readonly (readonly [string, bigint])[] = [
  ["4G", 4n << 30n],
  ["512m", 512n << 20n],
  ["512MiB", 512n << 20n],
  ["1TB", 1n << 40n],
  ["1048576", 1048576n],
  ["9007199254740993", 9007199254740993n],
];

for (const [text, bytes] of sizes) {
  test(`--size ${text}`, () => assert.equal(parseSize(text), bytes));
}

for (const text of ["", "0", "-1", "4X", "4 G", "1.5G", "G", "0x10", "1e9", "99999999999999999999G"]) {
  test(`--size ${JSON.stringify(text)} is refused`, () =>
    assert.throws(
      () => parseSize(text),
      (error) => hasReason(error, "SIZE_INVALID"),
    ));
}

test("--unused-for", () => {
  assert.equal(parseAge("90s"), 90_000);
  assert.equal(parseAge("7d"), 7 * 86_400_000);
  for (const text of ["", "7", "d", "-1d", "1w"])
    assert.throws(
      () => parseAge(text),
      (error) => hasReason(error, "OPTION_INVALID"),
    );
});

const references: readonly (readonly [string, string])[] = [
  ["debian:bookworm", "debian:bookworm"],
  ["localhost:5000/a/b@sha256:00", "localhost:5000/a/b@sha256:00"],
  ["oci:/abs/dir:tag", "oci:/abs/dir:tag"],
  ["oci:dir", "oci:/here/dir"],
  ["oci:./dir:tag", "oci:/here/dir:tag"],
  ["oci:../dir:tag", "oci:/dir:tag"],
  ["oci:.", "oci:/here"],
  ["oci-archive:a.tar:v1", "oci-archive:/here/a.tar:v1"],
  ["docker-archive:a.tar", "docker-archive:/here/a.tar"],
  ["oci:", "oci:"],
];

for (const [reference, expected] of references) {
  test(`${reference} from /here is ${expected}`, () =>
    assert.equal(absoluteReference(reference, "/here"), expected));
}

test("every reason has an exit code, and nothing but reaching the daemon is 4", () => {
  for (const reason of reasons) {
    const code = exitCodeOf(new BangerError(reason, "x", { op: "x" }));
    assert.ok([1, 2, 3, 4].includes(code), reason);
    assert.equal(code === 4, reason === "DAEMON_UNREACHABLE", reason);
    if (reason.endsWith("_UNKNOWN")) assert.equal(code, 3, reason);
  }
});

test("an image's size is bounded in the option's words", () => {
  assert.equal(parseImageSize(undefined), 0n);
  assert.equal(parseImageSize("4K"), 4096n);
  assert.equal(parseImageSize("16383G"), 16_383n << 30n);
  const refused = (text: string): string => {
    try {
      parseImageSize(text);
    } catch (error) {
      if (hasReason(error, "SIZE_INVALID")) return `${error.message}: ${error.hint}`;
    }
    return "";
  };
  assert.equal(refused("12"), "--size 12 is less than 4K: Give it a unit, as 4G or 512M.");
  for (const size of ["16T", "100T"]) {
    const said = `--size ${size} is more than ext4 has room for: Give less than 16T, or none, to have it chosen.`;
    assert.equal(refused(size), said);
  }
});
