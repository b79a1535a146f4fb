import type { VerifyImageResponse } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { table } from "./table.ts";
import { safeText } from "./text.ts";
import { formatBytes, plural } from "./units.ts";

/** What reading an image back found, for a person. */
export function verifyText(name: string, answer: VerifyImageResponse): string[] {
  const { differences, truncated, fsckOutput } = answer;
  const read = `${plural(answer.inodeCount, "inode")}, ${formatBytes(answer.contentBytesHashed)} hashed`;
  const fsck = fsckOutput.split("\n").filter((line) => line !== "");
  const said = fsck.map((line) => `e2fsck: ${safeText(line)}`);
  if (differences.length === 0) return [`${safeText(name)} is what its layers say: ${read}`, ...said];
  const count = `${plural(differences.length, "difference")}${truncated ? " and more" : ""}`;
  return [
    `${safeText(name)} is not what its layers say: ${count} (${read})`,
    ...table(
      ["PATH", "FIELD", "EXPECTED", "FOUND"],
      differences.map(({ path, field, expected, found }) => [path, field, expected, found]),
    ),
    ...said,
  ];
}
