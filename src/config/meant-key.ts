import { nearest } from "../base/nearest.ts";

/** The known key that one most likely is a misspelling of, however its words are joined; undefined where none is near. */
export function meantKey(key: string, known: readonly string[]): string | undefined {
  const meant = nearest(plain(key), known.map(plain));
  return known.find((name) => plain(name) === meant);
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[-_ ]/g, "");
}
