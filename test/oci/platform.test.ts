import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import {
  formatPlatform,
  isUnknownPlatform,
  normalizePlatform,
  parsePlatform,
  platformDistance,
} from "../../src/oci/platform.ts";

test("platforms as people write them", () => {
  const table: Readonly<Record<string, string>> = {
    "linux/amd64": "linux/amd64",
    "Linux/x86_64": "linux/amd64",
    "linux/amd64/v1": "linux/amd64",
    "linux/amd64/v3": "linux/amd64/v3",
    "linux/aarch64": "linux/arm64",
    "linux/arm64/v8": "linux/arm64",
    "linux/arm64/8": "linux/arm64",
    "linux/arm64/v9": "linux/arm64/v9",
    "linux/arm": "linux/arm/v7",
    "linux/arm/7": "linux/arm/v7",
    "linux/arm/v6": "linux/arm/v6",
    "linux/armhf": "linux/arm/v7",
    "linux/armel": "linux/arm/v6",
    "linux/i386": "linux/386",
    "linux/riscv64": "linux/riscv64",
  };
  for (const [text, expected] of Object.entries(table))
    assert.equal(formatPlatform(parsePlatform(text)), expected);
});

test("what is no Linux platform is refused", () => {
  for (const text of [
    "",
    "linux",
    "amd64",
    "linux/",
    "/amd64",
    "linux/a/b/c",
    "linux/a b",
    "windows/amd64",
    "darwin/arm64",
  ]) {
    assert.throws(
      () => parsePlatform(text),
      (error: unknown) => hasReason(error, "PLATFORM_INVALID") && error.fields[0]?.field === "platform",
      text,
    );
  }
});

test("H13 how well a platform suits", () => {
  const table: readonly (readonly [wanted: string, offered: string, distance: number | undefined])[] = [
    ["linux/amd64", "linux/amd64", 0],
    ["linux/amd64", "linux/amd64/v2", undefined],
    ["linux/amd64/v3", "linux/amd64", 2],
    ["linux/amd64/v3", "linux/amd64/v2", 1],
    ["linux/amd64/v3", "linux/amd64/v4", undefined],
    ["linux/arm64", "linux/arm64/v8", 0],
    ["linux/arm64/v9", "linux/arm64", 1],
    ["linux/arm64", "linux/arm64/v9", undefined],
    ["linux/arm/v7", "linux/arm/v6", 1],
    ["linux/arm/v7", "linux/arm/v5", 2],
    ["linux/arm/v7", "linux/arm/v8", undefined],
    ["linux/arm/v6", "linux/arm", undefined],
    ["linux/arm64", "linux/arm/v7", undefined],
    ["linux/amd64", "linux/386", undefined],
    ["linux/ppc64le", "linux/ppc64le", 0],
    ["linux/ppc64le/power9", "linux/ppc64le", undefined],
  ];
  for (const [wanted, offered, distance] of table) {
    assert.equal(
      platformDistance(parsePlatform(wanted), parsePlatform(offered)),
      distance,
      `${wanted} ${offered}`,
    );
  }
  const amd64 = { os: "linux", architecture: "amd64" };
  assert.equal(platformDistance(amd64, { os: "freebsd", architecture: "amd64" }), undefined);
  assert.equal(platformDistance(amd64, { ...amd64, osVersion: "5" }), 0);
  assert.equal(platformDistance({ ...amd64, osVersion: "5" }, { ...amd64, osVersion: "6" }), undefined);
  assert.equal(platformDistance({ ...amd64, osFeatures: ["x"] }, amd64), undefined);
  assert.equal(platformDistance({ ...amd64, osFeatures: ["x"] }, { ...amd64, osFeatures: ["y", "x"] }), 0);
});

test("normal forms keep what they don't know", () => {
  const odd = { os: "linux", architecture: "amd64", osVersion: "1", osFeatures: ["a"] };
  assert.deepEqual(normalizePlatform(odd), odd);
  assert.equal(isUnknownPlatform({ os: "unknown", architecture: "unknown" }), true);
  assert.equal(isUnknownPlatform(odd), false);
});
