/** A word as a POSIX shell reads it back (IEEE Std 1003.1, 2.2.2): itself where nothing in it means anything. Pure. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command over several lines, one option on each. Pure. */
export function shellCommand(program: string, options: readonly (readonly string[])[]): string[] {
  const lines = [[program], ...options].map((words) => words.map(shellWord).join(" "));
  return lines.map((line, at) => `${at === 0 ? "" : "  "}${line}${at === lines.length - 1 ? "" : " \\"}`);
}
