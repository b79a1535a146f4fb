import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { workFolder } from "./build-rig.ts";

const nobody = 65_534;
const isRoot = process.geteuid?.() === 0;
const asNobody = [
  "setpriv",
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
];

interface Circumstances {
  readonly threads: number;
  readonly umask: string;
  readonly zone: string;
  /** Where the tests run as root; else all are built by the one who runs them. */
  readonly byNobody: boolean;
}

const circumstances: readonly Circumstances[] = [
  { threads: 1, umask: "022", zone: "UTC", byNobody: false },
  { threads: 4, umask: "077", zone: "Asia/Tokyo", byNobody: true },
  { threads: 2, umask: "000", zone: "America/New_York", byNobody: false },
];

/** Builds the awkward tree in a folder of its own, and returns the image. */
function build(builder: string, parent: string, how: Circumstances): string {
  const folder = join(parent, `${builder}-with-${how.threads}`);
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const byNobody = how.byNobody && isRoot;
  if (byNobody) chownSync(folder, nobody, nobody);
  const child = join(import.meta.dirname, "build-child.ts");
  const words = [process.execPath, child, builder, folder, String(how.threads)];
  const env = { ...process.env, TMPDIR: folder, TZ: how.zone };
  const script = ["-c", `umask ${how.umask}; exec "$@"`, "sh", ...(byNobody ? asNobody : []), ...words];
  execFileSync("sh", script, { env, stdio: ["ignore", "ignore", "inherit"] });
  return join(folder, "rootfs.ext4");
}

for (const builder of ["direct", "e2fsprogs"]) {
  test(`${builder}: the same bytes in another folder, another time zone, by another user, with other threads`, async () => {
    await using folder = workFolder();
    chmodSync(folder.path, 0o755);
    const [first = "", ...others] = circumstances.map((how) => build(builder, folder.path, how));
    for (const other of others) execFileSync("cmp", [first, other]);
  });
}

test("the comparison sees a byte that differs", async () => {
  await using folder = workFolder();
  const [how] = circumstances;
  assert.ok(how !== undefined);
  const image = build("direct", folder.path, how);
  execFileSync("cp", ["--sparse=always", image, `${image}.2`]);
  execFileSync(
    "dd",
    [`of=${image}.2`, "bs=1", "seek=5000000", "count=1", "conv=notrunc", "if=/proc/version"],
    {
      stdio: "ignore",
    },
  );
  assert.throws(() => execFileSync("cmp", [image, `${image}.2`], { stdio: "ignore" }));
});
