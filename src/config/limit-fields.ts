import { defaultLimits, type Limits } from "../base/limits.ts";
import { countField, durationField, sizeField, type Field, type Range } from "./field.ts";
import { maxTimerMs, showDuration, showSize } from "./units.ts";

export type LimitName = keyof Limits;

/** Those whose key stands in a section of its subject. */
const limitsElsewhere = {
  concurrentPulls: "pulls",
  concurrentDownloads: "registry",
  dialMs: "registry",
  responseMs: "registry",
  stallMs: "registry",
} as const satisfies Partial<Record<LimitName, string>>;

/** What can't be raised at will: formats, and the kernel, have their own bounds. */
const ranges: Partial<Record<LimitName, Partial<Range>>> = {
  // PATH_MAX and NAME_MAX of Linux: no guest could open what is longer.
  pathBytes: { max: 4096 },
  nameBytes: { max: 255 },
  // XATTR_SIZE_MAX of Linux.
  xattrBytes: { max: 64 * 1024 },
  // RFC 8878 section 3.1.1.1.2 starts at 10; zstd's decoder takes up to 31.
  zstdWindowLog: { min: 10, max: 31 },
  // Each costs a thread, or a connection; past these a mistake is likelier than a machine that large.
  concurrentPulls: { max: 1000 },
  concurrentDownloads: { max: 100 },
  redirects: { min: 0, max: 100 },
  attempts: { max: 100 },
  indexEntries: { max: 1_000_000 },
};

const comments: Partial<Record<LimitName, string>> = {
  concurrentPulls: "Pulls that build at once; the rest wait.",
  concurrentDownloads:
    "Layers downloaded at once for one pull. Registries throttle past a handful of connections.",
  dialMs: "How long a connection to a registry may take to be up.",
  responseMs: "How long a registry may take to begin its answer.",
  slowWindowMs: "How long a download may be slower than `min_bytes_per_second` before it is tried again.",
  stallMs: "How long a download may stand still before it is taken for dead, and tried again.",
};

/** A limit's field: sizes, lengths of time and counts are told apart by the name's end. */
export function limitField(name: LimitName, key: string = limitKey(name)): Field<number> {
  const value = defaultLimits[name];
  const says = comments[name] ?? "";
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = ranges[name] ?? {};
  if (name.endsWith("Ms")) {
    const fallback = { value, shown: `"${showDuration(value)}"` };
    return durationField({ key, says, fallback }, { min, max: Math.min(max, maxTimerMs) });
  }
  if (/Bytes/.test(name)) {
    return sizeField({ key, says, fallback: { value, shown: `"${showSize(value)}"` } }, { min, max });
  }
  return countField({ key, says, fallback: { value, shown: String(value) } }, { min, max });
}

/** `documentBytes` is `document_bytes`; `programMs` is `program_time`, as its unit is in its value. */
export function limitKey(name: LimitName): string {
  return name.replace(/Ms$/, "Time").replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const isLimit = (name: string): name is LimitName => Object.hasOwn(defaultLimits, name);

/** The names in the order of base/limits.ts, less those of other sections. */
export const limitNames: readonly LimitName[] = Object.keys(defaultLimits)
  .filter(isLimit)
  .filter((name) => !Object.hasOwn(limitsElsewhere, name));
