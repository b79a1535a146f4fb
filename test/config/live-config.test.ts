import assert from "node:assert/strict";
import test from "node:test";
import { LiveConfig } from "../../src/config/live-config.ts";
import { parseConfig } from "../../src/config/parse.ts";
import type { Settings } from "../../src/config/settings.ts";

const read = (text: string) => ({ ...parseConfig(text, "/c.toml"), found: true });

test("what is read anew counts from then on, for whoever holds the limits or follows", () => {
  const live = new LiveConfig(read("[limits]\nlayers = 3"));
  const { limits } = live;
  const followed: Settings[] = [];
  const following = live.follow((settings) => followed.push(settings));
  assert.equal(limits.layers, 3);
  const changes = live.replace(
    read('[limits]\nlayers = 4\n[socket]\nmode = "0660"\n[[signatures]]\nscope = "a.example"\nkey = "/k"'),
  );
  assert.equal(limits.layers, 4);
  assert.equal(live.limits, limits);
  assert.equal(live.settings.socket.mode, 0o660);
  assert.deepEqual(
    followed.map((settings) => settings.limits.layers),
    [3, 4],
  );
  assert.deepEqual(changes, [
    { key: "socket.mode", onReload: "restart" },
    { key: "signatures", onReload: "applies" },
    { key: "limits.layers", onReload: "applies" },
  ]);
  assert.deepEqual(live.waiting, ["socket.mode"]);
  following[Symbol.dispose]();
  assert.deepEqual(live.replace(read("")).length, 3);
  assert.equal(limits.layers, 1000);
  // As it was at the start, so that there is nothing to wait for.
  assert.deepEqual(live.waiting, []);
  assert.equal(followed.length, 2);
});

test("the same file says nothing new, and a daemon's limits are its own", () => {
  const first = read("");
  const live = new LiveConfig(first);
  assert.deepEqual(live.replace(read("# nothing")), []);
  live.replace(read("[limits]\nlayers = 5"));
  assert.equal(first.settings.limits.layers, 1000);
});

test("settings that somebody can't take are taken by nobody", () => {
  const live = new LiveConfig(read("[limits]\nlayers = 3"));
  const heard: number[] = [];
  using _first = live.follow(({ limits }) => heard.push(limits.layers));
  using _second = live.follow(({ limits }) => {
    if (limits.layers === 4) throw new Error("not four");
  });
  assert.throws(() => live.replace(read("[limits]\nlayers = 4")), /not four/);
  assert.equal(live.limits.layers, 3);
  assert.equal(live.settings.limits.layers, 3);
  assert.deepEqual(heard, [3, 4, 3]);
  assert.deepEqual(live.replace(read("[limits]\nlayers = 5")).length, 1);
});
