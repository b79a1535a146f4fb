import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { buildImage, writeLayout } from "../fakes/registry/images.ts";
import { dir, file, symlink, tar } from "../layers/tar-builder.ts";
import { runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { inTerminal } from "../system/in-terminal.ts";

const program = join(import.meta.dirname, "../../src/bin/banger.js");

/** As latin1, one character a byte: ANSI colours, a window's title, C1 in UTF-8 and raw, overrides, and what is not seen. */
const nasty = [
  "new\nline\rback",
  "\u001b[31mred\u0007\u001b]0;title\u0007",
  "\u00c2\u009b31m",
  "\u009b31m",
  "\u00e2\u0080\u00aeoverride",
  "\u00d8\u009cletter-mark",
  "soft\u00c2\u00adhyphen",
  "zero\u00e2\u0080\u008bwidth",
  "tag\u00f3\u00a0\u0081\u0081",
];

/** What would steer a terminal or hide on it, and what is no UTF-8, which is what the raw byte would be. */
const unsafe =
  /[^\n\t\P{Cc}]|\ufffd|[\u00ad\u061c\u200b\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/u;

test("nothing that an image holds steers the terminal of who looks at it", async () => {
  const entries = (content: string): readonly Buffer[] => [
    dir("d/"),
    ...nasty.map((name) => file(`d/${name}`, content)),
    ...nasty.map((target, at) => symlink(`d/link${at}`, target)),
    file("d/attributes", "", { xattrs: Object.fromEntries(nasty.map((name) => [`user.${name}`, content])) }),
    file("content", nasty.filter((text) => !text.startsWith("\u009b")).join("\n")),
  ];
  const label = "\u001b[31m\u061c\u202e\u0007";
  const config = { config: { Labels: { [label]: label }, Env: [`X=${label}`], Cmd: [label] }, author: label };
  await using daemon = await startDaemonProcess();
  const layout = join(daemon.home.folder, "layout");
  await writeLayout(layout, {
    one: buildImage({ layers: [tar(...entries("1"))], config }),
    two: buildImage({ layers: [tar(...entries("22"), file("d/more\u001b[2J"))], config }),
  });
  for (const tag of ["one", "two"]) {
    const pulled = await runCli(
      daemon,
      "image",
      "pull",
      `oci:${layout}:${tag}`,
      "--name",
      tag,
      "--no-agents",
    );
    assert.equal(pulled.status, 0, pulled.stderr);
  }
  for (const words of [
    ["files", "one", "/d"],
    ["files", "one", "/d", "--json"],
    ["diff", "one", "two"],
    ["diff", "one", "two", "--json"],
    ["du", "two", "--depth", "9"],
    ["du", "two", "--depth", "9", "--json"],
    ["inspect", "one"],
    ["inspect", "one", "--json"],
    ["cat", "one", "/content"],
  ]) {
    const command = [process.execPath, program, "--socket", daemon.home.socket, "image", ...words];
    using run = inTerminal(command, { NO_COLOR: "1", HOME: daemon.home.folder }, { columns: 300, rows: 99 });
    assert.equal(await run.ended, 0, run.output());
    const shown = run.output().replaceAll("\r\n", "\n");
    assert.ok(shown.length > 50, words.join(" "));
    assert.doesNotMatch(shown, unsafe, words.join(" "));
  }
  const piped = await runCli(daemon, "image", "cat", "one", "/d/\\xd8\\x9cletter-mark");
  assert.deepEqual([piped.status, piped.stdout], [0, "1"]);
});
