import { asBangerError } from "../base/error.ts";
import { listImagesDir, requireOwnImages } from "../images/own-folder.ts";
import { databasePath } from "../store/layout.ts";
import { peekStore } from "../store/peek.ts";
import type { CheckResult } from "./check-result.ts";

/** Whether a daemon would take the database and the folder of images for what they are; neither is changed. */
export async function storeCheck(stateDir: string): Promise<CheckResult> {
  const name = "image store";
  const path = databasePath(stateDir);
  try {
    const { imageIds: ids, unendedPulls } = peekStore(path);
    requireOwnImages(stateDir, await listImagesDir(stateDir), { ids, unendedPulls });
    const detail =
      ids.size === 0 ? "no image yet" : `${path} knows ${ids.size} image${ids.size === 1 ? "" : "s"}`;
    return { name, ok: true, detail, remedy: "" };
  } catch (error) {
    const { message, hint } = asBangerError(error, "check image store");
    return { name, ok: false, detail: message, remedy: hint };
  }
}
