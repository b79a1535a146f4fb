import { BangerError } from "../base/error.ts";

/** The pages that a command asks for: as many items as an answer may have. */
export const pageSize = 1000;

/** All pages of a list, one call after the other. */
export async function allPages<Page extends { readonly nextPageToken: string }>(
  fetchPage: (pageToken: string) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = [];
  const seen = new Set<string>();
  let token = "";
  do {
    const page = await fetchPage(token);
    pages.push(page);
    token = page.nextPageToken;
    if (seen.has(token)) {
      throw new BangerError("INTERNAL", "the daemon's list does not end: a page came twice", { op: "list" });
    }
    seen.add(token);
  } while (token !== "");
  return pages;
}
