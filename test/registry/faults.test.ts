import assert from "node:assert/strict";
import test from "node:test";
import { hasReason, type BangerError, type Reason } from "../../src/base/error.ts";
import type { RetryNotice } from "../../src/oci/image-source.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry, type Fault, type FaultMatch } from "../fakes/registry/registry.ts";
import { impatient, pullAll, type PullOptions } from "./pull-all.ts";

const image = buildImage({ layers: [noise(1_000_000)] });
const [, layer] = image.blobs;
assert.ok(layer !== undefined);
const layerPath = new RegExp(layer.digest);

interface Rig {
  readonly registry: FakeRegistry;
  readonly reference: string;
  readonly pull: (options?: PullOptions) => ReturnType<typeof pullAll>;
}

async function withFault(match: FaultMatch, fault: Fault, check: (rig: Rig) => Promise<void>): Promise<void> {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.fault(match, fault);
  const reference = `${registry.host}/team/app:1.0`;
  await check({ registry, reference, pull: (options) => pullAll(reference, options) });
}

async function failure(pull: Promise<unknown>, ...reasons: readonly Reason[]): Promise<BangerError> {
  try {
    await pull;
  } catch (error) {
    assert.ok(hasReason(error, ...reasons), `${reasons.join()} expected: ${String(error)}`);
    return error;
  }
  return assert.fail(`${reasons.join()} expected, but the pull succeeded`);
}

test("R02 nothing depends on HEAD", async () => {
  await withFault({ method: "HEAD" }, { status: 405 }, async ({ pull }) => {
    await pull();
  });
});

test("R13 429 with Retry-After: 1 twice is waited for, and reported", async () => {
  const fault = { status: 429, headers: { "retry-after": "1" } };
  await withFault({ path: /manifests/, times: 2 }, fault, async ({ pull }) => {
    const clock = recordingClock();
    const { notices } = await pull({ clock });
    assert.deepEqual(clock.pauses, [1000, 1000]);
    assert.deepEqual(
      notices.map(({ attempt, delayMs }) => [attempt, delayMs]),
      [
        [2, 1000],
        [3, 1000],
      ],
    );
    assert.match(notices[0]?.why ?? "", /429/);
  });
});

test("R13 Retry-After as a date is obeyed too", async () => {
  const clock = recordingClock(Date.parse("2026-01-02T03:04:05Z"));
  const fault = { status: 503, headers: { "retry-after": "Fri, 02 Jan 2026 03:04:15 GMT" } };
  await withFault({ path: /manifests/, times: 1 }, fault, async ({ pull }) => {
    await pull({ clock });
    assert.deepEqual(clock.pauses, [10_000]);
  });
});

test("R13 a longer Retry-After than allowed is an error that names it", async () => {
  const fault = { status: 429, headers: { "retry-after": "21600" } };
  await withFault({ path: /manifests/ }, fault, async ({ pull, registry }) => {
    const error = await failure(pull(), "RATE_LIMITED");
    assert.equal(error.retryAfterMs, 21_600_000);
    assert.match(error.message, /21600 s/);
    assert.equal(registry.requests.length, 1);
  });
});

test("R14 429 for ever fails after a few tries", async () => {
  const fault = { status: 429, headers: { "retry-after": "2" } };
  await withFault({ path: /blobs/ }, fault, async ({ pull, registry }) => {
    const error = await failure(pull(), "RATE_LIMITED");
    assert.equal(error.retryAfterMs, 2000);
    assert.equal(registry.asked(/blobs/).length, 5);
  });
});

test("R15 503 twice on the manifest and 500 once on a blob are outlived", async () => {
  await withFault({ path: /manifests/, times: 2 }, { status: 503 }, async ({ pull, registry }) => {
    registry.fault({ path: layerPath, times: 1 }, { status: 500 });
    const { notices } = await pull();
    assert.equal(notices.length, 3);
  });
});

for (const status of [408, 500, 502, 503, 504]) {
  test(`H12 ${status} is tried again`, async () => {
    await withFault({ path: /manifests/, times: 1 }, { status }, async ({ pull }) => {
      await pull();
    });
  });
}

for (const [status, reason] of [
  [400, "REGISTRY_PROTOCOL"],
  [401, "REGISTRY_AUTH"],
  [403, "REGISTRY_AUTH"],
  [404, "MANIFEST_UNKNOWN"],
  [501, "REGISTRY_UNAVAILABLE"],
] as const) {
  test(`H12 ${status} is not tried again`, async () => {
    await withFault({ path: /manifests/ }, { status }, async ({ pull, registry }) => {
      await failure(pull(), reason);
      assert.equal(registry.requests.length, 1);
    });
  });
}

test("H12 a reset connection is tried again, and a cancel ends the waiting at once", async () => {
  await withFault({ path: /manifests/, times: 2 }, { reset: true }, async ({ pull }) => {
    assert.equal((await pull()).notices.length, 2);
  });
  await withFault({ path: /manifests/ }, { hang: true }, async ({ pull, registry }) => {
    const cancel = new AbortController();
    const pulling = pull({ signal: cancel.signal });
    while (registry.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    cancel.abort();
    await failure(pulling, "CANCELLED");
  });
});

test("H12 a registry that never answers is given up", async () => {
  await withFault({ path: /manifests/ }, { hang: true }, async ({ pull }) => {
    await failure(pull({ limits: { responseMs: 100, attempts: 2 } }), "REGISTRY_UNAVAILABLE");
  });
});

test("H12 a port where nothing listens fails at once", async () => {
  const registry = await FakeRegistry.start();
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  const notices: RetryNotice[] = [];
  await failure(pullAll(`${host}/team/app:1.0`, { notices }), "REGISTRY_UNAVAILABLE");
  assert.deepEqual(notices, []);
});

test("R18 a redirect loop ends", async () => {
  await using registry = await FakeRegistry.start();
  registry.fault({}, { status: 302, headers: { location: "/v2/team/app/manifests/1.0" } });
  await failure(pullAll(`${registry.host}/team/app:1.0`), "REGISTRY_PROTOCOL");
  assert.equal(registry.requests.length, 11);
});

for (const location of [
  "file:///etc/passwd",
  "http://169.254.169.254/latest/meta-data",
  "http://[fd00:ec2::254]/",
  "http://0xa9fea9fe/",
  "http://user:secret@127.0.0.1/",
  "ftp://127.0.0.1/",
  "http://[bad",
]) {
  test(`R19 a redirect to ${location} is refused`, async () => {
    await withFault({ path: /blobs/ }, { status: 302, headers: { location } }, async ({ pull }) => {
      const error = await failure(pull(), "REGISTRY_PROTOCOL");
      assert.doesNotMatch(error.message, /secret/);
    });
  });
}

test("R20 a blob that is cut off is resumed where it broke", async () => {
  await withFault({ path: layerPath, times: 3 }, { cutAfter: 300_000 }, async ({ pull, registry }) => {
    const { layers, notices } = await pull();
    assert.deepEqual(layers, [layer.bytes]);
    assert.equal(notices.length, 3);
    const starts = registry.asked(layerPath).map(({ headers }) => rangeStart(headers["range"]));
    assert.equal(starts.length, 4);
    // Each try begins where the last got to, which is short of the cut by what the reset threw away.
    for (const [at, start] of starts.entries()) {
      const before = starts[at - 1];
      if (before === undefined) assert.equal(start, 0);
      else assert.ok(start > before && start <= before + 300_000, String(starts));
    }
  });
});

function rangeStart(range: string | undefined): number {
  return Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]);
}

test("R21 a server that ignores Range corrupts nothing", async () => {
  await withFault({ path: layerPath, times: 1 }, { cutAfter: 300_000 }, async ({ pull, registry }) => {
    registry.fault({ path: layerPath }, { ignoreRange: true });
    assert.deepEqual((await pull()).layers, [layer.bytes]);
    assert.ok(rangeStart(registry.asked(layerPath)[1]?.headers["range"]) > 0);
  });
});

test("R22 bytes from another offset than the answer says are caught, and the blob is fetched in one piece", async () => {
  await withFault({ path: layerPath, times: 1 }, { cutAfter: 300_000 }, async ({ pull, registry }) => {
    registry.fault({ path: layerPath, times: 1 }, { shiftRange: 7 });
    assert.deepEqual((await pull()).layers, [layer.bytes]);
    const starts = registry.asked(layerPath).map(({ headers }) => rangeStart(headers["range"]));
    assert.deepEqual([starts.length, starts[0], starts[2]], [3, 0, 0]);
    assert.ok((starts[1] ?? 0) > 0);
  });
});

test("R22 an answer that admits another offset is not used", async () => {
  await withFault({ path: layerPath, times: 1 }, { cutAfter: 300_000 }, async ({ pull, registry }) => {
    const range = `bytes 300007-999999/${layer.bytes.length}`;
    registry.fault({ path: layerPath, times: 1 }, { headers: { "content-range": range } });
    assert.deepEqual((await pull()).layers, [layer.bytes]);
  });
});

test("R23 a blob with another content of the same length is refused", async () => {
  const wrong = Buffer.from(layer.bytes);
  wrong[500_000] = (wrong[500_000] ?? 0) ^ 1;
  await withFault({ path: layerPath }, { body: wrong }, async ({ pull, registry }) => {
    await failure(pull(), "DIGEST_MISMATCH");
    assert.equal(registry.asked(layerPath).length, 1);
  });
});

test("R33 a blob that is longer than its descriptor says is stopped", async () => {
  await withFault({ path: layerPath }, { endless: Buffer.alloc(1000), chunked: true }, async ({ pull }) => {
    await failure(pull(), "SIZE_MISMATCH");
  });
  await withFault(
    { path: layerPath },
    { body: Buffer.concat([layer.bytes, Buffer.from("x")]) },
    async ({ pull }) => {
      await failure(pull(), "SIZE_MISMATCH");
    },
  );
});

test("R34 a body shorter than its Content-Length is no success", async () => {
  const headers = { "content-length": String(layer.bytes.length) };
  const fault = { body: layer.bytes.subarray(0, 900_000), headers, cutAfter: 900_000, ignoreRange: true };
  await withFault({ path: layerPath }, fault, async ({ pull, registry }) => {
    // Each try starts anew, so each gets far; what comes in the end is bounded by the tries that gain nothing.
    registry.fault({ path: layerPath, skip: 1 }, { status: 404 });
    await failure(pull({ limits: { attempts: 1 } }), "REGISTRY_UNAVAILABLE");
  });
  const longer = { headers: { "content-length": String(layer.bytes.length + 100) }, cutAfter: 2_000_000 };
  await withFault({ path: layerPath }, longer, async ({ pull }) => {
    await failure(pull(), "SIZE_MISMATCH");
  });
});

test("R34 a short chunked body is resumed, and refused where it stays short", async () => {
  const fault = { body: layer.bytes.subarray(0, 900_000), chunked: true, ignoreRange: true };
  await withFault({ path: layerPath }, fault, async ({ pull }) => {
    await failure(pull(), "SIZE_MISMATCH");
  });
});

test("R35 a 403 says what the registry said", async () => {
  const body = JSON.stringify({ errors: [{ code: "DENIED", message: "quota of team exceeded" }] });
  await withFault({ path: /manifests/ }, { status: 403, body }, async ({ pull }) => {
    const error = await failure(pull(), "REGISTRY_AUTH");
    assert.match(error.message, /DENIED: quota of team exceeded/);
    assert.equal(error.facts["httpStatus"], "403");
  });
});

test("R36 terminal escapes in an error are not printed raw, and its length is bounded", async () => {
  const evil = "\u001b]0;owned\u0007\u202e\u009b31m" + "x".repeat(10_000);
  for (const body of [evil, JSON.stringify({ errors: [{ code: evil, message: evil }] })]) {
    await withFault({ path: /manifests/ }, { status: 400, body }, async ({ pull }) => {
      const error = await failure(pull(), "REGISTRY_PROTOCOL");
      // oxlint-disable-next-line no-control-regex -- control characters are what it is for
      assert.doesNotMatch(error.message, /[\u0000-\u001f\u007f-\u009f\u202e]/u);
      assert.match(error.message, /owned/);
      assert.ok(error.message.length < 2000);
    });
  }
});

test("R36 an endless error body is cut off", async () => {
  await withFault(
    { path: /manifests/ },
    { status: 400, endless: Buffer.alloc(4096, "y") },
    async ({ pull }) => {
      await failure(pull(), "REGISTRY_PROTOCOL");
    },
  );
});

test("R37 a content coding on top of a blob never makes wrong bytes pass", async () => {
  await withFault(
    { path: layerPath },
    { headers: { "content-encoding": "gzip" } },
    async ({ pull, registry }) => {
      assert.equal((await pull()).layers[0]?.length, layer.bytes.length, "a wrong label on the right bytes");
      assert.equal(registry.asked(layerPath)[0]?.headers["accept-encoding"], "identity");
    },
  );
  const fault = { headers: { "content-encoding": "gzip" }, body: noise(500) };
  await withFault({ path: layerPath }, fault, async ({ pull }) => {
    await failure(pull(), "REGISTRY_PROTOCOL");
  });
});

test("R38 a chunked blob without Content-Length", async () => {
  await withFault({}, { chunked: true }, async ({ pull }) => {
    assert.deepEqual((await pull()).layers, [layer.bytes]);
  });
});

test("R45 a drip and a silent server end", async () => {
  for (const fault of [{ drip: { bytes: 1, everyMs: 10 } }, { silentBody: true }]) {
    await withFault({ path: layerPath }, fault, async ({ pull, registry }) => {
      await failure(pull({ limits: { ...impatient, attempts: 2 } }), "REGISTRY_UNAVAILABLE");
      assert.equal(registry.asked(layerPath).length, 2);
    });
  }
});

test("R46 500 for ever says 500, and asks nothing else", async () => {
  await withFault({ path: /manifests/ }, { status: 500 }, async ({ pull, registry }) => {
    const error = await failure(pull(), "REGISTRY_UNAVAILABLE");
    assert.match(error.message, /500/);
    assert.equal(error.facts["httpStatus"], "500");
    assert.equal(registry.asked(/blobs/).length, 0);
    assert.equal(registry.requests.length, 5);
  });
});
