/**
 * From two new accounts to the first sale: a creator publishes and prices, a member buys and reads.
 *
 *     node first_sale.js http://127.0.0.1:8080
 *
 * Prints one line for each step. The payment is made at the simulator of the local stack: elsewhere a person pays at
 * `pay_url`.
 */

import { FailedPrecondition, Lyceum, NotFound, until } from "../src/index.js";
import type { Order } from "../src/messages/billing.js";

declare const process: { readonly argv: readonly string[] };

const PASSWORD = "password123";
const TITLE = "Python编程基础";
const PRICE = { amount_minor: "9900", currency: "CNY" };

/** Register an account and log in with it. Gives the member id. */
async function joined(lyceum: Lyceum, role: "creator" | "consumer"): Promise<string> {
  const username = `${role}-${crypto.randomUUID().slice(0, 13)}`;
  await lyceum.identity.register({ username, password: PASSWORD, role });
  return (await lyceum.logIn(username, PASSWORD)).member_id;
}

/** Publish a paid text and price it. Gives its content id. */
async function onSale(creator: Lyceum): Promise<string> {
  const text = { kind: "text", title: TITLE, body: "变量、循环与函数。", access: "paid" };
  const { content_id } = (await creator.catalog.publishContent(text)).value;
  const product = { product_id: content_id, title: TITLE, pricing: "fixed", price: PRICE };
  // Billing waits for the publication (the session remembers its token), for 2 s at most.
  const priced = (): Promise<boolean> =>
    creator.billing.priceProduct(product).then(
      () => true,
      (failure: unknown) => {
        if (failure instanceof NotFound) return false;
        throw failure;
      },
    );
  await until(priced, (isPriced) => isPriced);
  return content_id;
}

/** Order the content and pay. Gives the paid order. */
async function bought(buyer: Lyceum, contentId: string): Promise<Order> {
  const { quote } = (await buyer.billing.createQuote({ product_id: contentId })).value;
  const { order_id } = (await buyer.billing.placeOrder({ quote })).value;
  const payment = (await buyer.billing.startPayment({ order_id, provider: "simulator" })).value;
  const page = await fetch(payment.pay_url, { method: "POST", signal: AbortSignal.timeout(30_000) });
  if (!page.ok) throw new Error(`the simulator answered ${page.status}`);
  const order = async () => (await buyer.billing.getOrder({ order_id })).value.order;
  const paid = await until(order, (one) => one?.status === "paid");
  if (!paid) throw new Error("never: it was looked at");
  return paid;
}

/** Why the same is not bought a second time. */
async function refusedTwice(buyer: Lyceum, contentId: string): Promise<string> {
  try {
    await bought(buyer, contentId);
  } catch (refusal) {
    if (refusal instanceof FailedPrecondition) return refusal.reason;
    throw refusal;
  }
  return "";
}

const url = process.argv[2] ?? "http://127.0.0.1:8080";
const [creator, buyer] = [new Lyceum(url), new Lyceum(url)];
await joined(creator, "creator");
const memberId = await joined(buyer, "consumer");
const contentId = await onSale(creator);
console.log(`on sale: ${contentId}`);
const order = await bought(buyer, contentId);
console.log(`${order.status}: ${order.order_id} by ${memberId}, ${order.charged?.amount_minor} ${order.charged?.currency}`);
const content = async () => (await buyer.catalog.getContent({ content_id: contentId })).value;
console.log(`reads: ${(await until(content, (one) => one.access?.allowed === true)).body}`);
const orders: string[] = [];
for await (const one of buyer.billing.iterOrders()) orders.push(one.order_id);
console.log(`orders: ${orders.join(",")}`);
console.log(`again: ${await refusedTwice(buyer, contentId)}`);
await Promise.all([creator.logOut(), buyer.logOut()]);
