/**
 * What a call can reject with: everything is a `LyceumError`. A refusal of the platform is the class of its code, with
 * `reason` (a word for programs, as `ALREADY_BOUGHT`), `field` (what it is about, if it is about one) and `requestId`
 * (what to quote when asking about it).
 */

export class LyceumError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** A request cannot be sent as it is: `field` is missing or of no use. Nothing was sent. */
export class BadRequest extends LyceumError {
  constructor(
    readonly field: string,
    said: string,
  ) {
    super(`${field} ${said}`);
  }
}

/** What answered does not speak as the contracts say. */
export class BadAnswer extends LyceumError {
  constructor(
    readonly at: string,
    said: string,
  ) {
    super(`${at}: ${said}`);
  }
}

/** The call needs a session: `logIn` first. */
export class NotLoggedIn extends LyceumError {
  constructor(readonly call: string) {
    super(`${call} needs a session; log in first`);
  }
}

/** What was waited for did not come in time. */
export class NotYet extends LyceumError {
  constructor(readonly deadlineMs: number) {
    super(`not within ${deadlineMs} ms`);
  }
}

export interface Attempted {
  readonly call: string;
  readonly attempts: number;
  readonly last: string;
  readonly idempotencyKey: string;
  readonly requestId: string;
}

/**
 * No answer came in the time or the attempts that the call had: a command may have been done or not. Sent again under
 * the same `idempotencyKey`, it is done once; the key is empty where the call takes none.
 */
export class NoAnswer extends LyceumError {
  readonly idempotencyKey: string;
  readonly requestId: string;
  readonly attempts: number;

  constructor(of: Attempted) {
    super(`${of.call}: no answer after ${of.attempts} attempts; last: ${of.last}`);
    this.idempotencyKey = of.idempotencyKey;
    this.requestId = of.requestId;
    this.attempts = of.attempts;
  }
}

export interface Refusal {
  readonly call: string;
  /** gRPC's. */
  readonly code: number;
  readonly status: number;
  readonly message: string;
  readonly reason: string;
  readonly field: string;
  readonly requestId: string;
  /** When the platform wants to be asked again; undefined where it did not say. */
  readonly retryAfterMs: number | undefined;
}

/** The platform answered, and refused. */
export class Refused extends LyceumError {
  readonly code: number;
  readonly status: number;
  readonly reason: string;
  readonly field: string;
  readonly requestId: string;
  readonly retryAfterMs: number | undefined;

  constructor(of: Refusal) {
    const told = [of.reason, of.field].filter(Boolean).join(", ");
    super(`${of.call}: ${of.message}${told ? ` (${told})` : ""}`);
    this.code = of.code;
    this.status = of.status;
    this.reason = of.reason;
    this.field = of.field;
    this.requestId = of.requestId;
    this.retryAfterMs = of.retryAfterMs;
  }
}

/** A field is missing or not allowed: `field` names it. */
export class InvalidArgument extends Refused {}
/** The platform ran out of the time that the call had. */
export class DeadlineExceeded extends Refused {}
/** There is no such thing, or the caller may not know of it. */
export class NotFound extends Refused {}
/** It is there already. */
export class AlreadyExists extends Refused {}
/** This caller may not do it. */
export class PermissionDenied extends Refused {}
/** A limit is reached: of requests (`retryAfterMs` says when to ask again), or of what there is to have. */
export class ResourceExhausted extends Refused {}
/** It cannot be done as things are: `reason` says why. */
export class FailedPrecondition extends Refused {}
/** Others wrote at the same time. */
export class Aborted extends Refused {}
/** The platform does not serve this call. */
export class Unimplemented extends Refused {}
/** The platform failed. */
export class Internal extends Refused {}
/** The platform cannot answer at the moment. */
export class Unavailable extends Refused {}
/** The access token, or the credentials, do not count. */
export class Unauthenticated extends Refused {}

const CLASSES: Readonly<Record<number, typeof Refused>> = {
  3: InvalidArgument,
  4: DeadlineExceeded,
  5: NotFound,
  6: AlreadyExists,
  7: PermissionDenied,
  8: ResourceExhausted,
  9: FailedPrecondition,
  10: Aborted,
  12: Unimplemented,
  13: Internal,
  14: Unavailable,
  16: Unauthenticated,
};

/** The refusal as the class of its code; `Refused` itself for the others. */
export function refused(of: Refusal): Refused {
  return new (CLASSES[of.code] ?? Refused)(of);
}
