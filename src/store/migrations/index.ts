import type { Migration } from "kysely/migration";
import * as imagesAndPulls from "./0001-images-and-pulls.ts";
import * as guest from "./0002-guest.ts";
import * as kernels from "./0003-kernels.ts";
import * as leases from "./0004-leases.ts";
import * as pullRequests from "./0005-pull-requests.ts";

/** Applied in the order of their names. A published one is never edited: the next one mends it. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-images-and-pulls": imagesAndPulls,
  "0002-guest": guest,
  "0003-kernels": kernels,
  "0004-leases": leases,
  "0005-pull-requests": pullRequests,
};
