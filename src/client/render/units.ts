const steps = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** As `512 B`, `12.3 MiB`: powers of 1,024, like `--size`, and three digits. */
export function formatBytes(bytes: number | bigint): string {
  let value = Number(bytes);
  let step = 0;
  // 999.5 would be shown with four digits.
  while (value >= 999.5 && step < steps.length - 1) {
    value /= 1024;
    step++;
  }
  const digits = step === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${steps[step] ?? "B"}`;
}

/** As `40 ms`, `1.2 s`, `42 s`, `3 min 05 s`, `2 h 03 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** As `65,470`. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString("en-US");
}

/** As `1 layer`, `5 layers`. */
export function plural(count: number | bigint, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${Number(count) === 1 ? one : many}`;
}

/** As `3 minutes ago`; never in the future. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return "just now";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${plural(minutes, "minute")} ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${plural(hours, "hour")} ago`;
  return `${plural(Math.floor(hours / 24), "day")} ago`;
}

/** `sha256:0123…` as its first twelve digits. */
export function shortHex(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
