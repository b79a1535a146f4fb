import { blobCases } from "./blob-cases.ts";
import { headerCases } from "./header-cases.ts";
import type { CaseMaker } from "./hostile-case.ts";
import { mutationCases } from "./mutations.ts";
import { pathCases, type CanaryPlace } from "./path-cases.ts";
import { paxCases } from "./pax-cases.ts";
import { sparseCases } from "./sparse-cases.ts";

const mutations = 300;

/** Every case of the campaign, always the same and in the same order. */
export function allCases(place: CanaryPlace): readonly CaseMaker[] {
  return [
    ...blobCases,
    ...headerCases,
    ...paxCases,
    ...sparseCases,
    ...pathCases(place),
    ...mutationCases(mutations),
  ];
}
