/**
 * The table of what registries do and what the client must do then, row by row in test/registry/conformance/. Each
 * pull is of one image with one layer, from a registry of its own beside another origin.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { BangerError, type Reason } from "../../src/base/error.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { FakeRegistry, type Fault } from "../fakes/registry/registry.ts";
import { bodies } from "./conformance/bodies.ts";
import { challenges } from "./conformance/challenges.ts";
import { redirects } from "./conformance/redirects.ts";
import { image, layer, layerBytes, user, type Expected, type Row, type Script } from "./conformance/row.ts";
import { now, statuses } from "./conformance/statuses.ts";
import { impatient, pullAll } from "./pull-all.ts";

const table: readonly Row[] = [...challenges, ...redirects, ...statuses, ...bodies];

for (const [name, server, client] of table) {
  test(name, async () => {
    await using registry = await FakeRegistry.start();
    await using other = await startOther(registry);
    prepare(registry, other, server);
    const clock = recordingClock(now);
    const limits = {
      ...impatient,
      attempts: client.fails === "REGISTRY_UNAVAILABLE" && /R45/.test(name) ? 2 : 5,
    };
    const options = { clock, limits, credentials: server.credentials };
    const outcome = await pullAll(`${registry.host}/team/app:1.0`, options).catch((error: unknown) => error);
    checkOutcome(outcome, client);
    checkRequests(registry, other, client);
    if (client.waits !== undefined) assert.deepEqual(clock.pauses, client.waits);
  });
}

test("every row has a name of its own", () => {
  assert.equal(new Set(table.map(([name]) => name)).size, table.length);
  assert.ok(table.length > 100);
});

/** Another origin: a storage that has the layer, and that wants credentials, or sends us back, where it is asked to. */
async function startOther(registry: FakeRegistry): Promise<FakeRegistry> {
  const other = await FakeRegistry.start();
  other.serve("/layer", layerBytes);
  other.fault({ path: /^\/locked/ }, { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
  const back = `http://${registry.host}/v2/team/app/blobs/${image.blobs[1]?.digest ?? ""}`;
  other.fault({ path: /^\/(?:back|fro)/ }, { status: 307, headers: { location: back } });
  return other;
}

function prepare(registry: FakeRegistry, other: FakeRegistry, { auth, faults = [] }: Script): void {
  registry.add("team/app", "1.0", image);
  registry.addBlob("team/copy", "layer", layerBytes);
  const named = (text: string): string => text.replaceAll("{other}", other.host);
  if (auth !== undefined) {
    registry.requireAuth({ ...auth, ...(auth.challenges && { challenges: auth.challenges.map(named) }) });
  }
  for (const [match, fault] of faults) registry.fault(match, withHosts(fault, named));
}

function withHosts(fault: Fault, named: (text: string) => string): Fault {
  const location = fault.headers?.["location"];
  return typeof location === "string"
    ? { ...fault, headers: { ...fault.headers, location: named(location) } }
    : fault;
}

function checkOutcome(outcome: unknown, { fails, says }: Expected): void {
  const told = inspect(outcome instanceof Error ? outcome : [], { depth: 9 });
  assert.doesNotMatch(told, new RegExp(`hush|token-\\d|${user.password}`));
  const reason: Reason | undefined = outcome instanceof BangerError ? outcome.reason : undefined;
  assert.equal(reason, fails, told);
  if (outcome instanceof BangerError) assert.match(outcome.message, says ?? /^/);
  else assert.deepEqual(layersOf(outcome), [layerBytes]);
}

function layersOf(outcome: unknown): unknown {
  if (outcome instanceof Error) throw outcome;
  return typeof outcome === "object" && outcome !== null && "layers" in outcome ? outcome.layers : undefined;
}

function checkRequests(registry: FakeRegistry, other: FakeRegistry, client: Expected): void {
  const asked = registry.asked(layer);
  const starts = asked.map(({ headers }) => (/^bytes=0*[1-9]/.test(headers["range"] ?? "") ? "?" : 0));
  const seen = {
    layerRequests: asked.length,
    starts,
    tokenRequests: registry.asked(/^\/token/).length,
    requests: registry.requests.length,
    otherRequests: other.requests.length,
  };
  const { fails: _fails, says: _says, waits: _waits, ...counted } = client;
  assert.deepEqual({ ...seen, ...counted }, seen);
  for (const { headers } of other.requests) assert.equal(headers["authorization"], undefined);
  for (const { headers } of registry.requests) assert.equal(headers["accept-encoding"], "identity");
}
