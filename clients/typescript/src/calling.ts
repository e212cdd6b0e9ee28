/** A call: what the contracts say of it, how it is to be made, and what comes back. */

/**
 * Whether a call may be sent again when nobody knows what became of the first: reads may, commands with an idempotency
 * key may, others may not.
 */
export type Repeats = "always" | "with_key" | "never";

/**
 * A method of the gateway. `body` is `*`, the one field that is the body, or empty. `isOpen`: it is answered without a
 * token. `takesToken`: it looks at one. `waits`: it waits for consistency tokens.
 */
export interface Call {
  readonly service: string;
  readonly name: string;
  readonly verb: string;
  readonly path: string;
  readonly body: string;
  readonly isOpen: boolean;
  readonly takesToken: boolean;
  readonly waits: boolean;
  readonly repeats: Repeats;
  /** It answers with many messages, as they come. */
  readonly streams?: boolean;
}

/** How one call is to be made. */
export interface How {
  /** For all attempts and pauses, of a stream up to its first message; 20,000 by default. */
  readonly deadlineMs?: number;
  /**
   * Stands for one wish: give the same when a wish is sent again later (as after `NoAnswer`). By default each call has a
   * new one, kept over its own attempts.
   */
  readonly idempotencyKey?: string;
  /** Consistency tokens to wait for, beside those that the session remembers. */
  readonly after?: readonly string[];
  /** Ends the call from outside. */
  readonly signal?: AbortSignal;
}

/**
 * `token` stands for what a command wrote. `isStale`: what the caller had written before was not all applied within the
 * wait (2 s), so ask again. `contentId` is said by `publish` only.
 */
export interface Answer<T> {
  readonly value: T;
  readonly token: string;
  readonly isStale: boolean;
  readonly requestId: string;
  readonly contentId: string;
}

/** Makes calls. */
export interface Caller {
  call<T>(call: Call, request: object, how: How): Promise<Answer<T>>;
  stream<T>(call: Call, request: object, how: How): AsyncGenerator<T, void, undefined>;
}
