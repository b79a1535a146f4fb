import type { PullEventBody, Stage } from "./events.ts";
import type { PullRequest } from "./request.ts";
import type { StageClock } from "./stage-clock.ts";

/** What every stage of one pull is given. */
export interface StageContext {
  readonly request: PullRequest;
  readonly clock: StageClock;
  readonly signal: AbortSignal;
  readonly emit: (stage: Stage, body: PullEventBody) => void;
}
