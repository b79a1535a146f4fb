/**
 * Bytes of texts that one page may hold. A gRPC client takes 4 MiB a message, and one image's labels alone can be that
 * large, as a thousand pulls' messages; a page that would exceed this ends early.
 */
const maxPageBytes = 2 * 1024 * 1024;

/** Of what a row has besides its longest texts. */
const otherBytes = 1024;

/** The first rows, as many as a page holds: at least one, where there is one. */
export function pageOf<Row>(
  rows: readonly Row[],
  pageSize: number,
  textsOf: (row: Row) => readonly string[],
): readonly Row[] {
  let bytes = 0;
  for (const [at, row] of rows.entries()) {
    bytes += textsOf(row).reduce((sum, text) => sum + Buffer.byteLength(text), otherBytes);
    if (at === pageSize || (at > 0 && bytes > maxPageBytes)) return rows.slice(0, at);
  }
  return rows;
}
