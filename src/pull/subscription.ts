import type { PullEvent } from "./events.ts";
import type { PullJob } from "./job.ts";

/**
 * One client's view of a pull. Disposing of it stops watching; the last one to leave stops the pull, unless it is
 * detached.
 */
export interface PullSubscription extends Disposable {
  /** Changes once the pull has joined another that does the same. */
  readonly pullId: string;
  /** From the first milestone on. Throws the pull's BangerError as its end. For one consumer. */
  readonly events: AsyncIterable<PullEvent>;
}

/** Follows the job, and then the one that does its work too. */
export function subscribe(first: PullJob): PullSubscription {
  const watcher = Symbol("watcher");
  let job = first;
  let reader = job.log.read();
  let left = false;
  job.watch(watcher);
  async function* follow(): AsyncGenerator<PullEvent, void, undefined> {
    for (;;) {
      yield* reader;
      reader[Symbol.dispose]();
      if (left || job.successor === undefined) return;
      job = job.successor;
      reader = job.log.read();
    }
  }
  return {
    get pullId() {
      return job.id;
    },
    events: follow(),
    [Symbol.dispose]: () => {
      left = true;
      reader[Symbol.dispose]();
      (job.successor ?? job).unwatch(watcher);
    },
  };
}
