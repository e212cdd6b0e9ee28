/** A message as an HTTP request, and an HTTP response as a message or a refusal. */

import type { Answer, Call } from "./calling.js";
import { BadAnswer, BadRequest, type Refused, refused } from "./errors.js";

type Json = Record<string, unknown>;

/** What is sent, but for headers. */
export interface Request {
  readonly verb: string;
  readonly target: string;
  readonly body: string | undefined;
}

/** gRPC's code where something before the gateway answered without one. */
const CODES: Readonly<Record<number, number>> = {
  400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 413: 3, 429: 8, 501: 12, 502: 14, 503: 14, 504: 4,
};

/** The request for a call. Throws `BadRequest` for an empty field of the path. */
export function requestOf(call: Call, message: object): Request {
  const fields: Json = { ...message };
  const path = call.path.replace(/{(\w+)}/g, (_, name: string) => {
    const value = fields[name];
    delete fields[name];
    if (typeof value !== "string" || !value) throw new BadRequest(name, "is missing");
    return encodeURIComponent(value);
  });
  if (call.body === "*") return { verb: call.verb, target: path, body: JSON.stringify(fields) };
  const body = call.body ? JSON.stringify(fields[call.body] ?? {}) : undefined;
  if (call.body) delete fields[call.body];
  const query = new URLSearchParams(parameters(fields)).toString();
  return { verb: call.verb, target: query ? `${path}?${query}` : path, body };
}

/** A list is named for each item, a field of a message after a dot. */
function parameters(fields: object, above = ""): [string, string][] {
  return Object.entries(fields).flatMap(([name, value]): [string, string][] => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.map((one) => [above + name, String(one)]);
    return typeof value === "object" ? parameters(value, `${above}${name}.`) : [[above + name, String(value)]];
  });
}

/** The answer of a call that was not refused. Rejects with `BadAnswer`. */
export async function answerOf<T>(call: Call, response: Response, requestId: string): Promise<Answer<T>> {
  const value = await objectOf(response);
  if (!value) throw new BadAnswer(call.name, "no JSON object");
  const { headers } = response;
  return {
    value: value as T,
    token: headers.get("x-lyceum-token") ?? text(value["consistency_token"]),
    isStale: headers.get("x-lyceum-stale") === "true",
    requestId: headers.get("x-request-id") ?? requestId,
    contentId: headers.get("x-lyceum-content-id") ?? "",
  };
}

/** A message of a stream. Throws `BadAnswer`. */
export function messageOf<T>(call: Call, data: string): T {
  const found = parsed(data);
  if (!found) throw new BadAnswer(call.name, "no JSON object");
  return found as T;
}

/** The refusal that a response is; also of what is not ours and stands before the gateway. */
export async function refusalOf(call: Call, response: Response, requestId: string): Promise<Refused> {
  const body = (await objectOf(response)) ?? {};
  const details: unknown[] = Array.isArray(body["details"]) ? body["details"] : [];
  const info = details.filter(isObject).find((one) => "reason" in one) ?? {};
  const metadata = isObject(info["metadata"]) ? info["metadata"] : {};
  return refused({
    call: call.name,
    code: typeof body["code"] === "number" && body["code"] ? body["code"] : (CODES[response.status] ?? 2),
    status: response.status,
    message: text(body["message"]) || `status ${response.status}`,
    reason: text(info["reason"]),
    field: text(metadata["field"]),
    requestId: response.headers.get("x-request-id") ?? requestId,
    retryAfterMs: seconds(response.headers.get("retry-after")),
  });
}

const objectOf = async (response: Response): Promise<Json | undefined> => parsed(await response.text());

function parsed(said: string): Json | undefined {
  try {
    const found: unknown = JSON.parse(said);
    return isObject(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isObject(found: unknown): found is Json {
  return typeof found === "object" && found !== null && !Array.isArray(found);
}

const text = (found: unknown): string => (typeof found === "string" ? found : "");
const seconds = (told: string | null): number | undefined => (told && /^\d+$/.test(told) ? Number(told) * 1000 : undefined);
