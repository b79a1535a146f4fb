import { hasReason, retold } from "../../base/error.ts";
import { shellWord } from "../../base/shell-word.ts";
import { imagePaths } from "../../images/layout.ts";
import type { ImageRecord } from "../../store/records.ts";

/** An image, as the store has it and as a client called it. */
export interface CalledImage {
  readonly record: ImageRecord;
  /** Name, id, or the beginning of one. */
  readonly called: string;
  readonly stateDir: string;
}

/**
 * What reading an image's files came to, told by who knows which image it is: what is damaged with its path, and the
 * command to type next. Other errors stay as they are.
 */
export function toldOfImage(error: unknown, { record, called, stateDir }: CalledImage): unknown {
  const facts = { image: record.id };
  if (hasReason(error, "FILESYSTEM_CORRUPT")) {
    const { rootfs, tree } = imagePaths(stateDir, record.id);
    // What was stored beside the file system says its path itself; it may be another image's that is compared.
    const { path = rootfs } = error.facts;
    const isTold = error.facts["image"] !== undefined;
    if (isTold || (path !== rootfs && path !== tree)) return error;
    return retold(error, {
      message: `image ${called} is damaged: ${path === tree ? "" : `${path}: `}${error.message}`,
      hint: `Delete it with \`banger image rm ${called}\`, then pull it again.`,
      facts: { ...facts, path },
    });
  }
  const folder = hasReason(error, "FILE_UNKNOWN") ? error.facts["folder"] : undefined;
  if (!hasReason(error, "FILE_UNKNOWN") || folder === undefined) return error;
  return retold(error, {
    hint: `List what is there: \`banger image files ${called} ${shellWord(folder)}\`.`,
    facts,
  });
}

/** That an image is held, with the name that it was called by, and how a lease ends. Other errors stay as they are. */
export function toldOfHolder(error: unknown, called: string): unknown {
  if (!hasReason(error, "IMAGE_IN_USE")) return error;
  const { holder = "", expires = "", leases = "1" } = error.facts;
  const others = leases === "1" ? "" : ` and ${Number(leases) - 1} more`;
  return retold(error, {
    message: `image ${called} is held by ${holder}${others} until ${expires}`,
    hint: `Have ${holder} give its lease back, which takes ReleaseImage of the API, or wait: the last lease ends at ${expires}.`,
  });
}

/** Does what reads an image's files, and tells of them so. */
export async function readingImage<T>(image: CalledImage, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toldOfImage(error, image);
  }
}

/** The same for what comes in pieces. */
export async function* piecesOfImage<T>(image: CalledImage, pieces: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    throw toldOfImage(error, image);
  }
}
