import type { ResolveImageResponse } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { platformText } from "./image-text.ts";
import { facts, right, table } from "./table.ts";
import { formatBytes, plural } from "./units.ts";

function signatureText(signature: ResolveImageResponse["signature"]): string {
  return signature === undefined
    ? ""
    : `by ${signature.keyPath}, as ${signature.scope} asks: ${signature.place}`;
}

/** What a pull would do, for a person. */
export function resolveText(answer: ResolveImageResponse, columns?: number): string[] {
  const chosen = platformText(answer.platform);
  const others = answer.availablePlatforms.map(platformText).filter((platform) => platform !== chosen);
  return [
    ...facts(
      [
        ["reference", answer.reference],
        ["manifest", answer.manifestDigest],
        ["index", answer.indexDigest],
        ["platform", chosen],
        ["also offered", others.join(", ")],
        ["signed", signatureText(answer.signature)],
        ["layers", plural(answer.layers.length, "layer")],
        ["to fetch", formatBytes(answer.bytesToFetch)],
        ["disk needed", `about ${formatBytes(answer.diskNeededBytes)}`],
        ["name", answer.defaultName],
        ["there already", answer.existingImageId],
      ],
      columns,
    ),
    "",
    ...table(
      [
        { heading: "LAYER", cut: "end" },
        right("COMPRESSED"),
        { heading: "TYPE", cut: "start", optional: true },
      ],
      answer.layers.map((layer) => [layer.digest, formatBytes(layer.sizeBytes), layer.mediaType]),
      columns,
    ),
  ];
}
