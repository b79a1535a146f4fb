import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BangerError, eachOf } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { defaultConfig, parseConfig, parseWhatIsRight } from "../../src/config/parse.ts";
import { sections } from "../../src/config/schema.ts";

const parse = (text: string) => parseConfig(text, "/c.toml").settings;

const whole = `
[paths]
state_dir = "/s/"
cache_dir = "/c"
socket = "/run/s.sock"
temp_dir = "/t/../u"
[socket]
mode = "0660"
group = "banger"
[pulls]
concurrent = 3
keep_history = "12h"
builder = "direct"
[registry]
concurrent_downloads = 9
bandwidth = "10MiB"
certs_dirs = ["/a", "/b"]
dial_timeout = "4s"
response_timeout = "5s"
stall_timeout = "1500ms"
[[signatures]]
scope = "ghcr.io/o"
key = "/k.pub"
[[signatures]]
scope = "docker.io"
accept = "unsigned"
[[kernels.catalogs]]
name = "ours"
location = "https://k.example/catalog.json"
[[kernels.catalogs]]
name = "disk"
location = "/srv/kernels.json"
[cache]
high_water = "50GiB"
low_water = "40GiB"
[log]
level = "debug"
format = "json"
[metrics]
listen = "[::1]:9464"
[tracing]
endpoint = "http://127.0.0.1:4318/"
[limits]
entries = 6_000_000
inflated_bytes = "1TiB"
program_time = "2h"
document_bytes = 0x800000
`;

describe("a config file", () => {
  test("that is empty is the defaults", () => {
    const { limits, ...others } = defaultConfig().settings;
    assert.deepEqual(limits, defaultLimits);
    assert.deepEqual(others, {
      paths: { stateDir: undefined, cacheDir: undefined, socket: undefined, tempDir: undefined },
      socket: { mode: 0o600, group: undefined },
      pulls: { keepHistoryMs: 30 * 86_400_000, builder: undefined },
      registry: { bandwidth: undefined, certsDirs: undefined },
      signatures: [],
      kernels: { catalogs: [] },
      cache: { highWater: undefined, lowWater: undefined },
      log: { level: "info", format: "text" },
      metrics: { listen: undefined },
      tracing: { endpoint: undefined },
    });
  });

  test("that says everything is heard in everything", () => {
    const { limits, ...others } = parse(whole);
    assert.deepEqual(limits, {
      ...defaultLimits,
      concurrentPulls: 3,
      concurrentDownloads: 9,
      dialMs: 4000,
      responseMs: 5000,
      stallMs: 1500,
      entries: 6_000_000,
      inflatedBytes: 2 ** 40,
      programMs: 7_200_000,
      documentBytes: 8 * 1024 * 1024,
    });
    assert.deepEqual(others, {
      paths: { stateDir: "/s", cacheDir: "/c", socket: "/run/s.sock", tempDir: "/u" },
      socket: { mode: 0o660, group: "banger" },
      pulls: { keepHistoryMs: 12 * 3_600_000, builder: "direct" },
      registry: { bandwidth: 10 * 1024 * 1024, certsDirs: ["/a", "/b"] },
      signatures: [
        { scope: "ghcr.io/o", key: "/k.pub", accept: undefined },
        { scope: "docker.io", key: undefined, accept: "unsigned" },
      ],
      kernels: {
        catalogs: [
          { name: "ours", location: "https://k.example/catalog.json" },
          { name: "disk", location: "/srv/kernels.json" },
        ],
      },
      cache: { highWater: 50 * 2 ** 30, lowWater: 40 * 2 ** 30 },
      log: { level: "debug", format: "json" },
      metrics: { listen: { kind: "tcp", host: "::1", port: 9464 } },
      tracing: { endpoint: "http://127.0.0.1:4318" },
    });
  });

  test("takes every default as the reference shows it", () => {
    for (const { name, fields, many } of sections) {
      if (many) continue;
      const lines = fields.flatMap(({ key, fallback }) =>
        /^["0-9]/.test(fallback?.shown ?? "") ? [`${key} = ${fallback?.shown}`] : [],
      );
      assert.deepEqual(parse([`[${name}]`, ...lines].join("\n")), defaultConfig().settings, name);
    }
  });

  test("may say the same in other ways of TOML's", () => {
    const { kernels, socket, limits } = parse(
      'socket = { mode = "0660" }\nkernels.catalogs = [{ name = "a", location = "/a" }]\n"limits".\'layers\' = 7',
    );
    assert.equal(socket.mode, 0o660);
    assert.deepEqual(kernels.catalogs, [{ name: "a", location: "/a" }]);
    assert.equal(limits.layers, 7);
  });
});

describe("the values by key", () => {
  const { values } = parseConfig(whole, "/c.toml");

  test("name each key of each table, and arrays of tables as one", () => {
    const single = sections.filter(({ many }) => !many);
    const keys = single.flatMap(({ name, fields }) => fields.map(({ key }) => `${name}.${key}`));
    assert.deepEqual([...values.keys()].sort(), [...keys, "signatures", "kernels.catalogs"].sort());
  });

  test("differ where settings do", () => {
    const other = parseConfig(whole.replace("/k.pub", "/m.pub").replace("6_000_000", "6_000_001"), "/c.toml");
    const changed = [...values].filter(([key, value]) => other.values.get(key) !== value);
    assert.deepEqual(changed.map(([key]) => key).sort(), ["limits.entries", "signatures"]);
  });
});

/** Text, place, and words of the message and hint. */
const wrong: readonly (readonly [string, string, RegExp])[] = [
  ["[pulls]\nconcurent = 3", "2:1", /pulls\.concurent is no setting .*concurrent.*Write concurrent/],
  [
    "[pulls]\nconcurrent = 3\nbandwidth = 1",
    "3:1",
    /pulls\.bandwidth is no setting.*Move it to \[registry\]/,
  ],
  ["[pulls]\n  zzzzzzzzzz = 3", "2:3", /pulls\.zzzzzzzzzz is no setting.*Remove it/],
  ["[regsitry]\nbandwidth = 1", "1:2", /regsitry is no setting.*Write registry/],
  ["\n[[kernels.catalog]]\nname = 'a'", "2:3", /kernels\.catalog is no setting.*Write catalogs/],
  ["top = 1", "1:1", /top is no setting.*one of paths, socket, pulls/],
  ['"\\u001b[31m" = 1', "1:1", /: "\\u001b\[31m" is no setting/],
  ["[pulls]\nconcurrent = 0", "2:1", /pulls\.concurrent: expected a whole number from 1 to 1000/],
  ["[pulls]\nconcurrent = 1.5", "2:1", /expected a whole number/],
  ['[pulls]\nconcurrent = "3"', "2:1", /expected a whole number/],
  ["[pulls]\nconcurrent = 9007199254740993", "2:14", /not TOML/],
  ["[pulls]\nconcurrent = true", "2:1", /expected a whole number/],
  ["[pulls]\nkeep_history = 30", "2:1", /keep_history: expected a length of time from 1ms to 36500d/],
  ['[pulls]\nkeep_history = "30 days"', "2:1", /expected a length of time/],
  ['[pulls]\nbuilder = "mkfs"', "2:1", /expected "direct" or "e2fsprogs"/],
  ["[pulls]\nbuilder = 1979-05-27", "2:1", /expected "direct"/],
  ['[limits]\nprogram_time = "30d"', "2:1", /expected a length of time/],
  ['[limits]\nname_bytes = "1KiB"', "2:1", /limits\.name_bytes: expected a size from 1B to 255B/],
  ['[limits]\nlayers = "1000"', "2:1", /expected a whole number from 1$/],
  ["[limits]\nconcurrent_pulls = 1", "2:1", /limits\.concurrent_pulls is no setting/],
  ['[registry]\nbandwidth = "10MB"', "2:1", /expected a size from 1KiB, as/],
  ["[registry]\nbandwidth = -1", "2:1", /expected a size/],
  ['[registry]\ncerts_dirs = ["/a", "b"]', "2:1", /expected an array of absolute paths/],
  ['[paths]\nstate_dir = "state"', "2:1", /paths\.state_dir: expected an absolute path/],
  ['[paths]\nstate_dir = "~/state"', "2:1", /expected an absolute path/],
  ['[paths]\nstate_dir = ""', "2:1", /expected an absolute path/],
  ['[paths]\nstate_dir = "/a\\u0000b"', "2:1", /expected an absolute path/],
  ['[socket]\nmode = "0666"', "2:1", /socket\.mode: expected "0600", or "0660"/],
  ["[socket]\nmode = 0o660", "2:1", /expected "0600"/],
  ['[socket]\ngroup = "a b"', "2:1", /expected a group's name/],
  ["paths = 1", "1:1", /paths: expected a table/],
  ["[[paths]]", "1:3", /paths: expected a table/],
  ["[signatures]\nscope = 'a'", "1:2", /signatures: expected an array of tables, \[\[signatures\]\]/],
  ["signatures = [1]", "1:15", /signatures\[0\]: expected a table/],
  [
    "[[signatures]]\nscope = 'a.example'\nkey='/k'\n[[signatures]]\nscope = 'b.example'",
    "5:1",
    /signatures\[1\]\.scope: .*needs either a key/,
  ],
  ["[[signatures]]\nscope = 'a'\nkeys='/k'", "3:1", /signatures\[0\]\.keys is no setting.*Write key/],
  [
    "[[kernels.catalogs]]\nname='a'\nlocation='/a'\n[[kernels.catalogs]]\nname='a'\nlocation='/b'",
    "5:1",
    /catalogs\[1\]\.name: expected a name that no catalog above has/,
  ],
  ["[[kernels.catalogs]]\nname='a'\nlocation='ftp://a/b'", "3:1", /expected an absolute path, or an http/],
  ["[[kernels.catalogs]]\nname='a'\nlocation='https://u:p@a/b'", "3:1", /without a user/],
  ["kernels = []", "1:1", /kernels: expected a table/],
  ['[cache]\nlow_water = "1GiB"', "2:1", /cache\.low_water: expected a high_water/],
  ['[cache]\nhigh_water = "1GiB"\nlow_water = "2GiB"', "3:1", /at least as large/],
  ['[metrics]\nlisten = "9464"', "2:1", /metrics\.listen: expected an address and a port/],
  ['[metrics]\nlisten = "localhost:9464"', "2:1", /expected an address/],
  ['[metrics]\nlisten = "127.0.0.1:65536"', "2:1", /expected an address/],
  ['[metrics]\nlisten = "999.0.0.1:1"', "2:1", /expected an address/],
  ['[metrics]\nlisten = "[:::1]:1"', "2:1", /expected an address/],
  ['[tracing]\nendpoint = "127.0.0.1:4318"', "2:1", /tracing\.endpoint: expected an http/],
  ['[tracing]\nendpoint = "http://127.0.0.1:4318/?k=v"', "2:1", /without a user and a query/],
  ["[[signatures]]\nscope = 'ghcr.io'", "2:1", /signatures\[0\]\.scope: .*needs either a key or accept/],
  ["[[signatures]]\nscope = 'debian'\nkey = '/k'", "2:1", /names no registry/],
  ["[[signatures]]\nscope = 'ghcr.io'\naccept = 'anything'", "3:1", /accept: expected "unsigned"/],
  [
    "[[signatures]]\nscope = '*'\nkey = '/k'\n[[signatures]]\nscope = '*'\naccept = 'unsigned'",
    "5:1",
    /two policies/,
  ],
  ["[log]\nlevel = 'info'\nlevel = 'warn'", "3:1", /not TOML/],
  ["[log]\nlevel = ", "2:9", /not TOML/],
  ["[log\n", "1:5", /not TOML/],
];

function failureOf(text: string): BangerError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof BangerError) return error;
    throw error;
  }
  return assert.fail(`this was taken: ${text}`);
}

describe("a wrong config file is refused, naming place, key and what was expected", () => {
  for (const [text, place, words] of wrong) {
    test(JSON.stringify(text), () => {
      const error = failureOf(text);
      assert.equal(error.reason, "CONFIG_INVALID");
      assert.equal(error.message.startsWith(`/c.toml:${place}: `), true, error.message);
      assert.match(words.source.endsWith("$") ? error.message : `${error.message} ${error.hint}`, words);
      assert.doesNotMatch(error.message, /[^ -~]/);
    });
  }

  test("and none of its text is quoted but its keys", () => {
    for (const text of ['[tracing]\nendpoint = "http://user:secret@h"', 'x = "secret\n']) {
      assert.doesNotMatch(failureOf(text).message, /secret/);
    }
  });

  test("`__proto__` is a key like others", () => {
    assert.match(failureOf("[__proto__]\nlayers = 1").message, /__proto__ is no setting/);
    assert.match(failureOf("[limits]\nconstructor = 1").message, /constructor is no setting/);
  });
});

const several = `[pulls]
concurent = 3
builder = "mkfs"
[cache]
low_water = "1GiB"
[[signatures]]
scope = "a.example"
[[kernels.catalogs]]
name = "a"
[[kernels.catalogs]]
name = "b"
location = "/b"
[[kernels.catalogs]]
name = "b"
location = "/c"
[paths]
state_dir = "/state"
cache_dir = "cache"
`;

describe("a file with several mistakes", () => {
  test("is refused with all of them, in the file's order", () => {
    const error = failureOf(several);
    assert.equal(error.message, "/c.toml has 7 mistakes, in lines 2, 3, 5, 7, 8, 14, 18");
    const each = eachOf(error);
    assert.deepEqual(
      each.map(({ message }) => /^\/c\.toml:(\d+:\d+: [\w.[\]]+)/.exec(message)?.[1]),
      [
        "2:1: pulls.concurent",
        "3:1: pulls.builder",
        "5:1: cache.low_water",
        "7:1: signatures[0].scope",
        "8:3: kernels.catalogs[0].location",
        "14:1: kernels.catalogs[2].name",
        "18:1: paths.cache_dir",
      ],
    );
    assert.match(each[0]?.hint ?? "", /Write concurrent/);
    assert.deepEqual(
      error.fields.map(({ field }) => field),
      each.map(({ facts }) => facts["key"]),
    );
  });

  test("tells no more than anybody reads, and how many there are", () => {
    const lines = Array.from({ length: 5000 }, (_, at) => `key${at} = 1`);
    const error = failureOf(["[limits]", ...lines].join("\n"));
    const each = eachOf(error);
    assert.match(error.message, /has 5000 mistakes, in lines 2, 3, .*, 21, and 4980 more$/);
    assert.equal(each.length, 21);
    assert.equal(each.at(-1)?.message, "/c.toml: 4980 more mistakes");
  });

  test("still says what it says rightly", () => {
    const { settings, failure } = parseWhatIsRight(several, "/c.toml");
    assert.equal(failure?.reason, "CONFIG_INVALID");
    assert.equal(settings.paths.stateDir, "/state");
    assert.equal(settings.paths.cacheDir, undefined);
    assert.equal(settings.pulls.builder, undefined);
    assert.deepEqual(
      settings.kernels.catalogs.map(({ location }) => location),
      ["/b", "/c"],
    );
    assert.equal(parseWhatIsRight(whole, "/c.toml").failure, undefined);
  });
});
