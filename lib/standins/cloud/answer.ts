/** What an API answers to a request. */
export type Answer =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export const ok = (body: unknown = {}): Answer => ({ ok: true, body });
export const refused = (code: string, message: string): Answer => ({ ok: false, code, message });

/** A request's members, of whatever form. */
export type Input = Readonly<Record<string, unknown>>;

export const textIn = (input: Input, name: string): string =>
  typeof input[name] === "string" ? input[name] : "";
export const textsIn = (input: Input, name: string): readonly string[] =>
  Array.isArray(input[name]) ? input[name].filter((one) => typeof one === "string") : [];

const REGION = "eu-west-1";
const ACCOUNT = "123456789012";
export const arnOf = (service: string, rest: string): string =>
  `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;

/** Tells the time, in ms that only grow; a stand-in's things take their time by it. */
export type Now = () => number;
