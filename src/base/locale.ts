/**
 * Whether a terminal shows what is not ASCII, by POSIX's variables in POSIX's order. Where none says anything the
 * locale is C, and what would be drawn is anybody's guess.
 */
export function speaksUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((value) => (value ?? "") !== "");
  return /utf-?8/i.test(locale ?? "");
}
