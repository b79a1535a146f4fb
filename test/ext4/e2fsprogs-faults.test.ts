import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  watch,
  writeFileSync,
  type FSWatcher,
} from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { BangerError, hasReason, type Reason } from "../../src/base/error.ts";
import type { BuildInput } from "../../src/ext4/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { assertNoLitter, buildAll, inputFor, rejection, workFolder } from "./build-rig.ts";
import { noise, sampleTree } from "./sample-tree.ts";
import { buildTree, device, dir, fifo, file, link, type Described } from "./tree-builder.ts";

const isRoot = process.geteuid?.() === 0;
const signal = new AbortController().signal;

/** Runs with a program of that name, a shell script, before the real one in PATH. */
async function withProgram<T>(name: string, script: string, action: () => Promise<T>): Promise<T> {
  await using folder = workFolder();
  const path = process.env["PATH"] ?? "";
  writeFileSync(join(folder.path, name), `#!/bin/bash\n${script}\n`);
  chmodSync(join(folder.path, name), 0o755);
  process.env["PATH"] = folder.path + delimiter + path;
  try {
    return await action();
  } finally {
    process.env["PATH"] = path;
  }
}

async function refusal(promise: Promise<unknown>, reason: Reason): Promise<BangerError> {
  const error = await rejection(promise);
  assert.ok(hasReason(error, reason), `${error instanceof BangerError ? error.reason : ""} ${String(error)}`);
  return error;
}

async function refused(input: BuildInput, reason: Reason): Promise<BangerError> {
  const error = await refusal(buildAll(input), reason);
  assertNoLitter(input);
  return error;
}

test("the programs of this machine will do", async () => {
  await e2fsprogsBuilder.check(signal);
});

test("programs that are too old", async () => {
  const old = "echo 'mke2fs 1.42.13 (17-May-2015)' >&2; echo '	Using EXT2FS Library version 1.42.13' >&2";
  const error = await withProgram("mkfs.ext4", old, () =>
    refusal(e2fsprogsBuilder.check(signal), "E2FSPROGS_TOO_OLD"),
  );
  assert.match(error.message, /1\.42\.13/u);
  const other = old.replace("mke2fs", "debugfs");
  await withProgram("debugfs", other, () => refusal(e2fsprogsBuilder.check(signal), "E2FSPROGS_TOO_OLD"));
});

test("programs that are missing", { skip: canHideSbin() ? false : "needs a mount namespace" }, () => {
  const module = join(import.meta.dirname, "../../src/ext4/e2fsprogs/builder.ts");
  const code = `const { e2fsprogsBuilder } = await import(${JSON.stringify(module)});
    try { await e2fsprogsBuilder.check(new AbortController().signal); }
    catch ({ reason, hint }) { console.log(reason, hint); }`;
  const script = 'mount -t tmpfs none /usr/sbin && exec "$0" --input-type=module -e "$1"';
  const output = execFileSync("unshare", ["-m", "sh", "-c", script, process.execPath, code], {
    encoding: "utf8",
  });
  assert.match(output, /^E2FSPROGS_MISSING .*apt install e2fsprogs/u);
});

function canHideSbin(): boolean {
  if (!isRoot) return false;
  try {
    execFileSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs none /usr/sbin"], { stdio: "ignore" });
    return existsSync("/usr/sbin/debugfs") && !existsSync("/usr/local/sbin/debugfs");
  } catch {
    return false;
  }
}

/** Runs the real debugfs on the script as `sed` leaves it. */
const edited = (sed: string): string => `
  case "$*" in -w*) sed ${sed} "$3" > "$3.edited"; exec /usr/sbin/debugfs -w -f "$3.edited" "$4";; esac
  exec /usr/sbin/debugfs "$@"`;

/** The same, but what is echoed is the script as it was sent. */
const lying = (sed: string, stderr: string): string => `
  case "$*" in -w*)
    sed ${sed} "$3" > "$3.edited"
    /usr/sbin/debugfs -w -f "$3.edited" "$4" >/dev/null ${stderr}
    sed 's/^/debugfs: /' "$3"; exit 0;;
  esac
  exec /usr/sbin/debugfs "$@"`;

test("a debugfs that does not do as told is found out", async (t) => {
  await using folder = workFolder();
  const run = async (script: string, reason: Reason): Promise<BangerError> => {
    const target = join(folder.path, `image-${readdirSync(folder.path).length}`);
    const input = await inputFor(sampleTree(), folder.path, { target });
    return withProgram("debugfs", script, () => refused(input, reason));
  };
  const named = (error: BangerError, command: RegExp, path: string): void => {
    assert.match(error.facts["command"] ?? "", command);
    assert.equal(error.facts["path"], path);
    assert.ok(error.message.includes(path), error.message);
  };
  await t.test("it drops a command", async () => {
    named(await run(edited(`'/ uid 4294967294/d'`), "E2FSPROGS_FAILED"), / uid 4294967294$/u, "/etc/huge");
  });
  await t.test("it drops the last command", async () => {
    named(await run(edited(`'$d'`), "E2FSPROGS_FAILED"), /./u, "/dev/pipe");
  });
  await t.test("it garbles a command", async () => {
    named(
      await run(edited(`'s/ uid 4294967294/ uid 4294967293/'`), "E2FSPROGS_FAILED"),
      / uid /u,
      "/etc/huge",
    );
  });
  await t.test("it runs a command that nobody sent", async () => {
    await run(edited(`'$a rm /etc/hosts'`), "E2FSPROGS_FAILED");
  });
  await t.test("it complains about one: that one is named", async () => {
    const error = await run(lying(`'s/ uid 4294967294/ xuid 1/'`, ""), "E2FSPROGS_FAILED");
    named(error, / uid 4294967294$/u, "/etc/huge");
    assert.match(error.message, /invalid field specifier: xuid/u);
  });
  await t.test("it complains about a device's name", async () => {
    named(await run(lying(`'s/^mknod "wide"/mkno "wide"/'`, ""), "E2FSPROGS_FAILED"), /"wide"/u, "/dev/wide");
  });
  await t.test("it lies: reading back tells", async () => {
    const error = await run(lying(`'s/ uid 4294967294/ uid 7/'`, "2>/dev/null"), "VERIFY_FAILED");
    assert.match(error.message, /\/etc\/huge/u);
  });
  await t.test("it dies", async () => {
    await run(`case "$*" in -w*) kill -9 $$;; esac; exec /usr/sbin/debugfs "$@"`, "E2FSPROGS_FAILED");
  });
});

test("an mkfs that does not do as told is found out", async (t) => {
  await using folder = workFolder();
  const run = async (script: string, reason: Reason): Promise<BangerError> => {
    const target = join(folder.path, `image-${readdirSync(folder.path).length}`);
    const input = await inputFor(sampleTree(), folder.path, { target });
    return withProgram("mkfs.ext4", script, () => refused(input, reason));
  };
  const meddling = (what: string): string =>
    `args=("$@"); for i in "$\{!args[@]}"; do [ "$\{args[i]}" = -d ] && cd "$\{args[i+1]}"; done; ${what}; exec /usr/sbin/mkfs.ext4 "$@"`;
  await t.test("it fails", async () => {
    const error = await run("echo 'mkfs.ext4: out of cheese' >&2; exit 1", "E2FSPROGS_FAILED");
    assert.match(error.message, /out of cheese/u);
  });
  await t.test("the disk is full", async () => {
    await run("echo 'mkfs.ext4: No space left on device while populating' >&2; exit 1", "DISK_FULL");
  });
  await t.test("it leaves a file out", async () => {
    const error = await run(meddling("rm -f etc/hosts"), "VERIFY_FAILED");
    assert.match(error.message, /\/etc\/hosts is missing/u);
  });
  await t.test("it leaves a link out", async () => {
    const error = await run(meddling("rm -f bin"), "VERIFY_FAILED");
    assert.match(error.message, /\/bin is missing/u);
  });
  await t.test("it leaves a link of two names out", async () => {
    const shared = link("x");
    const target = join(folder.path, "linked");
    const input = await inputFor(buildTree(dir({ one: shared, two: shared })), folder.path, { target });
    const error = await withProgram("mkfs.ext4", meddling("rm -f one"), () =>
      refused(input, "VERIFY_FAILED"),
    );
    assert.match(error.message, /\/one is missing/u);
  });
  await t.test("it leaves a directory out", async () => {
    assert.match((await run(meddling("rm -rf var/tmp"), "VERIFY_FAILED")).message, /\/var\/tmp is missing/u);
  });
  await t.test("it cuts a file", async () => {
    assert.match(
      (await run(meddling("truncate -s 5 large"), "VERIFY_FAILED")).message,
      /\/large has 5 bytes/u,
    );
  });
  await t.test("it adds a file", async () => {
    assert.match((await run(meddling("touch extra"), "VERIFY_FAILED")).message, /\/extra does not belong/u);
  });
  await t.test("it changes a link", async () => {
    assert.match(
      (await run(meddling("ln -sfn x bin"), "VERIFY_FAILED")).message,
      /\/bin has another target/u,
    );
  });
});

test("names and attributes that debugfs can't be told", async (t) => {
  await using folder = workFolder();
  const shared = link("x");
  const cases: readonly [string, Readonly<Record<string, Described>>][] = [
    ["a device with a newline", { "a\nb": device("block", 1, 2) }],
    ["a FIFO with a carriage return", { sub: dir({ "a\rb": fifo() }) }],
    ["a second name of a link with a newline", { a: shared, "b\n": shared }],
    ["an attribute with a newline", { a: file("", { xattrs: { "user.a\nb": "" } }) }],
    ["an attribute of an unknown namespace", { a: file("", { xattrs: { "banger.x": "" } }) }],
    ["an attribute of no name", { a: file("", { xattrs: { "user.": "" } }) }],
    ["another ACL", { a: file("", { xattrs: { "system.posix_acl_other": "" } }) }],
  ];
  for (const [what, children] of cases) {
    await t.test(what, async () => {
      const input = await inputFor(buildTree(dir(children)), folder.path);
      const error = await refused(input, "LAYER_UNENCODABLE");
      assert.equal(error.facts["layer"], input.layers[0]?.digest);
      assert.ok(Number(error.facts["entry"]) >= 1 && (error.facts["name"] ?? "") !== "");
      assert.equal(existsSync(input.target), false, "nothing was made");
    });
  }
});

test("a lost+found that is no directory, which flattening refuses, is not built either", async () => {
  await using folder = workFolder();
  const input = await inputFor(buildTree(dir({ "lost+found": file("") })), folder.path);
  await refused(input, "INTERNAL");
  assert.equal(existsSync(input.target), false);
});

test("a name that is a path never gets near the host", async (t) => {
  await using folder = workFolder();
  for (const name of ["../outside", "..", ".", "", "a/b", "/etc/x", "a\0b"]) {
    await t.test(JSON.stringify(name), async () => {
      const input = await inputFor(buildTree(dir({ sub: dir({ [name]: file("x") }) })), folder.path);
      await refused(input, "INTERNAL");
      assert.equal(existsSync(input.target), false);
    });
  }
});

test("a layer that is not what was scanned", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  const [, , plain] = input.layers;
  assert.ok(plain !== undefined);
  // Content alone: the archive's headers are as they were, and an uncompressed one has no checksum of it.
  const bytes = readFileSync(plain.path);
  bytes.writeUInt8(bytes.readUInt8(512) ^ 0xff, 512);
  writeFileSync(plain.path, bytes);
  await refused(input, "DIFFID_MISMATCH");
  truncateSync(plain.path, 600);
  await refused(input, "LAYER_INVALID");
  rmSync(plain.path);
  await rejection(buildAll(input));
  assertNoLitter(input);
});

test("a target that exists is left alone", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  writeFileSync(input.target, "precious");
  await refused(input, "FILESYSTEM_ERROR");
  assert.equal(execFileSync("cat", [input.target], { encoding: "utf8" }), "precious");
  await refusal(
    e2fsprogsBuilder.build({ ...input, target: join(folder.path, "a?offset=3") }),
    "OPTION_INVALID",
  );
});

test("stopped at any moment, it leaves nothing behind", async (t) => {
  await using folder = workFolder();
  const files = Array.from(
    { length: 300 },
    (_, i) => [`f${i}`, file(noise(50_000, `${i}`), { uid: i })] as const,
  );
  const tree = buildTree(dir(Object.fromEntries(files)));
  const input = await inputFor(tree, folder.path);
  const stopped = async (more: (stop: () => void) => Partial<BuildInput>): Promise<void> => {
    rmSync(input.target, { force: true });
    const abort = new AbortController();
    const extra = more(() => abort.abort());
    await refused({ ...input, signal: abort.signal, ...extra }, "CANCELLED");
  };
  await t.test("before it begins", () =>
    stopped((stop) => {
      stop();
      return {};
    }),
  );
  for (const milliseconds of [1, 20, 60, 120]) {
    await t.test(`after ${milliseconds} ms`, async () => {
      // Not through by then on any machine: debugfs never ends.
      await withProgram("debugfs", "exec sleep 30", () =>
        stopped((stop) => {
          setTimeout(stop, milliseconds);
          return {};
        }),
      );
    });
  }
  await t.test("while contents are staged", () =>
    stopped((stop) => ({
      onProgress: ({ unit, done, total }) => unit === "bytes" && done < total && stop(),
    })),
  );
  for (const program of ["mkfs.ext4", "debugfs"]) {
    await t.test(`while ${program} runs`, async () => {
      const began = `${program}-began`;
      const script = `: >'${join(folder.path, began)}'; exec sleep 30`;
      let watcher: FSWatcher | undefined;
      try {
        await withProgram(program, script, () =>
          stopped((stop) => {
            watcher = watch(folder.path, (_event, name) => name === began && stop());
            return {};
          }),
        );
      } finally {
        watcher?.close();
      }
    });
  }
});

test("a full TMPDIR is named as such", { skip: isRoot ? false : "needs a mount" }, async () => {
  await using folder = workFolder();
  const small = join(folder.path, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", small]);
  try {
    const tree = buildTree(dir({ a: file(noise(3_000_000)) }));
    const input = await inputFor(tree, folder.path, { tempDir: small });
    const error = await refused(input, "DISK_FULL");
    assert.match(error.message, /TMPDIR/u);
  } finally {
    execFileSync("umount", [small]);
  }
});
