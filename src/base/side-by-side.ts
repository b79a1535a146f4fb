/**
 * Two works at once. Whichever fails takes the other with it: once this settles, neither runs any more, as long as both
 * heed the signal that they are given.
 *
 * @throws what the first of them to fail threw.
 */
export async function sideBySide<A, B>(
  outer: AbortSignal,
  start: (signal: AbortSignal) => readonly [Promise<A>, Promise<B>],
): Promise<[A, B]> {
  const stop = new AbortController();
  const both = start(AbortSignal.any([outer, stop.signal]));
  try {
    return await Promise.all(both);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(both);
    throw error;
  }
}
