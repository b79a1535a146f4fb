import type { VerifyImageResponse } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { table } from "./table.ts";
import { safeText } from "./text.ts";
import { formatBytes, plural } from "./units.ts";

/** Our reader and e2fsck both find the image as it was made. */
export function isSound({ differences, fsckOutput }: VerifyImageResponse): boolean {
  return differences.length === 0 && fsckOutput === "";
}

/** What reading an image back found, for a person. */
export function verifyText(name: string, answer: VerifyImageResponse, columns?: number): string[] {
  const { differences, truncated, fsckOutput } = answer;
  const hashed = answer.contentBytesHashed;
  // Without --full no content is read.
  const contents = hashed === 0n ? "" : `, ${formatBytes(hashed)} of content hashed`;
  const read = plural(answer.inodeCount, "inode") + contents;
  const fsck = fsckOutput.split("\n").filter((line) => line !== "");
  const said = fsck.map((line) => `e2fsck: ${safeText(line)}`);
  if (isSound(answer)) return [`${safeText(name)} is what its layers say: ${read}`];
  if (differences.length === 0)
    return [`${safeText(name)} reads as its layers say (${read}), and its file system is damaged`, ...said];
  const count = `${plural(differences.length, "difference")}${truncated ? " and more" : ""}`;
  return [
    `${safeText(name)} is not what its layers say: ${count} (${read})`,
    ...table(
      [
        { heading: "PATH", cut: "start" },
        "FIELD",
        { heading: "EXPECTED", cut: "end" },
        { heading: "FOUND", cut: "end" },
      ],
      differences.map(({ path, field, expected, found }) => [path, field, expected, found]),
      columns,
    ),
    ...said,
  ];
}
