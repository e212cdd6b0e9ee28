/** The client: one caller's session with the gateway. */

import type { How } from "./calling.js";
import { BadRequest } from "./errors.js";
import type { LogInResponse } from "./messages/identity.js";
import { type Around, Sender } from "./sending.js";
import { Billing } from "./services/billing.js";
import { Catalog } from "./services/catalog.js";
import { Identity } from "./services/identity.js";
import { Metrics } from "./services/metrics.js";
import { Notifications } from "./services/notifications.js";
import { Reco } from "./services/reco.js";
import { Session } from "./session.js";
import { pause } from "./waiting.js";

/** Within 10 s identity answers a refresh that is sent again alike. */
const REFRESH: How = { deadlineMs: 8_000 };

export interface Options extends Partial<Omit<Around, "url">> {
  readonly clockMs?: () => number;
}

/**
 * A session with the gateway at `url`. Calls wait for what this session has written before, wherever it was written, and
 * reject with `LyceumError` only.
 */
export class Lyceum {
  readonly billing: Billing;
  readonly catalog: Catalog;
  readonly identity: Identity;
  readonly metrics: Metrics;
  readonly notifications: Notifications;
  readonly reco: Reco;
  private readonly session: Session;

  constructor(url: string, options: Options = {}) {
    if (!/^https?:\/\//.test(url)) throw new BadRequest("url", "does not begin with http:// or https://");
    const { clockMs = () => performance.now(), ...around } = options;
    this.session = new Session((token) => this.refreshed(token), clockMs);
    const usual = { fetch: (...asked: Parameters<typeof fetch>) => fetch(...asked), pause };
    const sender = new Sender({ ...usual, ...around, url: url.replace(/\/+$/, "") }, this.session);
    this.billing = new Billing(sender);
    this.catalog = new Catalog(sender);
    this.identity = new Identity(sender);
    this.metrics = new Metrics(sender);
    this.notifications = new Notifications(sender);
    this.reco = new Reco(sender);
  }

  /**
   * Begin a session, in place of the one before. The password is not kept: when the session ends, calls reject with
   * `Unauthenticated`.
   */
  async logIn(username: string, password: string): Promise<LogInResponse> {
    const { value } = await this.identity.logIn({ username, password });
    this.session.begin(value);
    return value;
  }

  /** End the session on the platform and here; nothing without one. */
  async logOut(): Promise<void> {
    const { tokens } = this.session;
    if (!tokens) return;
    await this.identity.revokeSession({ refresh_token: tokens.refresh });
    this.session.tokens = undefined;
  }

  private async refreshed(refreshToken: string) {
    return (await this.identity.refreshSession({ refresh_token: refreshToken }, REFRESH)).value;
  }
}
