import type { PullEvent } from "../../pull/events.ts";
import type { BegunPull, EndedPull, PullObserver } from "../../pull/observer.ts";
import type { Span } from "./otlp.ts";

/** What is kept of a pull until it ends. */
interface Course {
  readonly fetched: Span[];
  readonly scanned: Span[];
  retries: number;
  manifestDigest: string | undefined;
}

/** Makes a trace of each pull, once it has ended: a span a stage, and in those of fetching and scanning a span a layer. */
export class PullTraces implements PullObserver {
  readonly #courses = new Map<string, Course>();
  readonly #onTrace: (root: Span) => void;

  constructor(onTrace: (root: Span) => void) {
    this.#onTrace = onTrace;
  }

  begun({ id }: BegunPull): void {
    this.#courses.set(id, { fetched: [], scanned: [], retries: 0, manifestDigest: undefined });
  }

  said({ pullId, time, body }: PullEvent): void {
    const course = this.#courses.get(pullId);
    if (course === undefined) return;
    if (body.kind === "retrying") course.retries++;
    if (body.kind === "resolved") course.manifestDigest = body.manifestDigest;
    if (body.kind !== "layerFetched" && body.kind !== "layerScanned") return;
    const { digest, index, cached, durationMs } = body;
    const layer = {
      "banger.layer.digest": digest,
      "banger.layer.index": index,
      "banger.layer.cached": cached,
    };
    const times = { begin: time - durationMs, end: time, children: [] };
    if (body.kind === "layerFetched") {
      const { source, sizeBytes, receivedBytes, sparedBytes } = body;
      const attributes = {
        ...layer,
        "banger.layer.source": source,
        "banger.layer.size": sizeBytes,
        "banger.layer.received": receivedBytes,
        "banger.layer.spared": sparedBytes,
      };
      course.fetched.push({ name: "fetch layer", ...times, attributes });
    } else {
      const { entryCount, inflatedBytes } = body;
      const attributes = {
        ...layer,
        "banger.layer.entries": entryCount,
        "banger.layer.inflated": inflatedBytes,
      };
      course.scanned.push({ name: "scan layer", ...times, attributes });
    }
  }

  ended(pull: EndedPull): void {
    const course = this.#courses.get(pull.id);
    this.#courses.delete(pull.id);
    if (course !== undefined) this.#onTrace(pullSpan(pull, course));
  }
}

function pullSpan(pull: EndedPull, { fetched, scanned, retries, manifestDigest }: Course): Span {
  const { id, reference, outcome, startedAt, endedAt, name, failure, stages } = pull;
  const layersOf: Readonly<Record<string, readonly Span[]>> = { fetch: fetched, scan: scanned };
  return {
    name: "pull",
    begin: startedAt,
    end: endedAt,
    attributes: {
      "banger.pull.id": id,
      "banger.pull.reference": reference,
      "banger.pull.outcome": outcome,
      "banger.pull.retries": retries,
      "banger.image.name": name,
      "banger.image.manifest_digest": manifestDigest,
      "error.type": failure?.reason,
    },
    error: failure?.message,
    children: stages.map(({ stage, begin, end }) => ({
      name: stage,
      begin,
      end,
      attributes: {},
      children: layersOf[stage] ?? [],
    })),
  };
}
