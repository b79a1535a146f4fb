import assert from "node:assert/strict";
import { test } from "node:test";
import { Command, Option } from "commander";
import { banger } from "./run-banger.ts";
import { suggestChoices } from "../../src/client/misspelled.ts";

const misspelled: readonly (readonly [line: string, answer: RegExp])[] = [
  ["imgae ls", /\n {2}→ Did you mean image\?\n$/],
  ["image inspct x", /\n {2}→ Did you mean inspect\?\n$/],
  ["daemon stauts", /\n {2}→ Did you mean status\?\n$/],
  ["--sokcet /x image ls", /\n {2}→ Did you mean --socket\?\n$/],
  ["image ls --jsn", /\n {2}→ Did you mean --json\?\n$/],
  ["image ls --sockte /x", /\n {2}→ Did you mean --socket\?\n$/],
  ["image pull x --builder direkt", /choices are direct, e2fsprogs\.\n {2}→ Did you mean direct\?\n$/],
  ["image pull x --progress josn", /\n {2}→ Did you mean json\?\n$/],
  ["image pull x --verify ful", /\n {2}→ Did you mean full\?\n$/],
  ["image export x -o - --format zst", /\n {2}→ Did you mean zstd\?\n$/],
  ["image inspect x --vmm qmeu", /\n {2}→ Did you mean qemu\?\n$/],
  ["completion fihs", /\n {2}→ Did you mean fish\?\n$/],
  ["completion powershell", /choices are bash, zsh, fish\.\n {2}→ See `banger completion --help`\.\n$/],
  ["inspect web", /unknown command 'inspect'\n {2}→ banger image inspect web\n$/],
  [
    "pull debian:bookworm",
    /\n {2}→ banger image pull debian:bookworm\n {2}→ banger kernel pull debian:bookworm\n$/,
  ],
  ["status --json", /\n {2}→ banger daemon status --json\n$/],
  ["pull nowhere:1 --name x", /\n {2}→ banger image pull nowhere:1 --name x\n {2}→ banger kernel pull /],
  ["image remove good", /unknown command 'remove'\n {2}→ banger image rm good\n$/],
  ["--socket remove image delete good", /\n {2}→ banger --socket remove image rm good\n$/],
  ["image list --all", /\n {2}→ banger image ls --all\n$/],
  ["image show x", /\n {2}→ banger image inspect x\n$/],
  ["image info x", /\n {2}→ banger image inspect x\n$/],
  ["kernel add k --kernel f", /\n {2}→ banger kernel import k --kernel f\n$/],
  ["image add x", /\n {2}→ banger image pull x\n$/],
  ["cache ls", /\n {2}→ banger cache usage\n$/],
  ["images", /\n {2}→ banger image ls\n$/],
  ["remove x", /\n {2}→ banger image rm x\n {2}→ banger kernel rm x\n$/],
  ["daemon start", /\n {2}→ Run `bangerd`; as a service, `systemctl start bangerd\.socket`\.\n$/],
  ["daemon stop", /\n {2}→ Send it SIGTERM; as a service, `systemctl stop bangerd\.socket bangerd`\.\n$/],
  ["daemon reload", /\n {2}→ Send it SIGHUP; as a service, `systemctl reload bangerd`\.\n$/],
  ["image constructor", /\n {2}→ See `banger image --help`\.\n$/],
  ["pull stop p1", /\n {2}→ banger pull cancel p1\n$/],
  ["cache gc", /\n {2}→ banger cache prune\n$/],
  ["frobnicate", /^banger: unknown command 'frobnicate'\n {2}→ See `banger --help`\.\n$/],
  ["--socket /image image frobnicate", /unknown command 'frobnicate'\n {2}→ See `banger image --help`\.\n$/],
  ["image rm", /^banger: missing required argument 'image'\n {2}→ See `banger image rm --help`\.\n$/],
];

for (const [line, answer] of misspelled) {
  test(`banger ${line}`, async () => {
    const { code, stdout, stderr } = await banger(line.split(" "));
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, answer);
  });
}

test("choices that are right pass, at every level", () => {
  const program = new Command("x").exitOverride();
  const deep = program
    .command("a")
    .command("b")
    .addOption(new Option("--how <how>").choices(["one", "two"]));
  suggestChoices(program);
  program.parse(["a", "b", "--how", "two"], { from: "user" });
  assert.deepEqual(deep.opts(), { how: "two" });
});
