/** Waiting for what follows by itself, as an entitlement follows a paid order: no token stands for it. */

import { NotYet } from "./errors.js";

const PAUSE_MS = 100;

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** The first answer that holds, asked for every 100 ms. Rejects with `NotYet` after `deadlineMs`. */
export async function until<T>(ask: () => Promise<T>, holds: (found: T) => boolean, deadlineMs = 30_000): Promise<T> {
  for (const endsAtMs = Date.now() + deadlineMs; Date.now() < endsAtMs; await pause(PAUSE_MS)) {
    const found = await ask();
    if (holds(found)) return found;
  }
  throw new NotYet(deadlineMs);
}
