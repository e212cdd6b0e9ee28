/** All attempts at a call: one idempotency key, one request id, one deadline. */

import type { Answer, Call, Caller, How } from "./calling.js";
import { LyceumError, NoAnswer, NotLoggedIn } from "./errors.js";
import { answerOf, messageOf, refusalOf, type Request, requestOf } from "./requests.js";
import { MAX_ATTEMPTS, mayFollowFailure, mayFollowRefusal, pauseMs } from "./retrying.js";
import type { Session } from "./session.js";
import { dataOf } from "./streaming.js";

const DEADLINE_MS = 20_000;
const MAX_TOLD_MS = 99_999_999;
/** The platform says something at least every 15 s while a stream is open. */
const SILENCE_MS = 45_000;

/** What the client is made with; all but `url` has a default. */
export interface Around {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly pause: (ms: number) => Promise<void>;
}

class Attempts {
  made = 0;
  last = "no time was left";
  /** A stream has begun, for which the deadline counts no more. */
  isOpen = false;
  readonly requestId = crypto.randomUUID();
  readonly key: string;
  readonly after: readonly string[];
  readonly signal: AbortSignal;
  private readonly endsAtMs: number;

  constructor(
    readonly call: Call,
    readonly request: Request,
    how: How,
    session: Session,
  ) {
    const deadlineMs = how.deadlineMs ?? DEADLINE_MS;
    this.key = call.repeats === "with_key" ? (how.idempotencyKey ?? crypto.randomUUID()) : "";
    this.after = call.waits ? session.written.missing(readerOf(call), how.after) : [];
    this.endsAtMs = Date.now() + deadlineMs;
    const ending = new AbortController();
    const late = AbortSignal.timeout(deadlineMs);
    late.addEventListener("abort", () => this.isOpen || ending.abort(late.reason), { once: true });
    this.signal = how.signal ? AbortSignal.any([how.signal, ending.signal]) : ending.signal;
  }

  get leftMs(): number {
    return this.endsAtMs - Date.now();
  }

  noAnswer(): NoAnswer {
    const { made: attempts, last, key: idempotencyKey, requestId } = this;
    return new NoAnswer({ call: this.call.name, attempts, last, idempotencyKey, requestId });
  }

  /** What a failure between two messages is for the caller. */
  lost(failure: unknown): NoAnswer {
    this.last = failure instanceof Error ? failure.message : String(failure);
    return this.noAnswer();
  }

  /** What `work` gives, unless the call's time ends before. */
  within<T>(work: Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      const late = (): void => failed(this.noAnswer());
      if (this.signal.aborted) late();
      this.signal.addEventListener("abort", late, { once: true });
      work.then(done, failed).finally(() => this.signal.removeEventListener("abort", late));
    });
  }
}

/** Makes calls for a session. */
export class Sender implements Caller {
  constructor(
    private readonly around: Around,
    private readonly session: Session,
  ) {}

  /** The answer of a call. Rejects with `LyceumError`: the refusal, or `NoAnswer` when time or attempts are over. */
  async call<T>(call: Call, request: object, how: How): Promise<Answer<T>> {
    const attempts = new Attempts(call, requestOf(call, request), how, this.session);
    const response = await attempts.within(this.answered(attempts));
    const answer = await attempts.within(answerOf<T>(call, response, attempts.requestId));
    if (response.headers.get("x-lyceum-stale") === "false")
      this.session.written.applied(readerOf(call), attempts.after);
    this.session.written.wrote(answer.token);
    return answer;
  }

  /**
   * What comes, until the platform ends it. Rejects with `LyceumError`: the refusal, or `NoAnswer` when it was not opened
   * in time, the connection is lost, or nothing came for `SILENCE_MS`.
   */
  async *stream<T>(call: Call, request: object, how: How): AsyncGenerator<T, void, undefined> {
    const attempts = new Attempts(call, requestOf(call, request), how, this.session);
    const response = await attempts.within(this.answered(attempts));
    attempts.isOpen = true;
    for await (const data of dataOf(response, SILENCE_MS, (lost) => attempts.lost(lost))) yield messageOf<T>(call, data);
  }

  /** The first response that is no refusal, after pauses. Rejects with the refusal, `NoAnswer`. */
  private async answered(attempts: Attempts): Promise<Response> {
    for (attempts.made = 1; attempts.made <= MAX_ATTEMPTS && !attempts.signal.aborted; attempts.made += 1) {
      let retryAfterMs: number | undefined;
      try {
        const response = await this.sent(attempts);
        if (response.ok) return response;
        retryAfterMs = await this.hope(attempts, response);
      } catch (failure) {
        if (failure instanceof LyceumError) throw failure;
        attempts.last = failure instanceof Error ? failure.message : String(failure);
        if (!mayFollowFailure(attempts.call.repeats, failure)) throw attempts.noAnswer();
      }
      if (attempts.made < MAX_ATTEMPTS) await this.around.pause(pauseMs(attempts.made, retryAfterMs));
    }
    attempts.made = Math.min(attempts.made, MAX_ATTEMPTS);
    throw attempts.noAnswer();
  }

  /** How long to wait if asking again may help. Rejects with the refusal where it would not, or no time is left. */
  private async hope(attempts: Attempts, response: Response): Promise<number | undefined> {
    const refusal = await refusalOf(attempts.call, response, attempts.requestId);
    const isOver = attempts.made >= MAX_ATTEMPTS || attempts.leftMs <= (refusal.retryAfterMs ?? 0);
    if (isOver || !mayFollowRefusal(attempts.call.repeats, refusal)) throw refusal;
    attempts.last = refusal.message;
    return refusal.retryAfterMs;
  }

  /** One attempt; a second one with a new access token where the first one's did not count. */
  private async sent(attempts: Attempts): Promise<Response> {
    const bearer = await this.bearer(attempts.call);
    const response = await this.fetched(attempts, bearer);
    if (response.status !== 401 || !bearer) return response;
    await response.body?.cancel();
    await this.session.renew(bearer);
    return this.fetched(attempts, await this.bearer(attempts.call));
  }

  private async bearer(call: Call): Promise<string> {
    const bearer = call.takesToken ? await this.session.accessToken() : "";
    if (!bearer && !call.isOpen) throw new NotLoggedIn(call.name);
    return bearer;
  }

  private fetched(attempts: Attempts, bearer: string): Promise<Response> {
    const { verb: method, target, body } = attempts.request;
    const headers = headersOf(attempts, bearer);
    const { signal } = attempts;
    return this.around.fetch(this.around.url + target, { method, headers, signal, ...(body === undefined ? {} : { body }) });
  }
}

/** The time that is left goes along, so that the platform gives up when the caller does. */
function headersOf(attempts: Attempts, bearer: string): Record<string, string> {
  const leftMs = Math.min(Math.max(Math.trunc(attempts.leftMs), 1), MAX_TOLD_MS);
  const told = {
    "content-type": attempts.request.body === undefined ? "" : "application/json",
    "x-request-id": attempts.requestId,
    "grpc-timeout": attempts.call.streams ? "" : `${leftMs}m`,
    authorization: bearer && `Bearer ${bearer}`,
    "idempotency-key": attempts.key,
    "x-lyceum-after": attempts.after.join(","),
  };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value));
}

/** What a token is applied in differs between calls of a service: each reads tables of its own. */
const readerOf = (call: Call): string => `${call.service}.${call.name}`;
