/** One thing that the daemon needs, and whether it has it. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What to do; empty where it is ok. */
  readonly remedy: string;
}
