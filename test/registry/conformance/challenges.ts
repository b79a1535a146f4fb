import { credentials, layer, user, type Row } from "./row.ts";

const bearer = (...challenges: readonly string[]) => ({ auth: { scheme: "bearer", challenges } }) as const;
const once = { tokenRequests: 1 };

/** How servers ask for authentication: RFC 9110, 11; distribution's docs/spec/auth. */
export const challenges: readonly Row[] = [
  ["R03 Bearer, anonymous", { auth: { scheme: "bearer" } }, once],
  ["R04 the token is called access_token", { auth: { scheme: "bearer", tokenField: "access_token" } }, once],
  [
    "R05 Bearer, with credentials for the token server",
    { auth: { scheme: "bearer", user }, credentials },
    once,
  ],
  ["R05 Bearer, without the credentials", { auth: { scheme: "bearer", user } }, { fails: "REGISTRY_AUTH" }],
  [
    "R06 Negotiate in one header, Bearer in the next",
    bearer("Negotiate", 'Bearer realm="http://{host}/token"'),
    once,
  ],
  [
    "R06 Negotiate with a token68, then Bearer",
    bearer('Negotiate YWJj==, Bearer realm="http://{host}/token"'),
    once,
  ],
  ["R07 Bearer and Basic in one header", bearer('Bearer realm="http://{host}/token", Basic realm="x"'), once],
  ["R07 Basic and Bearer in one header", bearer('Basic realm="x", Bearer realm="http://{host}/token"'), once],
  ["R08 a scheme and names in capitals", bearer('BEARER REALM="http://{host}/token",Service="fake"'), once],
  ["R08 values without quotes", bearer("Bearer realm=http://{host}/token,service=fake"), once],
  ["R08 escapes in quotes", bearer('Bearer realm="http:\\/\\/{host}\\/token"'), once],
  [
    "R08 a comma in quotes",
    bearer('Bearer realm="http://{host}/token",scope="repository:any:pull,push"'),
    once,
  ],
  [
    "R08 empty and unknown parameters",
    bearer('Bearer error=,x-y="z",realm="http://{host}/token",scope=""'),
    once,
  ],
  [
    "R08 several scopes",
    bearer('Bearer realm="http://{host}/token",scope="repository:a:pull repository:b:pull"'),
    once,
  ],
  ["R09 a relative realm", bearer('Bearer realm="/token"'), once],
  ["R09 a realm with a query", bearer('Bearer realm="http://{host}/token?tenant=7"'), once],
  [
    "R49 white space around = and ,",
    bearer('Bearer realm = "http://{host}/token" ,\tservice =\t"fake"'),
    once,
  ],
  ["R10 Basic, with credentials", { auth: { scheme: "basic", user }, credentials }, { tokenRequests: 0 }],
  ["R10 Basic, without", { auth: { scheme: "basic", user } }, { fails: "REGISTRY_AUTH", requests: 1 }],
  [
    "R11 401 whatever is sent",
    { auth: { scheme: "bearer", uses: 0 }, credentials },
    { fails: "REGISTRY_AUTH", requests: 5 },
  ],
  [
    "R11 401 without a challenge",
    { faults: [[{}, { status: 401 }]], credentials },
    { fails: "REGISTRY_AUTH", requests: 1 },
  ],
  ["R11 a challenge that nobody knows", bearer('Mutual realm="x"'), { fails: "REGISTRY_AUTH", requests: 1 }],
  [
    "R12 the token runs out before the blob",
    { auth: { scheme: "bearer", uses: 2 } },
    { tokenRequests: 2, layerRequests: 2, starts: [0, 0] },
  ],
  [
    "R12 the token runs out in the middle of the blob, which is cut off",
    { auth: { scheme: "bearer", uses: 3 }, faults: [[{ path: layer, times: 1 }, { cutAfter: 300_000 }]] },
    { tokenRequests: 2, layerRequests: 3, starts: [0, "?", "?"] },
  ],
  [
    "R40 a token server in the clear on another host",
    bearer('Bearer realm="http://{other}/token"'),
    { fails: "REGISTRY_PROTOCOL", otherRequests: 0 },
  ],
  [
    "R40 a token server on the metadata address",
    bearer('Bearer realm="https://169.254.169.254/token"'),
    { fails: "REGISTRY_PROTOCOL" },
  ],
  [
    "R41 the token server redirects to another origin",
    {
      auth: { scheme: "bearer", user },
      credentials,
      faults: [[{ path: /^\/token/ }, { status: 307, headers: { location: "http://{other}/token" } }]],
    },
    { fails: "REGISTRY_PROTOCOL", otherRequests: 1 },
  ],
  [
    "R42 a token answer without an end",
    {
      auth: { scheme: "bearer" },
      faults: [[{ path: /^\/token/ }, { body: "{", endless: Buffer.alloc(65_536, " ") }]],
    },
    { fails: "REGISTRY_PROTOCOL" },
  ],
];
