import type { CommandSpec } from "./command-spec.ts";

/** What other programs call a command, and what it may be called here; the first that a group has counts. */
const verbs: Readonly<Record<string, readonly string[]>> = {
  add: ["import", "pull"],
  check: ["verify", "status"],
  clean: ["prune"],
  del: ["rm"],
  delete: ["rm"],
  download: ["pull"],
  du: ["usage"],
  fetch: ["pull"],
  follow: ["watch"],
  gc: ["prune"],
  get: ["pull", "inspect"],
  info: ["inspect", "status", "usage"],
  kill: ["cancel"],
  list: ["ls", "usage"],
  logs: ["watch"],
  ls: ["usage"],
  mv: ["rename"],
  remove: ["rm"],
  show: ["inspect", "status", "usage"],
  stop: ["cancel"],
};

/** The same for the program's first word. */
const programs: Readonly<Record<string, string>> = {
  images: "image ls",
  kernels: "kernel ls",
  pulls: "pull ls",
  ps: "pull ls --active",
  rmi: "image rm",
};

/** What no command here does, and what does it. */
const elsewhereDone: Readonly<Record<string, string>> = {
  "banger daemon start": "Run `bangerd`; as a service, `systemctl start bangerd.socket`.",
  "banger daemon stop": "Send it SIGTERM; as a service, `systemctl stop bangerd.socket bangerd`.",
  "banger daemon restart":
    "As a service, `systemctl restart bangerd`; else end it by SIGTERM, and run `bangerd`.",
  "banger daemon reload": "Send it SIGHUP; as a service, `systemctl reload bangerd`.",
};

/** The command of a group that a word stands for in other programs. */
export function verbHere(group: CommandSpec, word: string): string | undefined {
  const known = new Set(group.commands.map(({ name }) => name));
  return ownEntry(verbs, word)?.find((verb) => known.has(verb));
}

/** All that a word may stand for, whatever the group. */
export function verbsFor(word: string): readonly string[] {
  return ownEntry(verbs, word) ?? [];
}

/** What stands here for another program's first word. */
export function programWord(word: string): string | undefined {
  return ownEntry(programs, word);
}

/** A sentence for what is not done by a command of this program. */
export function doneElsewhere(group: CommandSpec, word: string): string | undefined {
  return ownEntry(elsewhereDone, `${group.path} ${word}`);
}

/** A word that was typed may be `constructor`. */
function ownEntry<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
