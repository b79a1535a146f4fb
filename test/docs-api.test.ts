import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fencesOf, readPage } from "./system/doc-pages.ts";

const root = join(import.meta.dirname, "..");

interface Described {
  readonly kind: string;
  readonly typeName: string;
  readonly methods: readonly { readonly name: string }[];
}

function isService(value: unknown): value is Described {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

/** Of all services that `gen/` has, as gRPC names them. */
async function methods(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of globSync("gen/**/*_pb.ts", { cwd: root })) {
    const module: object = await import(join(root, file));
    for (const service of Object.values(module).filter(isService))
      found.push(...service.methods.map(({ name }) => `${service.typeName}/${name}`));
  }
  return found;
}

const page = readPage("docs/api.md");
const called = new Set(
  fencesOf(page, "sh").flatMap((text) =>
    [...text.matchAll(/\bcall ([\w.]+\/\w+) /g)].map((match) => match[1] ?? ""),
  ),
);

test("docs/api.md calls every method of every service, and none that is not there", async () => {
  const all = await methods();
  assert.ok(all.includes("banger.image.v1.ImageService/PullImage"), "the services are where this test looks");
  // `--list-services` is a call of the one, or where that is missing of the other.
  const byReflection = all.filter((name) => name.endsWith("/ServerReflectionInfo"));
  assert.equal(byReflection.length, 2);
  assert.deepEqual(
    all.filter((name) => !called.has(name) && !byReflection.includes(name)),
    [],
  );
  assert.deepEqual(
    [...called].filter((name) => !all.includes(name)),
    [],
  );
});

test("buf curl and grpcurl are told the same", () => {
  const definitions = [...fencesOf(page, "sh"), ...fencesOf(page, "text")].filter((text) =>
    text.startsWith("call() {"),
  );
  assert.equal(definitions.length, 2);
  for (const text of definitions)
    for (const word of ['-d "$2"', "d.sock", "$1"]) assert.ok(text.includes(word), word);
});
