/** Lists that come in pages. */

import { BadAnswer } from "./errors.js";

/** The items of the page with this token, and the token of the next one, empty on the last. */
export type Page<T> = (token: string) => Promise<readonly [readonly T[], string]>;

/** Every item, the next page fetched when it is needed. Rejects with `BadAnswer` for a page that follows itself. */
export async function* each<T>(page: Page<T>, first: string): AsyncGenerator<T, void, undefined> {
  for (let token = first; ; ) {
    const [items, following] = await page(token);
    yield* items;
    if (!following) return;
    if (following === token) throw new BadAnswer("next_page_token", "names the page that it came with");
    token = following;
  }
}
