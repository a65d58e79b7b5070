/**
 * What a label, a file or an answer may put into the engine's configuration, its maps and its commands: nothing that
 * could end a word, a line, a command, or begin a comment, a quote or an expression.
 */
const TOKEN = /^[A-Za-z0-9._*:/-]+$/;
/** Longer than any name with any path; far shorter than the engine's buffer. */
const MAX_TOKEN = 600;

/** Text that is safe to hand to the engine. Only this file makes it. */
export type EngineText = string & { readonly [engineText]: true };
declare const engineText: unique symbol;

/** Something that has no place in what the engine reads. Our own fault, always: what labels hold was judged before. */
export class UnsafeToken extends Error {
  override readonly name = "UnsafeToken";
}

/**
 * The one way into a configuration, a map or a command: the literal parts are ours, each value must be a single token
 * (letters, digits and `._*:/-`), or text that came from here. Throws `UnsafeToken` for any other.
 */
export function engine(
  literals: TemplateStringsArray,
  ...values: readonly (string | number)[]
): EngineText {
  let text = literals[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += safe(value) + (literals[index + 1] ?? "");
  }
  return text as EngineText;
}

function safe(value: string | number): string {
  const text = String(value);
  if (text.length > MAX_TOKEN || !TOKEN.test(text)) {
    throw new UnsafeToken(
      `expected a token of letters, digits and ._*:/- for the engine, got ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
  return text;
}

/** Several of them as one text, without anything between them. */
export const joined = (...parts: readonly EngineText[]): EngineText => parts.join("") as EngineText;

/** Several of them, each on a line of its own. */
export const engineLines = (lines: readonly EngineText[]): EngineText =>
  lines.map((line) => `${line}\n`).join("") as EngineText;

/** Several commands as one. */
export const engineBatch = (commands: readonly EngineText[]): EngineText =>
  commands.join("; ") as EngineText;

const PEM =
  /^(?:-----BEGIN ((?:EC |RSA )?PRIVATE KEY|CERTIFICATE)-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END \1-----\n)+$/;
/** A key and a chain of certificates are some kilobytes. */
const MAX_PEM = 65_536;

/**
 * A certificate with its key as the payload of a command: nothing but PEM blocks without a blank line, because a blank
 * line ends a payload. Throws `UnsafeToken` for any other text.
 */
export function engineSecret(command: EngineText, pem: string): EngineText {
  if (pem.length > MAX_PEM || !PEM.test(pem)) {
    throw new UnsafeToken("expected PEM blocks of a key and its certificates, and nothing else");
  }
  return `${command} <<\n${pem}\n` as EngineText;
}

/** A command whose payload is one line of tokens. */
export const enginePayload = (command: EngineText, line: EngineText): EngineText =>
  `${command} <<\n${line}\n\n` as EngineText;
