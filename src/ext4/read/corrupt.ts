import { BangerError } from "../../base/error.ts";

/** What a rule was broken by, most general first: `{ inode: 12, block: 40 }`. */
export type Place = Readonly<Record<string, number | string>>;

const op = "read ext4";

/** A structure that no sound file system has. The facts carry the place and the rule. */
export function corrupt(place: Place, rule: string): BangerError {
  return new BangerError("FILESYSTEM_CORRUPT", `${describePlace(place)}: ${rule}`, {
    op,
    facts: { ...factsOf(place), rule },
  });
}

/** A sound structure of a feature that this reader does not know. */
export function unsupported(place: Place, feature: string): BangerError {
  return new BangerError("NOT_IMPLEMENTED", `${describePlace(place)}: ${feature} is not supported`, {
    op,
    hint: "Read the image with debugfs or a kernel mount, or make it without that feature.",
    facts: { ...factsOf(place), feature },
  });
}

function describePlace(place: Place): string {
  return Object.entries(place)
    .map(([part, number]) => `${part} ${number}`)
    .join(", ");
}

function factsOf(place: Place): Record<string, string> {
  return Object.fromEntries(Object.entries(place).map(([part, number]) => [part, String(number)]));
}
