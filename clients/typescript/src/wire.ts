/** How JSON of protobuf writes what JavaScript has no type for. */

/** A whole number of 64 bits, in digits: `BigInt(amount)` where it is reckoned with. */
export type Int64 = string;

/** A time, RFC 3339: `2026-01-02T03:04:05Z`. */
export type Timestamp = string;

/** Bytes, in base64. */
export type Base64 = string;

/** A number; what is none has a text. */
export type Double = number | "NaN" | "Infinity" | "-Infinity";

/** A message as a request takes it: what is left out has its default, which a service refuses where it needs more. */
export type Input<T> = T extends readonly (infer Item)[]
  ? readonly Input<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]?: Input<T[Name]> | undefined }
    : T;
