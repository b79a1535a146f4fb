import { digestOf, hexOf, shortDigest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { ResolvedImage } from "../oci/image-source.ts";

const maxLength = 63;
const pattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** @throws BangerError NAME_INVALID with a field violation for `name`. */
export function parseImageName(text: string): string {
  if (pattern.test(text)) return text;
  const description = `${JSON.stringify(text.slice(0, 200))} is not a name`;
  throw new BangerError("NAME_INVALID", `image name ${description}`, {
    op: "parse name",
    hint: "Use up to 63 lower-case letters, digits, dots, dashes and underscores, a letter or digit first.",
    fields: [{ field: "name", description }],
  });
}

/**
 * The name that an image gets where none is given: its repository's last component and its tag, or the first 12
 * hex digits of its digest. `docker.io/library/debian` and `bookworm` make `debian-bookworm`.
 *
 * What a name can't hold is replaced; one that would be too long is cut and ends in a hash of the whole, so that
 * two long names stay two. Always valid.
 */
export function defaultImageName(
  image: Pick<ResolvedImage, "repository" | "tag" | "manifestDigest">,
): string {
  const { repository, tag, manifestDigest } = image;
  const suffix = tag ?? shortDigest(manifestDigest);
  const last = repository.split("/").findLast((part) => part !== "") ?? "";
  const base = sanitize(last.replace(/^oci:/, "")) || "image";
  const name = `${base}-${sanitize(suffix) || "latest"}`;
  if (name.length <= maxLength) return name;
  const hash = hexOf(digestOf(Buffer.from(`${repository}\0${suffix}`))).slice(0, 8);
  return `${name.slice(0, maxLength - hash.length - 1)}-${hash}`;
}

/** Twice what fits is enough to see that it doesn't; longer text would only cost time. */
function sanitize(text: string): string {
  return text
    .slice(0, 2 * maxLength)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "")
    .replace(/[._-]+$/, "");
}
