import { BangerError } from "../../base/error.ts";
import type { Sliced } from "../../base/slices.ts";
import type { LayoutPlan, PlanInput } from "./plan.ts";

/**
 * Gives every inode its number and every block of the file system its place. Pure: the same input gives the same plan.
 *
 * @throws BangerError SIZE_INVALID, or SIZE_TOO_SMALL with the minimum.
 */
// oxlint-disable-next-line require-yield -- the planner is to come
export function* planLayout({ tree }: PlanInput): Sliced<LayoutPlan> {
  throw new BangerError("NOT_IMPLEMENTED", `${tree.inodeCount} inodes can't be planned yet`, {
    op: "plan ext4",
  });
}
