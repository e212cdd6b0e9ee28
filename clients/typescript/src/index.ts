export type { Answer, How } from "./calling.js";
export { Lyceum, type Options } from "./client.js";
export * from "./errors.js";
export type { Base64, Double, Input, Int64, Timestamp } from "./wire.js";
export { until } from "./waiting.js";
