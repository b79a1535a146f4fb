import { gzipSync } from "node:zlib";
import { layer, layerBytes, wrong, type Row } from "./row.ts";
import type { Fault } from "../../fakes/registry/registry.ts";

const size = layerBytes.length;
const cut: Fault = { cutAfter: 300_000, headers: { etag: '"one"' } };
/** The blob is cut off once, and then asked for from where it got to. */
const thenOn = (
  ...faults: readonly Fault[]
): { readonly faults: readonly (readonly [{ path: RegExp; times?: number }, Fault])[] } => ({
  faults: [
    [{ path: layer, times: 1 }, cut],
    ...faults.map((fault) => [{ path: layer, times: 1 }, fault] as const),
  ],
});
const resumed = { layerRequests: 2, starts: [0, "?"] } as const;
const anew = { layerRequests: 3, starts: [0, "?", 0] } as const;

/** Bodies that break off, lie, or never end. */
export const bodies: readonly Row[] = [
  ...Array.from({ length: 10 }, (_, tenth): Row => [
    `R20 a reset at ${tenth}/10 of the blob`,
    { faults: [[{ path: layer, times: 1 }, { cutAfter: (size * tenth) / 10 }]] },
    { layerRequests: 2, starts: [0, tenth === 0 ? 0 : "?"] },
  ]),
  [
    "R20 a reset at 10/10 of the blob",
    { faults: [[{ path: layer, times: 1 }, { cutAfter: size }]] },
    { layerRequests: 1 },
  ],
  ["R21 Range is ignored: 200, and all of it", thenOn({ ignoreRange: true }), resumed],
  [
    "R20 Range is answered with another ETag, and the same bytes",
    thenOn({ headers: { etag: '"two"' } }),
    resumed,
  ],
  [
    "R22 Range is answered with another ETag, and other bytes",
    thenOn({ headers: { etag: '"two"' }, body: wrong().subarray(-(size - 300_000)) }),
    { layerRequests: 3 },
  ],
  ["R22 wrong bytes after a resume", thenOn({ shiftRange: 7 }), anew],
  [
    "R22, R23 wrong bytes after a resume, and again",
    thenOn({ shiftRange: 7 }, { body: wrong() }),
    { fails: "DIGEST_MISMATCH", ...anew },
  ],
  [
    "R22 Content-Range admits another offset",
    thenOn({ headers: { "content-range": `bytes 7-${size - 1}/${size}` } }),
    { starts: [0, "?", 0] },
  ],
  ...["", "bytes", "bytes x-y/z", "bytes 1e9-2/3", "octets 0-1/2", "bytes 9".padEnd(4000, "9")].map(
    (range): Row => [
      `R22 Content-Range with nonsense in it: ${JSON.stringify(range.slice(0, 20))}`,
      thenOn({ headers: { "content-range": range } }),
      resumed,
    ],
  ),
  ["R22 206 without Content-Range", thenOn({ headers: { "content-range": undefined } }), resumed],
  [
    "R22 Content-Range with another size",
    thenOn({ headers: { "content-range": `bytes 300000-399999/400000` } }),
    { fails: "SIZE_MISMATCH" },
  ],
  ["R22 416 to a Range within the blob", thenOn({ status: 416 }), anew],
  [
    "R22 206 that nobody asked for, from the start",
    {
      faults: [
        [{ path: layer }, { status: 206, headers: { "content-range": `bytes 0-${size - 1}/${size}` } }],
      ],
    },
    { layerRequests: 1 },
  ],
  [
    "R34 Content-Length too long, then closed",
    { faults: [[{ path: layer }, { headers: { "content-length": String(size + 9) }, cutAfter: size }]] },
    { fails: "SIZE_MISMATCH", layerRequests: 1 },
  ],
  [
    "R34 Content-Length too short",
    {
      faults: [
        [{ path: layer }, { headers: { "content-length": String(size - 9) }, body: layerBytes.subarray(9) }],
      ],
    },
    { fails: "SIZE_MISMATCH", layerRequests: 1 },
  ],
  [
    "R34 Content-Length right, the body too short, once",
    {
      faults: [
        [
          { path: layer, times: 1 },
          {
            headers: { "content-length": String(size) },
            body: layerBytes.subarray(0, 900_000),
            cutAfter: 900_000,
          },
        ],
      ],
    },
    resumed,
  ],
  [
    "R34 a chunked body too short, once",
    {
      faults: [
        [
          { path: layer, times: 1 },
          { chunked: true, body: layerBytes.subarray(0, 900_000) },
        ],
      ],
    },
    resumed,
  ],
  ["R38 a chunked body", { faults: [[{ path: layer }, { chunked: true }]] }, { layerRequests: 1 }],
  [
    "R33 a chunked body a byte too long",
    { faults: [[{ path: layer }, { chunked: true, body: Buffer.concat([layerBytes, Buffer.of(0)]) }]] },
    { fails: "SIZE_MISMATCH" },
  ],
  [
    "R33 a body without an end",
    { faults: [[{ path: layer }, { chunked: true, endless: Buffer.alloc(65_536) }]] },
    { fails: "SIZE_MISMATCH", layerRequests: 1 },
  ],
  [
    "R32 a manifest without an end",
    { faults: [[{ path: /manifests/ }, { body: "{", endless: Buffer.alloc(65_536, " ") }]] },
    { fails: "LIMIT_DOCUMENT_SIZE", requests: 1 },
  ],
  [
    "R36 an error without an end",
    { faults: [[{ path: /manifests/ }, { status: 400, endless: Buffer.alloc(65_536, "y") }]] },
    { fails: "REGISTRY_PROTOCOL", requests: 1 },
  ],
  [
    "R32 a head without an end",
    { faults: [[{ path: layer }, { endlessHead: { piece: `X-{n}: ${"a".repeat(4000)}\r\n`, everyMs: 0 } }]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 1 },
  ],
  [
    "R45 a head that drips",
    { faults: [[{ path: layer }, { endlessHead: { piece: "a", everyMs: 10 } }]] },
    { fails: "REGISTRY_UNAVAILABLE", says: /did not answer/, layerRequests: 2 },
  ],
  [
    "R45 a body that drips",
    { faults: [[{ path: layer }, { drip: { bytes: 1, everyMs: 10 } }]] },
    { fails: "REGISTRY_UNAVAILABLE", layerRequests: 2 },
  ],
  [
    "R45 a body that does not begin, once",
    { faults: [[{ path: layer, times: 1 }, { silentBody: true }]] },
    { layerRequests: 2, starts: [0, 0] },
  ],
  [
    "R23 wrong bytes of the right length",
    { faults: [[{ path: layer }, { body: wrong() }]] },
    { fails: "DIGEST_MISMATCH", layerRequests: 1 },
  ],
  [
    "R37 Content-Encoding: gzip, and it is",
    { faults: [[{ path: layer }, { headers: { "content-encoding": "gzip" }, body: gzipSync(layerBytes) }]] },
    { fails: "REGISTRY_PROTOCOL", says: /content coding/ },
  ],
  [
    "R37 Content-Encoding: gzip, chunked, and it is",
    {
      faults: [
        [
          { path: layer },
          { headers: { "content-encoding": "gzip" }, chunked: true, body: gzipSync(layerBytes) },
        ],
      ],
    },
    { fails: "SIZE_MISMATCH" },
  ],
  [
    "R37 Content-Encoding: gzip, and it is not",
    { faults: [[{ path: layer }, { headers: { "content-encoding": "gzip" } }]] },
    { layerRequests: 1 },
  ],
];
