import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { inputFor } from "../ext4/build-rig.ts";
import { program } from "../ext4/image-maker.ts";
import { buildTree, dir } from "../ext4/tree-builder.ts";
import { treeOfTars } from "../ext4/tree-of-tars.ts";
import { debianRoot } from "../system/debian-image.ts";
import { debianKernel } from "../system/debian-kernel.ts";
import { boot, copyDisk } from "../system/qemu.ts";
import { tarOf } from "../system/tar-of.ts";

/** How long the machine works before its power is cut, in seconds. */
const loadSeconds = Number(process.env["BANGER_LOAD_SECONDS"] ?? "20");

const folder = mkdtempSync(join(tmpdir(), "banger-load-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * What fsstress does, in what a minimal Debian has: files made, written, cut, linked, renamed, given owners and taken
 * away at random, in a few folders at once.
 */
const stress = `
use Fcntl; my ($seed, $dir) = @ARGV; srand($seed); mkdir $dir; chdir $dir or die; my @names = map { "n" . $_ } 0..400;
sub name { $names[int rand @names] . (rand() < 0.5 ? "" : "/" . $names[int rand @names]) }
for (my $i = 0; ; $i++) {
  my ($a, $b, $op) = (name(), name(), int rand 12);
  if ($op < 4) { if (open(my $f, ">>", $a)) { print $f chr(65 + $op) x int rand(1 << int rand 18); close $f } }
  elsif ($op == 4) { mkdir $a } elsif ($op == 5) { unlink $a; rmdir $a } elsif ($op == 6) { rename $a, $b }
  elsif ($op == 7) { link $a, $b } elsif ($op == 8) { symlink "x" x (1 + int rand 200), $a }
  elsif ($op == 9) { truncate $a, int rand 500000 } elsif ($op == 10) { chown int rand 70000, 5, $a; chmod int rand 4096, $a }
  elsif (open(my $f, "+<", $a)) { sysseek $f, int rand 1 << 30, 0; syswrite $f, "far"; close $f }
}
`;

const work = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -o remount,rw /
mkdir /load
for i in 1 2 3; do perl /usr/local/libexec/stress.pl $i /load/$i >/dev/null 2>&1 & done
(while true; do cp -a /usr/share /load/copy; rm -rf /load/copy; done) >/dev/null 2>&1 &
(while true; do sleep 1; sync; done) &
sleep ${Math.ceil(loadSeconds / 2)}
echo "before $(stat -f -c '%b' /)"
resize2fs /dev/nvme0n1 2>&1
echo "grown $(stat -f -c '%b' /)"
sleep ${Math.ceil(loadSeconds / 2)}
echo "entries $(find /load 2>/dev/null | wc -l)"
echo "cut me off"
sleep 1000
`;

const look = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -o remount,rw /
echo "again $(stat -f -c '%b' /) $(find /load 2>/dev/null | wc -l)"
rm -rf /load/1 /load/copy
sync
mount -o remount,ro /
echo 1 >/proc/sys/kernel/sysrq
echo o >/proc/sysrq-trigger
sleep 1000
`;

/** Debian with those programs in it, as the builder makes it. */
async function debianDisk(): Promise<{ readonly path: string; readonly bytes: number }> {
  const programs = await tarOf((put) => {
    put({ name: "usr/local/libexec/work", mode: 0o755 }, work);
    put({ name: "usr/local/libexec/look", mode: 0o755 }, look);
    put({ name: "usr/local/libexec/stress.pl" }, stress);
  });
  const { tree, layers } = await treeOfTars([debianRoot(), programs], folder);
  const target = join(folder, "disk.ext4");
  const input = { ...(await inputFor(buildTree(dir()), folder)), tree, layers, target };
  await using build = await makeDirectBuilder().build(input);
  await build.applyOwnership();
  return { path: target, bytes: build.built.sizeBytes };
}

test("under load it grows to four times its size, and survives a power cut", async (t) => {
  const kernel = debianKernel();
  const { path, bytes } = await debianDisk();
  program("e2fsck", ["-fn", path]);
  truncateSync(path, bytes * 4);
  const run = await boot(path, kernel, {
    append: "init=/usr/local/libexec/work",
    killWhen: /^cut me off/mu,
    bootMs: 240_000 + loadSeconds * 1000,
  });
  const number = (word: string, text: string): number =>
    Number(new RegExp(`^${word} (\\d+)`, "mu").exec(text)?.[1]);
  assert.ok(number("grown", run.console) > number("before", run.console) * 3.5, run.console.slice(-2000));
  assert.ok(number("entries", run.console) > 300, run.console.slice(-2000));
  assert.doesNotMatch(run.console, /EXT4-fs error|corrupt/iu);
  assert.match(program("dumpe2fs", ["-h", path]), /needs_recovery/u, "the journal is full");

  // One opinion: e2fsck replays the journal, and then finds nothing to mend.
  const copy = copyDisk(path, join(folder, "copy.ext4"));
  assert.match(program("e2fsck", ["-fy", copy], [0, 1]), /recovering journal/u);
  program("e2fsck", ["-fn", copy]);

  // The other: the kernel does, goes on, and leaves a clean file system.
  const again = await boot(path, kernel, { append: "init=/usr/local/libexec/look" });
  assert.doesNotMatch(again.console, /EXT4-fs error|corrupt/iu);
  assert.ok(number("again", again.console) > number("before", run.console) * 3.5, again.console.slice(-2000));
  assert.doesNotMatch(program("dumpe2fs", ["-h", path]), /needs_recovery/u);
  program("e2fsck", ["-fn", path]);
  t.diagnostic(
    `${number("entries", run.console)} names when the power went, after ${Math.round(run.seconds)} s`,
  );
});
