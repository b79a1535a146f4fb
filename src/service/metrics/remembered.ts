/**
 * An answer that is dear to find, found again at most every so many milliseconds. Who asks meanwhile gets the last one,
 * or waits for the one that is being found; a failure is not remembered.
 */
export function remembered<T>(
  ms: number,
  find: () => Promise<T>,
  now: () => number = () => performance.now(),
): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly until: number } | undefined;
  return async () => {
    if (last === undefined || now() >= last.until) last = { answer: find(), until: now() + ms };
    const asked = last;
    try {
      return await asked.answer;
    } catch (error) {
      if (last === asked) last = undefined;
      throw error;
    }
  };
}
