import { layer, type Row } from "./row.ts";
import type { Fault } from "../../fakes/registry/registry.ts";

/** The clock of these tests stands here until someone waits. */
export const now = Date.parse("2026-01-02T03:04:05Z");
const later = "Fri, 02 Jan 2026 03:04:15 GMT";

const after = (status: number, retryAfter: string): Fault => ({
  status,
  headers: { "retry-after": retryAfter },
});

/** What is worth another try, when, and what is not. */
export const statuses: readonly Row[] = [
  [
    "R13 429 with Retry-After in seconds, twice",
    { faults: [[{ path: layer, times: 2 }, after(429, "3")]] },
    { layerRequests: 3, waits: [3000, 3000] },
  ],
  [
    "R13 429 with Retry-After as a date",
    { faults: [[{ path: layer, times: 1 }, after(429, later)]] },
    { layerRequests: 2, waits: [10_000] },
  ],
  [
    "R13 503 with Retry-After",
    { faults: [[{ path: layer, times: 1 }, after(503, "2")]] },
    { layerRequests: 2, waits: [2000] },
  ],
  [
    "R13 Retry-After with nonsense in it",
    { faults: [[{ path: layer, times: 1 }, after(429, "soon")]] },
    { layerRequests: 2 },
  ],
  [
    "R13 Retry-After in the past",
    { faults: [[{ path: layer, times: 1 }, after(429, "Thu, 01 Jan 1970 00:00:00 GMT")]] },
    { layerRequests: 2 },
  ],
  [
    "R13 a Retry-After of six hours",
    { faults: [[{ path: layer }, after(429, "21600")]] },
    { fails: "RATE_LIMITED", says: /21600 s/, layerRequests: 1 },
  ],
  [
    "R14 429 for ever",
    { faults: [[{ path: layer }, after(429, "1")]] },
    { fails: "RATE_LIMITED", layerRequests: 5 },
  ],
  ...[408, 429, 500, 502, 503, 504].map((status): Row => [
    `R15, H12 ${status} four times`,
    { faults: [[{ path: layer, times: 4 }, { status }]] },
    { layerRequests: 5 },
  ]),
  ...[500, 503].map((status): Row => [
    `R46, H12 ${status} for ever`,
    { faults: [[{ path: layer }, { status }]] },
    { fails: "REGISTRY_UNAVAILABLE", says: new RegExp(String(status)), layerRequests: 5 },
  ]),
  [
    "H12 400",
    { faults: [[{ path: layer }, { status: 400 }]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 1 },
  ],
  [
    "R35, H12 403",
    { faults: [[{ path: layer }, { status: 403, body: "quota" }]] },
    { fails: "REGISTRY_AUTH", says: /quota/, layerRequests: 1 },
  ],
  ["H12 404", { faults: [[{ path: layer }, { status: 404 }]] }, { fails: "BLOB_UNKNOWN", layerRequests: 1 }],
  [
    "H12 410",
    { faults: [[{ path: layer }, { status: 410 }]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 1 },
  ],
  [
    "H12 501",
    { faults: [[{ path: layer }, { status: 501 }]] },
    { fails: "REGISTRY_UNAVAILABLE", layerRequests: 1 },
  ],
  [
    "H12 204 in place of a blob",
    { faults: [[{ path: layer }, { status: 204, body: "" }]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 1 },
  ],
  [
    "H12 a connection that is closed in place of an answer, twice",
    { faults: [[{ path: layer, times: 2 }, { reset: true }]] },
    { layerRequests: 3 },
  ],
  [
    "H12 no answer at all, once",
    { faults: [[{ path: layer, times: 1 }, { hang: true }]] },
    { layerRequests: 2 },
  ],
];
