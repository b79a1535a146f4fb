import { directoryEntryBytes, expansionBlocks } from "../space-needs.ts";
import type { Command } from "./debugfs.ts";
import { shownPath, type Difference, type MissingName } from "./difference.ts";
import { enterDirectory, growDirectory, link, makeNode } from "./script.ts";

/**
 * The script that makes the names mkfs could not: devices, FIFOs, and further names of those and of symlinks.
 * It leaves everything else about them to the next, which knows their numbers. A symlink that has none of its names
 * is mkfs's failure, and stays missing.
 */
export function lateNames({ missing, shared }: Difference): readonly Command[] {
  const commands = roomForLinks(missing);
  const add = (text: string, { place }: MissingName): void =>
    void commands.push({ text, subject: () => shownPath(place) });
  for (const [inode, names] of byInode(missing)) {
    const known = shared.get(inode);
    const [first, ...others] = names;
    if (first === undefined) continue;
    if (known !== undefined) {
      for (const name of names) add(link(known, name.directory, name.place.name), name);
    } else if (inode.kind !== "symlink") {
      add(enterDirectory(first.directory), first);
      add(makeNode(first.place.name, inode.kind), first);
      // Its number is not known yet, so the others are linked from where it is.
      for (const name of others) add(link(first.place.name, name.directory, name.place.name), name);
    }
  }
  return commands;
}

/** Of those commands, the ones that make a name. */
export function makesName({ text }: Command): boolean {
  return text.startsWith("mknod ") || text.startsWith("ln ");
}

/** `ln` fails in a full directory, so those that get a link get room for all their late names. */
function roomForLinks(missing: readonly MissingName[]): Command[] {
  const rooms = new Map<number, { bytes: number; linked: boolean; readonly name: MissingName }>();
  for (const name of missing) {
    const room = rooms.get(name.directory) ?? { bytes: 0, linked: false, name };
    rooms.set(name.directory, room);
    room.bytes += directoryEntryBytes(name.place.name);
    room.linked ||= name.inode.linkCount > 1;
  }
  const commands: Command[] = [];
  for (const [directory, { bytes, linked, name }] of rooms) {
    const subject = (): string => shownPath(name.place.parent ?? name.place);
    for (let blocks = linked ? expansionBlocks(bytes) : 0; blocks > 0; blocks--)
      commands.push({ text: growDirectory(directory), subject });
  }
  return commands;
}

function byInode(missing: readonly MissingName[]): ReadonlyMap<MissingName["inode"], readonly MissingName[]> {
  const groups = new Map<MissingName["inode"], MissingName[]>();
  for (const name of missing) {
    const group = groups.get(name.inode);
    if (group === undefined) groups.set(name.inode, [name]);
    else group.push(name);
  }
  return groups;
}
