import type { Loss } from "../../../gen/banger/image/v1/image_pb.ts";
import { safeText } from "./text.ts";
import { formatCount } from "./units.ts";

/** What each kind comes to, for somebody who reads no code: of one, and of several. */
export const lossWords: Readonly<Record<string, readonly [one: string, several: string]>> = {
  XATTR_NAMESPACE: [
    "extended attribute of a kind that the disk can't or must not hold",
    "extended attributes of kinds that the disk can't or must not hold",
  ],
  XATTR_TOO_LARGE: [
    "file with more extended attributes than ext4 has room for",
    "files with more extended attributes than ext4 has room for",
  ],
  TIME_CLAMPED: [
    "time that ext4 can't hold, moved to the nearest that it can",
    "times that ext4 can't hold, moved to the nearest that it can",
  ],
  FILE_REPLACED_BY_PARENT: [
    "file in the way of a folder, which took its place",
    "files in the way of folders, which took their places",
  ],
  AUFS_METADATA: ["file of AUFS's own book-keeping, left out", "files of AUFS's own book-keeping, left out"],
  MEDIA_TYPE_DIFFERS: [
    "layer compressed otherwise than the manifest says; its files are all there",
    "layers compressed otherwise than the manifest says; their files are all there",
  ],
};

/** One line for each kind, with the first paths it is about. */
export function lossSentences(losses: readonly Loss[]): string[] {
  const byKind = Map.groupBy(losses, ({ kind }) => kind);
  return [...byKind].map(([kind, ofKind]) => {
    const [first] = ofKind;
    if (first === undefined || kind === "MORE") return safeText(first?.detail ?? "");
    const words = lossWords[kind];
    const what = words?.[ofKind.length === 1 ? 0 : 1] ?? kind.toLowerCase().replaceAll("_", " ");
    const paths = ofKind.map(({ path }) => path).filter((path) => path !== "");
    const shown = paths.slice(0, pathsShown).join(", ");
    const more = paths.length - pathsShown;
    const where = shown === "" ? "" : `: ${shown}${more > 0 ? ` and ${formatCount(more)} more` : ""}`;
    return safeText(`${formatCount(ofKind.length)} ${what}${where}`);
  });
}

/** Enough to see what they have in common; `image inspect` has them all. */
const pathsShown = 2;
