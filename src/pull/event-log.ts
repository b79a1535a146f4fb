import type { BangerError } from "../base/error.ts";
import { isProgress, type PullEvent, type PullEventBody, type Stage } from "./events.ts";

/** Tries that are told one by one; of more only the latest is kept, since a download that limps on has no end of them. */
const retriesKept = 200;

/** Two progress events with the same key say the same thing at different times: the later one is enough. */
function progressKey(event: PullEvent): string {
  const { kind } = event.body;
  if (kind === "waiting" || kind === "retrying") return kind;
  return kind === "layerProgress" ? `${event.body.phase} ${event.body.index}` : event.stage;
}

/**
 * What one pull has said. Milestones are kept to the end, so that who comes late sees them all; of progress only the
 * latest of each kind is. Readers are woken, never waited for: a slow one costs a cursor and a handful of pending events.
 */
export class EventLog {
  readonly #pullId: string;
  readonly #milestones: PullEvent[] = [];
  readonly #latestProgress = new Map<string, PullEvent>();
  readonly #readers = new Set<EventReader>();
  #sequence = 0;
  #retries = 0;
  #end: { readonly error: BangerError | undefined } | undefined;

  constructor(pullId: string) {
    this.#pullId = pullId;
  }

  append(stage: Stage, body: PullEventBody): PullEvent {
    const event: PullEvent = {
      pullId: this.#pullId,
      sequence: ++this.#sequence,
      time: Date.now(),
      stage,
      body,
    };
    if (body.kind === "retrying") this.#retries++;
    if (isProgress(event) || (this.#retries > retriesKept && body.kind === "retrying")) {
      this.#latestProgress.set(progressKey(event), event);
      for (const reader of this.#readers) reader.offer(progressKey(event), event);
    } else {
      this.#milestones.push(event);
      this.#forgetProgress(event);
      for (const reader of this.#readers) reader.wake();
    }
    return event;
  }

  /** No event comes after this. Readers end, or throw `error` where one is given. */
  end(error?: BangerError): void {
    this.#end ??= { error };
    this.#latestProgress.clear();
    for (const reader of this.#readers) reader.wake();
  }

  /** From the first milestone on, whenever it is called. Close it when done. */
  read(): EventReader {
    const reader = new EventReader(
      { milestones: this.#milestones, ended: () => this.#end, closed: (self) => this.#readers.delete(self) },
      this.#latestProgress,
    );
    this.#readers.add(reader);
    return reader;
  }

  /** A stage that has ended makes no more progress, and a late joiner needn't hear how it once stood. */
  #forgetProgress({ stage, body }: PullEvent): void {
    // Whoever goes on waits no longer.
    this.#latestProgress.delete("waiting");
    if (body.kind === "layerFetched") this.#latestProgress.delete(`fetching ${body.index}`);
    else if (body.kind === "layerScanned") this.#latestProgress.delete(`scanning ${body.index}`);
    else this.#latestProgress.delete(stage);
  }
}

interface LogView {
  readonly milestones: readonly PullEvent[];
  readonly ended: () => { readonly error: BangerError | undefined } | undefined;
  readonly closed: (reader: EventReader) => void;
}

/** One reader's place in a log. For one consumer at a time. */
export class EventReader implements AsyncIterable<PullEvent>, Disposable {
  readonly #log: LogView;
  readonly #progress: Map<string, PullEvent>;
  #next = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(log: LogView, progress: ReadonlyMap<string, PullEvent>) {
    this.#log = log;
    this.#progress = new Map(progress);
  }

  offer(key: string, event: PullEvent): void {
    this.#progress.set(key, event);
    this.wake();
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Ends a pending read; idempotent. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#log.closed(this);
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PullEvent, void, undefined> {
    while (!this.#closed) {
      const event = this.#take();
      if (event !== undefined) {
        yield event;
        continue;
      }
      const end = this.#log.ended();
      if (end?.error !== undefined) throw end.error;
      if (end !== undefined) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The earliest event that this reader has not seen. */
  #take(): PullEvent | undefined {
    const milestone = this.#log.milestones[this.#next];
    let oldest: readonly [string, PullEvent] | undefined;
    for (const entry of this.#progress)
      if (oldest === undefined || entry[1].sequence < oldest[1].sequence) oldest = entry;
    if (oldest !== undefined && (milestone === undefined || oldest[1].sequence < milestone.sequence)) {
      this.#progress.delete(oldest[0]);
      return oldest[1];
    }
    if (milestone !== undefined) this.#next++;
    return milestone;
  }
}
