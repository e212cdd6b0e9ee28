/** Server-sent events of a response. */

/**
 * The data of each event; the end of the response is the end. Rejects with what `lost` makes of a failure, as when
 * nothing came for `silenceMs`.
 */
export async function* dataOf(
  response: Response,
  silenceMs: number,
  lost: (failure: unknown) => Error,
): AsyncGenerator<string, void, undefined> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await heard(reader.read(), silenceMs).catch((failure: unknown) => {
        throw lost(failure);
      });
      if (done) return;
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      for (const event of events) if (/^data:/m.test(event)) yield dataIn(event);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The lines of an event that are its data, joined. */
function dataIn(event: string): string {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
}

/** What `work` gives, unless it takes longer. */
function heard<T>(work: Promise<T>, withinMs: number): Promise<T> {
  return new Promise((done, failed) => {
    const silence = setTimeout(() => failed(new Error(`nothing came for ${withinMs} ms`)), withinMs);
    work.then(done, failed).finally(() => clearTimeout(silence));
  });
}
