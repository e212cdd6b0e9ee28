/** What is built into each call: repetition, keys, deadlines, tokens, errors. The gateway is a function here. */

import assert from "node:assert/strict";
import test from "node:test";

const { BadAnswer, BadRequest, FailedPrecondition, Lyceum, NoAnswer, NotLoggedIn, ResourceExhausted, Unauthenticated } =
  await import(process.env.LYCEUM_CLIENT);

const TEXT = { kind: "text", title: "t", body: "b", access: "free" };
const PUBLISHED = { content_id: "c1", consistency_token: "catalog.AAA" };

const ok = (body, headers = {}) => [200, body, headers];
const refused = (status, code, reason, headers = {}) => [status, { code, message: reason, details: [{ reason, metadata: { field: "f" } }] }, headers];

/** Answers with what is laid out, one after the other (the last one again), and keeps what it was sent. */
function gateway(...answers) {
  const made = { sent: [], pauses: [], nowMs: 0, refreshes: 0 };
  const tokens = (n) => Response.json({ access_token: `a${n}`, refresh_token: `r${n}`, expires_in_s: 900, member_id: "m1" });
  const answering = async (url, { method, headers, body, signal }) => {
    if (url.endsWith("/v1/sessions")) return tokens(0);
    if (url.endsWith(":refresh")) {
      await null;
      assert.equal(JSON.parse(body).refresh_token, `r${made.refreshes}`);
      return tokens((made.refreshes += 1));
    }
    made.sent.push({ url, method, headers, body });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === "never") return new Promise((_, failed) => signal.addEventListener("abort", () => failed(signal.reason)));
    if (answer instanceof Error) throw answer;
    const [status, said, more] = answer;
    return new Response(typeof said === "string" ? said : JSON.stringify(said), { status, headers: more });
  };
  const pause = async (ms) => void made.pauses.push(ms);
  made.stranger = (more = {}) => new Lyceum("http://gateway", { fetch: answering, pause, clockMs: () => made.nowMs, ...more });
  made.joined = async (more) => {
    const lyceum = made.stranger(more);
    await lyceum.logIn("wang", "secret");
    return lyceum;
  };
  made.told = (name) => made.sent.map((one) => one.headers[name]);
  return made;
}

test("a command keeps its key and id over attempts, and the next has others", async () => {
  const at = gateway(new TypeError("fetch failed"), [502, "proxy", {}], ok(PUBLISHED));
  const lyceum = await at.joined();
  await lyceum.catalog.publishContent(TEXT);
  await lyceum.catalog.publishContent(TEXT);
  const keys = at.told("idempotency-key");
  assert.equal(keys.length, 4);
  assert.ok(keys[0]);
  assert.deepEqual(new Set(keys.slice(0, 3)).size, 1);
  assert.notEqual(keys[3], keys[0]);
  assert.equal(new Set(at.told("x-request-id").slice(0, 3)).size, 1);
});

test("a command without a key is not sent again when nobody knows what became of it", async () => {
  const at = gateway(new TypeError("fetch failed"));
  const lyceum = await at.joined();
  await assert.rejects(lyceum.catalog.recordInteractions({}), NoAnswer);
  assert.equal(at.sent.length, 1);
});

for (const first of [new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } }), refused(429, 8, "TOO_MANY_CALLS", { "retry-after": "2" })])
  test("what never began may always be sent again", async () => {
    const at = gateway(first, ok({ results: [] }));
    await (await at.joined()).catalog.recordInteractions({});
    assert.equal(at.sent.length, 2);
  });

test("Retry-After is waited for, and attempts are bounded", async () => {
  const at = gateway(refused(429, 8, "TOO_MANY_CALLS", { "retry-after": "2" }));
  await assert.rejects(at.stranger().catalog.listContents(), ResourceExhausted);
  assert.equal(at.sent.length, 6);
  assert.ok(at.pauses.length === 5 && at.pauses.every((ms) => ms >= 2000 && ms <= 2200));
});

test("nothing is waited for that lies behind the deadline", async () => {
  const at = gateway(refused(429, 8, "TOO_MANY_CALLS", { "retry-after": "60" }));
  await assert.rejects(at.stranger().catalog.listContents({}, { deadlineMs: 5000 }), ResourceExhausted);
  assert.deepEqual(at.pauses, []);
});

test("a call ends by its deadline and tells the platform when", async () => {
  const at = gateway("never");
  // Node does not wait for the timer of a signal alone, as a browser's page would.
  const awake = setInterval(() => undefined, 1000);
  await assert.rejects(at.stranger().catalog.listContents({}, { deadlineMs: 50 }), NoAnswer);
  clearInterval(awake);
  const [told] = at.told("grpc-timeout");
  assert.ok(parseInt(told) >= 1 && parseInt(told) <= 50 && told.endsWith("m"));
});

test("many calls renew a token before its end once", async () => {
  const at = gateway(ok({ contents: [] }));
  const lyceum = await at.joined();
  at.nowMs = 841_000;
  await Promise.all(Array.from({ length: 5 }, () => lyceum.catalog.listContents()));
  assert.equal(at.refreshes, 1);
  assert.deepEqual(new Set(at.told("authorization")), new Set(["Bearer a1"]));
});

test("a token that does not count any more is renewed, and the call made again", async () => {
  const at = gateway(refused(401, 16, "UNAUTHENTICATED"), ok(PUBLISHED));
  await (await at.joined()).catalog.publishContent(TEXT);
  assert.deepEqual(at.told("authorization"), ["Bearer a0", "Bearer a1"]);
  const never = gateway(refused(401, 16, "UNAUTHENTICATED"));
  await assert.rejects((await never.joined()).catalog.publishContent(TEXT), Unauthenticated);
  assert.equal(never.sent.length, 2);
});

test("without a session only open calls are made", async () => {
  const at = gateway(ok({ contents: [] }));
  await at.stranger().catalog.listContents();
  await assert.rejects(at.stranger().billing.listOrders(), NotLoggedIn);
  assert.deepEqual(at.told("authorization"), [undefined]);
});

test("a read waits for what the session wrote until it has it", async () => {
  const stale = (said) => ok({ contents: [] }, { "x-lyceum-stale": said });
  const at = gateway(ok(PUBLISHED, { "x-lyceum-token": "catalog.AAA" }), stale("true"), stale("false"), ok({ contents: [] }));
  const lyceum = await at.joined();
  assert.equal((await lyceum.catalog.publishContent(TEXT)).token, "catalog.AAA");
  const found = [];
  for (let n = 0; n < 3; n += 1) found.push((await lyceum.catalog.listContents()).isStale);
  assert.deepEqual(found, [true, false, false]);
  assert.deepEqual(at.told("x-lyceum-after"), [undefined, "catalog.AAA", "catalog.AAA", undefined]);
});

test("a refusal is its class with reason and field; what stands before the gateway is understood too", async () => {
  const lyceum = await gateway(refused(400, 9, "ALREADY_BOUGHT")).joined();
  await assert.rejects(lyceum.billing.placeOrder({}), (refusal) => {
    assert.ok(refusal instanceof FailedPrecondition);
    assert.deepEqual([refusal.reason, refusal.field, refusal.name], ["ALREADY_BOUGHT", "f", "FailedPrecondition"]);
    return true;
  });
  await assert.rejects(gateway([200, "<html>", {}]).stranger().catalog.listContents(), BadAnswer);
});

test("fields go where the contract says", async () => {
  const at = gateway(ok({}));
  const lyceum = await at.joined();
  await lyceum.catalog.recordInteraction({ content_id: "a/b", interaction: { kind: "view", watched_ms: "3" } });
  await lyceum.metrics.getRevenue({ as_of: "2026-01-02T03:04:05Z" });
  const [posted, asked] = at.sent;
  assert.equal(posted.url, "http://gateway/v1/contents/a%2Fb/interactions");
  assert.deepEqual(JSON.parse(posted.body), { kind: "view", watched_ms: "3" });
  assert.equal(new URL(asked.url).searchParams.get("as_of"), "2026-01-02T03:04:05Z");
  await assert.rejects(lyceum.billing.getOrder({}), (refusal) => refusal instanceof BadRequest && refusal.field === "order_id");
  assert.equal(at.sent.length, 2);
});

test("a page that follows itself ends the list", async () => {
  const page = (order_id, next_page_token) => ok({ orders: [{ order_id }], next_page_token });
  const ids = async (lyceum) => {
    const found = [];
    for await (const one of lyceum.billing.iterOrders()) found.push(one.order_id);
    return found;
  };
  assert.deepEqual(await ids(await gateway(page("1", "t1"), page("2", "")).joined()), ["1", "2"]);
  await assert.rejects(ids(await gateway(page("1", "t1")).joined()), BadAnswer);
});

test("an answer names the id that the gateway gave, and one that it did not tell is ours", async () => {
  const at = gateway(ok({ contents: [] }, { "x-request-id": "of-the-gateway" }), ok({ contents: [] }));
  const lyceum = at.stranger();
  const ids = [(await lyceum.catalog.listContents()).requestId, (await lyceum.catalog.listContents()).requestId];
  assert.deepEqual(ids, ["of-the-gateway", at.told("x-request-id")[1]]);
});

const events = (...messages) => ok(messages.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""), { "content-type": "text/event-stream" });

test("a stream gives its messages and ends where the platform ends it", async () => {
  const at = gateway(refused(503, 14, "STOPPING"), events({ alive: true }, { notification: { kind: "order_paid" } }));
  const told = [];
  for await (const one of (await at.joined()).notifications.watchNotifications({ after: "n1" })) told.push(one);
  assert.deepEqual(told, [{ alive: true }, { notification: { kind: "order_paid" } }]);
  assert.deepEqual(at.told("grpc-timeout"), [undefined, undefined], "it would end an open stream");
  assert.match(at.sent[1].url, /after=n1$/);
});

test("a stream that is refused or makes no sense says so", async () => {
  const limited = await gateway(refused(429, 8, "TOO_MANY_STREAMS", { "retry-after": "60" })).joined();
  await assert.rejects(limited.notifications.watchNotifications({}).next(), ResourceExhausted);
  const garbled = await gateway(ok("data: <html>\n\n")).joined();
  await assert.rejects(garbled.notifications.watchNotifications({}).next(), BadAnswer);
});

test("a stream whose connection is lost ends with no answer", async () => {
  const body = new ReadableStream({
    start(pipe) {
      pipe.enqueue(new TextEncoder().encode('data: {"alive":true}\n\n'));
    },
    pull(pipe) {
      pipe.error(new Error("reset"));
    },
  });
  const at = gateway(ok({}));
  const lyceum = await at.joined({ fetch: async (url) => (url.endsWith("/v1/sessions") ? Response.json({ access_token: "a", refresh_token: "r", expires_in_s: 900 }) : new Response(body)) });
  const stream = lyceum.notifications.watchNotifications({});
  await assert.rejects(async () => { for await (const one of stream) assert.ok(one); }, NoAnswer);
});
