/** When a call is sent again, and after how long. */

import type { Repeats } from "./calling.js";
import { type Refused, ResourceExhausted, Unauthenticated } from "./errors.js";

export const MAX_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 3_000;
const PASSING = new Set([429, 502, 503, 504]);
/** Codes of Node for a request that never left. Browsers do not tell. */
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

/**
 * Before the attempt after `attempt` (1 is the first): doubled each time up to 3 s, of which a random half to all, so
 * that many clients do not come back at once; never before `retryAfterMs`.
 */
export function pauseMs(attempt: number, retryAfterMs = 0, chance: () => number = Math.random): number {
  const backoffMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.5 + chance() / 2);
  return Math.max(backoffMs, retryAfterMs * (1 + chance() / 10));
}

/** Whether a call whose answer did not come may be sent again: always, if it was never sent. */
export function mayFollowFailure(repeats: Repeats, failure: unknown): boolean {
  return repeats !== "never" || NOT_SENT.has(codeOf(failure));
}

/** Whether a refused call may be sent again with hope. A limit of requests refuses before anything begins. */
export function mayFollowRefusal(repeats: Repeats, refusal: Refused): boolean {
  if (refusal instanceof ResourceExhausted) return refusal.retryAfterMs !== undefined;
  if (repeats === "never" || refusal instanceof Unauthenticated) return false;
  return PASSING.has(refusal.status) || refusal.reason === "CONTENTION";
}

function codeOf(failure: unknown): string {
  const cause = failure instanceof Error ? (failure.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === "string" ? cause.code : "";
}
