/** Reading what one has written: the tokens that a session's calls have to wait for. */

/** More tokens the gateway does not take with one call. */
const MOST = 8;

/**
 * The newest tokens of a session, and which readers (calls, by their names) have applied them. Of more than 8 the oldest
 * are forgotten: what they stand for is by then applied almost everywhere.
 */
export class Written {
  private tokens: string[] = [];
  private readonly appliedBy = new Map<string, Set<string>>();

  /** A command has answered with this token. */
  wrote(token: string): void {
    if (!token || this.tokens.includes(token)) return;
    this.tokens = [token, ...this.tokens].slice(0, MOST);
    for (const applied of this.appliedBy.values())
      for (const one of applied) if (!this.tokens.includes(one)) applied.delete(one);
  }

  /** The tokens that this reader waits for: those asked for, and those it is not known to have applied. */
  missing(reader: string, asked: readonly string[] = []): readonly string[] {
    const applied = this.appliedBy.get(reader);
    const own = this.tokens.filter((one) => !applied?.has(one));
    return [...new Set([...asked, ...own])].slice(0, MOST);
  }

  /** This reader has said that it has applied these. */
  applied(reader: string, tokens: readonly string[]): void {
    const known = this.appliedBy.get(reader) ?? new Set<string>();
    for (const one of tokens) if (this.tokens.includes(one)) known.add(one);
    this.appliedBy.set(reader, known);
  }
}
