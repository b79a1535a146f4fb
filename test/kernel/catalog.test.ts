import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { kernelCatalog, mergeCatalogs } from "../../src/kernel/catalog.ts";
import { formatAge, type CatalogSource } from "../../src/kernel/catalog-load.ts";
import type { CatalogEntry, CatalogList } from "../../src/kernel/kernel-source.ts";
import { shortReads } from "../base/faulty-handles.ts";
import { recordingClock, type RecordingClock } from "../base/recording-clock.ts";
import { CatalogServer } from "../fakes/catalogs/catalog-server.ts";

const never = new AbortController().signal;
const sha256 = "a".repeat(64);

function catalogOf(...names: readonly string[]): unknown {
  const kernels = names.map((name) => ({
    name,
    version: "6.1.0",
    architecture: "amd64",
    source: { artifact: `ghcr.io/o/${name}:1` },
  }));
  return { schemaVersion: 1, kernels };
}

interface Rig extends AsyncDisposable {
  readonly folder: TempDir;
  readonly clock: RecordingClock;
  list(catalogs: readonly CatalogSource[], signal?: AbortSignal): Promise<CatalogList>;
}

async function makeRig(limits: Partial<Limits> = {}): Promise<Rig> {
  const folder = await makeTempDir("banger-catalog-");
  const clock = recordingClock();
  const all = { ...defaultLimits, ...limits };
  const blobs = await BlobCache.open(folder.path);
  return {
    folder,
    clock,
    list: async (catalogs, signal = never) => {
      const options = {
        catalogs: () => catalogs,
        cacheDir: folder.path,
        blobs,
        limits: all,
        access: {},
        clock,
      };
      return await kernelCatalog(options).list(signal);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const namesOf = ({ entries }: CatalogList): readonly string[] => entries.map(({ name }) => name);

test("a fetched catalog is revalidated by its ETag, and fetched anew once it has changed", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  const catalogs = [{ name: "own", location: `${server.url}/k.json` }];
  server.put("/k.json", catalogOf("one"), { etag: '"1"' });
  assert.deepEqual(namesOf(await rig.list(catalogs)), ["one"]);
  assert.deepEqual(namesOf(await rig.list(catalogs)), ["one"]);
  server.put("/k.json", catalogOf("one", "two"), { etag: '"2"' });
  assert.deepEqual(namesOf(await rig.list(catalogs)), ["one", "two"]);
  const asked = server.requests.map(({ headers, status }) => [headers["if-none-match"], status]);
  assert.deepEqual(asked, [
    [undefined, 200],
    ['"1"', 304],
    ['"1"', 200],
  ]);
});

test("by its date where it has no ETag, and whole where it has neither", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  const date = "Fri, 02 Jan 2026 03:04:05 GMT";
  server.put("/dated.json", catalogOf("dated"), { "last-modified": date });
  server.put("/plain.json", catalogOf("plain"));
  const catalogs = ["dated", "plain"].map((name) => ({ name, location: `${server.url}/${name}.json` }));
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(namesOf(await rig.list(catalogs)), ["dated", "plain"]);
  }
  const asked = server.requests.map(({ path, status }) => `${path} ${status}`).toSorted();
  assert.deepEqual(asked, ["/dated.json 200", "/dated.json 304", "/plain.json 200", "/plain.json 200"]);
});

test("of one that is not to be reached the copy is used, and its age said", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  const catalogs = [{ name: "own", location: `${server.url}/k.json?token=x` }];
  server.put("/k.json?token=x", catalogOf("one"), { etag: '"1"' });
  assert.deepEqual((await rig.list(catalogs)).warnings, []);
  rig.clock.advance(2 * 86_400_000);
  // A confirmation counts as an answer: the age is since then.
  await rig.list(catalogs);
  rig.clock.advance(3 * 3_600_000 + 5);
  await server.down();
  const listed = await rig.list(catalogs);
  assert.deepEqual(namesOf(listed), ["one"]);
  assert.deepEqual(listed.unavailable, []);
  assert.equal(listed.warnings.length, 1);
  assert.match(
    listed.warnings[0] ?? "",
    /^catalog own \(http:\/\/127\.0\.0\.1:\d+\/k\.json\) can't be used: .*can't be reached.*; its copy of 3 hours ago is used$/,
  );
  await server.up();
  assert.deepEqual((await rig.list(catalogs)).warnings, []);
});

test("what answers with an error, nonsense or too much is passed over for the copy, too", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig({ catalogBytes: 100_000 });
  const catalogs = [{ name: "own", location: `${server.url}/k.json` }];
  server.put("/k.json", catalogOf("one"));
  await rig.list(catalogs);
  const table: readonly (readonly [unknown, number, RegExp])[] = [
    ["gone", 404, /has no document/],
    ["no", 403, /answered 403/],
    ["later", 503, /answered 503.*after 2 tries/],
    ["<html>", 200, /is not JSON/],
    [{ schemaVersion: 2, kernels: [] }, 200, /schemaVersion is not 1/],
    ["x".repeat(200_000), 200, /longer than allowed/],
    ["", 304, /unasked|answered 304/],
  ];
  for (const [document, status, message] of table) {
    server.put("/k.json", document, {}, status);
    const { entries, warnings } = await rig.list(catalogs);
    assert.equal(entries[0]?.name, "one", String(message));
    assert.match(warnings.join(), message);
    assert.match(warnings.join(), /its copy of less than a minute ago is used/);
  }
});

test("one that is not to be reached and of which there is no copy is a warning, and said to be unavailable", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  server.put("/k.json", catalogOf("one"));
  await server.down();
  const location = `${server.url}/k.json`;
  const listed = await rig.list([
    { name: "away", location },
    { name: "missing", location: "/banger/no/such/catalog.json" },
    { name: "relative", location: "k.json" },
    { name: "secret", location: "https://user:pw@127.0.0.1/k.json" },
  ]);
  assert.deepEqual(listed.entries, []);
  assert.deepEqual(listed.warnings, listed.unavailable);
  const [away, missing, relative, secret] = listed.warnings;
  assert.match(away ?? "", /^catalog away \(http.*can't be used: 127\.0\.0\.1:\d+ can't be reached/);
  assert.match(missing ?? "", /^catalog missing \(.*\) is not there$/);
  assert.match(relative ?? "", /neither an absolute path nor/);
  assert.match(secret ?? "", /malformed URL, or one with credentials/);
});

test("a server that never answers is not waited for longer than a catalog may take", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig({ catalogMs: 300 });
  server.put("/k.json", "hang");
  const { warnings } = await rig.list([{ name: "slow", location: `${server.url}/k.json` }]);
  assert.match(warnings.join(), /was not here within 0\.3 s/);
});

test("a cancel ends the asking", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  server.put("/k.json", "hang");
  const cancel = new AbortController();
  const listing = rig.list([{ name: "slow", location: `${server.url}/k.json` }], cancel.signal);
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  cancel.abort();
  await assert.rejects(listing, (error) => hasReason(error, "CANCELLED"));
});

test("catalogs from files, several at once: the first of a name wins, and a warning tells", async () => {
  await using rig = await makeRig();
  const place = async (name: string, document: unknown): Promise<CatalogSource> => {
    const location = join(rig.folder.path, `${name}.json`);
    await writeFile(location, JSON.stringify(document));
    return { name, location };
  };
  const own = await place("own", {
    schemaVersion: 1,
    kernels: [
      { name: "two", version: "6.2", architecture: "amd64", source: { deb: "/k.deb", sha256 } },
      { name: "two", version: "6.2", architecture: "arm64", source: { deb: "/arm.deb", sha256 } },
    ],
  });
  const listed = await rig.list([
    await place("first", catalogOf("one")),
    own,
    await place("last", catalogOf("one", "two")),
  ]);
  assert.deepEqual(
    listed.entries.map(({ catalog, name, architecture }) => `${catalog} ${name} ${architecture}`),
    ["first one amd64", "own two amd64", "own two arm64"],
  );
  assert.deepEqual(listed.warnings, [
    "two (amd64) of catalog last is hidden by that of catalog own, which comes before it",
  ]);
});

test("a catalog's file is read to its end, however many reads that takes", async () => {
  await using rig = await makeRig();
  const location = join(rig.folder.path, "catalog.json");
  await writeFile(location, JSON.stringify(catalogOf("cloud", "other")));
  using _disk = await shortReads(100);
  const list = await rig.list([{ name: "main", location }]);
  assert.deepEqual(list.warnings, []);
  assert.deepEqual(namesOf(list), ["cloud", "other"]);
});

test("a catalog of somebody else's names no file of this machine", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  const kernel = { name: "k", version: "6.1", architecture: "amd64" };
  server.put("/k.json", {
    schemaVersion: 1,
    kernels: [
      { ...kernel, name: "shadow", source: { deb: "/etc/shadow", sha256 } },
      { ...kernel, name: "layout", source: { artifact: "oci:/srv/k:1" } },
      { ...kernel, name: "fine", source: { deb: "https://h/k.deb", sha256 } },
    ],
  });
  const listed = await rig.list([{ name: "theirs", location: `${server.url}/k.json` }]);
  assert.deepEqual(namesOf(listed), ["fine"]);
  assert.match(listed.warnings.join(), /names files of this machine.*left out: shadow, layout$/);
});

test("a copy that is damaged, or another URL's, is none; one is written whole or not at all", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  const catalogs = [{ name: "own", location: `${server.url}/k.json` }];
  server.put("/k.json", catalogOf("one"), { etag: '"1"' });
  await rig.list(catalogs);
  const copies = join(rig.folder.path, "kernels", "catalogs");
  const [name = ""] = globSync("*", { cwd: copies });
  const path = join(copies, name);
  const good = readFileSync(path, "latin1");
  const damages = [
    good.replace("one", "two"),
    good.replace(/127\.0\.0\.1:\d+/, "example.org"),
    good.slice(0, -1),
    good.slice(good.indexOf("\n") + 1),
    "",
    "\n",
    "{}\n",
    "x".repeat(100),
  ];
  for (const damage of damages) {
    writeFileSync(path, damage, "latin1");
    const before = server.requests.length;
    assert.deepEqual(namesOf(await rig.list(catalogs)), ["one"], damage);
    assert.equal(server.requests[before]?.headers["if-none-match"], undefined, damage);
    assert.equal(readFileSync(path, "latin1").split("\n")[1], good.split("\n")[1]);
  }
  assert.deepEqual(globSync("*", { cwd: copies }), [name]);
});

test("a copy that can't be kept is a warning, and no more", async () => {
  await using server = await CatalogServer.start();
  await using rig = await makeRig();
  server.put("/k.json", catalogOf("one"));
  // A file where the folder should be: that stops root, too.
  await writeFile(join(rig.folder.path, "kernels"), "");
  const listed = await rig.list([{ name: "own", location: `${server.url}/k.json` }]);
  assert.deepEqual(namesOf(listed), ["one"]);
  assert.match(listed.warnings.join(), /can't be kept/);
});

test("ages as people say them", () => {
  const table: readonly (readonly [number, string])[] = [
    [-5, "less than a minute"],
    [0, "less than a minute"],
    [60_000, "1 minute"],
    [59 * 60_000, "59 minutes"],
    [3_600_000, "1 hour"],
    [47 * 3_600_000, "1 day"],
    [30 * 86_400_000, "30 days"],
  ];
  for (const [ms, text] of table) assert.equal(formatAge(ms), text);
});

test("merging says nothing of an entry that is the same twice", () => {
  const entry = (catalog: string, name: string): CatalogEntry => ({
    catalog,
    name,
    version: "6.1",
    architecture: "amd64",
    source: { kind: "artifact", reference: `h/${name}:1` },
  });
  const merged = mergeCatalogs([
    { entries: [entry("a", "k")], warnings: ["a says so"], failed: false },
    { entries: [entry("b", "k"), entry("b", "l")], warnings: ["b could not"], failed: true },
  ]);
  assert.deepEqual(merged, {
    entries: [entry("a", "k"), entry("b", "l")],
    warnings: ["a says so", "b could not"],
    unavailable: ["b could not"],
  });
});
