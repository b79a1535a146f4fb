import { credentials, layer, user, type Row } from "./row.ts";
import type { Fault } from "../../fakes/registry/registry.ts";

const to = (location: string, status = 307): Fault => ({ status, headers: { location } });
const auth = { scheme: "bearer", user } as const;
const refused = { fails: "REGISTRY_PROTOCOL", otherRequests: 0, layerRequests: 1 } as const;

/** Where servers send us: RFC 9110, 15.4; storage behind registries. */
export const redirects: readonly Row[] = [
  [
    "R16 to the same origin, which wants the token there too",
    { auth, credentials, faults: [[{ path: layer, skip: 1, times: 1 }, to("/v2/team/copy/blobs/layer")]] },
    { otherRequests: 0 },
  ],
  ...[301, 302, 303, 307, 308].map((status): Row => [
    `R16 to another origin, by ${status}: no Authorization goes there`,
    { auth, credentials, faults: [[{ path: layer }, to("http://{other}/layer?signature=hush", status)]] },
    { otherRequests: 1 },
  ]),
  [
    "R16 to another origin and back: Authorization is for the registry alone",
    { auth, credentials, faults: [[{ path: layer, times: 1 }, to("http://{other}/back")]] },
    { otherRequests: 1 },
  ],
  [
    "R17 to another origin, which then asks for credentials",
    { auth, credentials, faults: [[{ path: layer }, to("http://{other}/locked")]] },
    { fails: "REGISTRY_AUTH", otherRequests: 1 },
  ],
  [
    "R16 after a cut, the rest comes from another origin",
    {
      faults: [
        [{ path: layer, times: 1 }, { cutAfter: 300_000 }],
        [{ path: layer }, to("http://{other}/layer")],
      ],
    },
    { layerRequests: 2, otherRequests: 1 },
  ],
  [
    "R18 to itself",
    { faults: [[{ path: layer }, to("")]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 11 },
  ],
  [
    "R18 to and fro without an end",
    { faults: [[{ path: layer }, to("http://{other}/fro")]] },
    { fails: "REGISTRY_PROTOCOL", layerRequests: 6, otherRequests: 5 },
  ],
  [
    "R18 further and further",
    {
      faults: [
        [{ path: /hop/ }, to("hop/on")],
        [{ path: layer }, to("/hop/on")],
      ],
    },
    { fails: "REGISTRY_PROTOCOL", requests: 13 },
  ],
  ["R19 to nowhere", { faults: [[{ path: layer }, { status: 307 }]] }, refused],
  ["R19 to no URL", { faults: [[{ path: layer }, to("http://[bad")]] }, refused],
  ["R19 to a file", { faults: [[{ path: layer }, to("file:///etc/passwd")]] }, refused],
  ["R19 to another protocol", { faults: [[{ path: layer }, to("gopher://{other}/layer")]] }, refused],
  ["R19 to the metadata address", { faults: [[{ path: layer }, to("http://169.254.169.254/")]] }, refused],
  ["R19 to the metadata address, in IPv6", { faults: [[{ path: layer }, to("http://[fe80::1]/")]] }, refused],
  [
    "R19 to the metadata address, as a number",
    { faults: [[{ path: layer }, to("http://2852039166/")]] },
    refused,
  ],
  ["R19 to a URL with a password", { faults: [[{ path: layer }, to("http://a:b@{other}/layer")]] }, refused],
];
