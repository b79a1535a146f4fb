import type { Fault } from "../fakes/registry/registry.ts";
import type { DiskFault } from "./faulty-disk.ts";

/** What goes wrong in one run. */
export type Trouble =
  | { readonly kind: "disk"; readonly fault: DiskFault }
  | { readonly kind: "registry"; readonly fault: Fault; readonly times: number; readonly what: string }
  | { readonly kind: "client"; readonly leavesAfter: number };

export interface Scenario {
  readonly seed: number;
  readonly trouble: Trouble;
  /** What is under way when it goes wrong. */
  readonly work: "pull" | "remove";
  /** Whether the daemon is then told to stop, or killed. */
  readonly end: "stop" | "kill";
  /** The daemon that mends it is killed at this change of its own; 0 is never. */
  readonly killedAgainAt: number;
}

/** Calls that one pull makes on the disk. */
export interface Calls {
  readonly changes: number;
  readonly reads: number;
}

const registryFaults: readonly { readonly what: string; readonly fault: Fault }[] = [
  { what: "resets the connection", fault: { reset: true } },
  { what: "answers 500", fault: { status: 500, body: "{}" } },
  { what: "answers 429", fault: { status: 429, body: "{}", headers: { "retry-after": "0" } } },
  { what: "answers 404", fault: { status: 404, body: "{}" } },
  { what: "cuts the body", fault: { cutAfter: 3000 } },
  { what: "ignores Range, and cuts", fault: { ignoreRange: true, cutAfter: 9000 } },
  { what: "sends other bytes", fault: { body: Buffer.alloc(20_000, "wrong") } },
  { what: "claims another range", fault: { shiftRange: 7, cutAfter: 5000 } },
  { what: "sends without a length", fault: { chunked: true, cutAfter: 8000 } },
];

/** The scenario of a seed; the same for the same seed and calls. */
export function scenarioOf(seed: number, random: () => number, calls: Calls): Scenario {
  const below = (count: number): number => Math.floor(random() * count);
  return {
    seed,
    trouble: troubleOf(below, random(), calls),
    work: random() < 0.85 ? "pull" : "remove",
    end: random() < 0.5 ? "stop" : "kill",
    killedAgainAt: random() < 0.2 ? 1 + below(12) : 0,
  };
}

function troubleOf(below: (count: number) => number, dice: number, calls: Calls): Trouble {
  if (dice < 0.15) {
    const { what, fault } = registryFaults[below(registryFaults.length)] ?? { what: "", fault: {} };
    return { kind: "registry", what, fault, times: 1 + below(3) };
  }
  if (dice < 0.25) return { kind: "client", leavesAfter: 1 + below(12) };
  if (dice < 0.35) {
    const call = 1 + below(calls.reads);
    return { kind: "disk", fault: { on: "read", call, how: "EIO", lasting: below(2) === 0 } };
  }
  const call = 1 + below(calls.changes);
  if (dice < 0.65) return { kind: "disk", fault: { on: "change", call, how: "kill", lasting: false } };
  const how = dice < 0.87 ? "ENOSPC" : "EIO";
  return { kind: "disk", fault: { on: "change", call, how, lasting: below(2) === 0 } };
}

export function describeScenario({ seed, trouble, work, end, killedAgainAt }: Scenario): string {
  const again = killedAgainAt === 0 ? "" : `, and the next daemon killed at change ${killedAgainAt}`;
  return `seed ${seed}: ${describeTrouble(trouble)} during ${work}, then ${end}${again}`;
}

/** Without its numbers, to count by. */
export function troubleClass(trouble: Trouble): string {
  switch (trouble.kind) {
    case "disk":
      return trouble.fault.how === "kill"
        ? "kill -9 at a write"
        : `${trouble.fault.how} at a ${trouble.fault.on}`;
    case "registry":
      return "registry misbehaves";
    case "client":
      return "client vanishes";
  }
}

function describeTrouble(trouble: Trouble): string {
  switch (trouble.kind) {
    case "disk": {
      const { on, call, how, lasting } = trouble.fault;
      return `${how} at ${on} ${call}${lasting ? " and all after it" : ""}`;
    }
    case "registry":
      return `the registry ${trouble.what}, ${trouble.times} times`;
    case "client":
      return `the client leaves after ${trouble.leavesAfter} events`;
  }
}
