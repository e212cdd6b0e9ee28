/** A caller's tokens: kept, renewed before they end, by one of all that wait. */

import { Written } from "./consistency.js";
import type { LogInResponse, RefreshSessionResponse } from "./messages/identity.js";

/** How long before its end an access token is renewed; at most half its life. */
const REFRESH_BEFORE_S = 60;

export interface Tokens {
  readonly access: string;
  readonly refresh: string;
  readonly freshUntilMs: number;
}

/** Exchanges a refresh token for new tokens. */
export type Renew = (refreshToken: string) => Promise<RefreshSessionResponse>;

/** `written` is what the session has written. */
export class Session {
  tokens: Tokens | undefined;
  written = new Written();
  private renewing: Promise<void> | undefined;

  constructor(
    private readonly renewBy: Renew,
    private readonly clockMs: () => number,
  ) {}

  /** Begin anew with these tokens. */
  begin(found: LogInResponse): void {
    this.written = new Written();
    this.keep(found);
  }

  /** A fresh access token; empty without a session. Rejects with what renewing it rejects with. */
  async accessToken(): Promise<string> {
    if (this.tokens && this.clockMs() >= this.tokens.freshUntilMs) await this.renew(this.tokens.access);
    return this.tokens?.access ?? "";
  }

  /**
   * New tokens, unless somebody renewed them since `used` was sent. A refresh token is good once, so all that wait share
   * one refresh, and it goes on when one of them gives up: a refresh whose answer nobody keeps would cost the session.
   */
  async renew(used: string): Promise<void> {
    const { tokens } = this;
    if (tokens?.access !== used) return;
    this.renewing ??= this.renewed(tokens).finally(() => (this.renewing = undefined));
    await this.renewing;
  }

  private async renewed(tokens: Tokens): Promise<void> {
    const found = await this.renewBy(tokens.refresh);
    if (this.tokens === tokens) this.keep(found); // nobody logged in or out meanwhile
  }

  private keep(found: LogInResponse | RefreshSessionResponse): void {
    const leftS = Math.max(found.expires_in_s - REFRESH_BEFORE_S, found.expires_in_s / 2);
    const freshUntilMs = this.clockMs() + leftS * 1000;
    this.tokens = { access: found.access_token, refresh: found.refresh_token, freshUntilMs };
  }
}
