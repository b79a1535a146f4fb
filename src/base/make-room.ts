/** What says where banger's folders are, and so on which disk they lie. */
export const folderOptions = ["--state-dir", "--cache-dir", "TMPDIR"] as const;

export type FolderOption = (typeof folderOptions)[number];

/**
 * What to do about a full disk. Where several folders share it, what frees one of them frees all.
 *
 * @param options of the folders that lack room; none where nobody knows which
 */
export function makeRoom(...options: readonly FolderOption[]): string {
  const [last = "TMPDIR", ...before] = (options.length === 0 ? folderOptions : options).toReversed();
  const named = before.length === 0 ? last : `${before.toReversed().join(", ")} or ${last}`;
  return `Free some space on that disk, as by \`banger cache prune\` and \`banger image rm\`, or point ${named} at a larger one.`;
}
