/**
 * What to keep of a JSON text: `true` a string, number, boolean or null; `each` the same of every element of a list;
 * an object or a function of the key what to keep of an object's members. Everything else is passed over.
 */
export type Pick =
  | true
  | { readonly each: Pick }
  | { readonly members: Readonly<Record<string, Pick>> | ((key: string) => Pick | undefined) };

export interface JsonPicker {
  /** The next piece of the text, wherever it was cut. May throw a `SyntaxError` once it can be no JSON. */
  write(bytes: Uint8Array): void;
  /** What was kept, at the text's end: objects without a prototype. Throws a `SyntaxError` when the text is not whole. */
  end(): unknown;
}

export interface PickLimits {
  /** Of a kept string only so many bytes, as they are written, are kept: its beginning. */
  readonly mostOfString?: number;
  /** Of a text longer than 64 KiB: throws a `RangeError` once more bytes than this are kept. */
  readonly mostKept?: number;
}

const MOST_OF_STRING = 131_072;
const MOST_KEPT = 67_108_864;
/** The longest number that a double needs, many times over. */
const MOST_OF_WORD = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

interface Frame {
  readonly isList: boolean;
  readonly pick: Exclude<Pick, true>;
  readonly value: unknown[] | Record<string, unknown>;
  key: string;
  next: "value or end" | "key or end" | "key" | "colon" | "value" | "comma or end";
}

/** A text that is no longer than this is read at once, ten times as fast. */
const SHORT = 65_536;

/**
 * Reads a JSON text in pieces and keeps only what is asked for, in memory that does not depend on the rest: a container's
 * labels and environment are as long as whoever wrote them likes. In a long text, what is passed over is read no more
 * closely than its end takes to be found: quotes and brackets must be there, and may be of either kind.
 */
export function jsonPicker(
  pick: Pick,
  { mostOfString = MOST_OF_STRING, mostKept = MOST_KEPT }: PickLimits = {},
): JsonPicker {
  const short: Uint8Array[] = [];
  let length = 0;
  let long: Picker | undefined;
  return {
    write(bytes) {
      length += bytes.length;
      if (length <= SHORT) {
        short.push(bytes);
        return;
      }
      if (long === undefined) {
        long = new Picker(pick, { mostOfString, mostKept });
        for (const earlier of short.splice(0)) long.write(earlier);
      }
      long.write(bytes);
    },
    end: () =>
      long === undefined ? pickedOf(JSON.parse(decoded(short)), pick, mostOfString) : long.end(),
  };
}

/** The same of a value that is whole already. */
function pickedOf(value: unknown, pick: Pick | undefined, mostOfString: number): unknown {
  if (pick === undefined) return undefined;
  if (pick === true) {
    if (typeof value === "string") return value.slice(0, mostOfString);
    return typeof value === "object" && value !== null ? undefined : value;
  }
  if ("each" in pick) {
    if (!Array.isArray(value)) return undefined;
    return value
      .map((one) => pickedOf(one, pick.each, mostOfString))
      .filter((one) => one !== undefined);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { members } = pick;
  const kept = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of Object.entries(value)) {
    if (typeof members !== "function" && !Object.hasOwn(members, key)) continue;
    const wanted = typeof members === "function" ? members(key) : members[key];
    const now = pickedOf(member, wanted, mostOfString);
    if (now !== undefined) kept[key] = now;
  }
  return kept;
}

/** Within a string: what is kept of it. */
interface OpenString {
  readonly parts: Uint8Array[];
  length: number;
  readonly isKept: boolean;
  isEscape: boolean;
}

/** Reads a text of any length, byte by byte where it must. */
class Picker implements JsonPicker {
  readonly #pick: Pick;
  readonly #mostOfString: number;
  readonly #mostKept: number;
  readonly #frames: Frame[] = [];
  #result: { readonly value: unknown } | undefined;
  /** How deep it is in what is passed over; 0 outside of it. */
  #passed = 0;
  #string: OpenString | undefined;
  /** Within a number or a word: its beginning. */
  #word: string | undefined;
  #kept = 0;

  constructor(pick: Pick, { mostOfString, mostKept }: Required<PickLimits>) {
    this.#pick = pick;
    this.#mostOfString = mostOfString;
    this.#mostKept = mostKept;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#string !== undefined) {
        at = this.#onString(this.#string, bytes, at);
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (this.#word !== undefined && isOfWord(byte)) {
        if (this.#word.length > MOST_OF_WORD) wrong();
        this.#word += String.fromCharCode(byte);
        continue;
      }
      this.#closeWord();
      if (this.#passed > 0) this.#passOver(byte);
      else this.#onSign(byte);
    }
  }

  end(): unknown {
    this.#closeWord();
    if (this.#result === undefined || this.#string !== undefined || this.#frames.length > 0)
      wrong();
    return this.#result?.value;
  }

  /** What is to be kept of the value that begins here. */
  #wanted(): Pick | undefined {
    const frame = this.#frames.at(-1);
    if (frame === undefined)
      return this.#result === undefined && this.#passed === 0 ? this.#pick : wrong();
    if (frame.next !== "value" && frame.next !== "value or end") return wrong();
    if ("each" in frame.pick) return frame.pick.each;
    const { members } = frame.pick;
    if (typeof members === "function") return members(frame.key);
    return Object.hasOwn(members, frame.key) ? members[frame.key] : undefined;
  }

  #keep(bytes: number): void {
    this.#kept += bytes;
    if (this.#kept > this.#mostKept) {
      throw new RangeError(`more than ${this.#mostKept} bytes of what is read`);
    }
  }

  /** A value has ended; undefined where it was passed over. */
  #take(value: unknown): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) {
      this.#result = { value };
      return;
    }
    if (value !== undefined) {
      if (Array.isArray(frame.value)) frame.value.push(value);
      else frame.value[frame.key] = value;
    }
    frame.next = "comma or end";
  }

  #open(isList: boolean): void {
    const pick = this.#wanted();
    if (pick === undefined || pick === true || "each" in pick !== isList) {
      this.#passed = 1;
      return;
    }
    this.#keep(16);
    this.#frames.push({
      isList,
      pick,
      value: isList ? [] : (Object.create(null) as Record<string, unknown>),
      key: "",
      next: isList ? "value or end" : "key or end",
    });
  }

  #close(isList: boolean): void {
    const frame = this.#frames.pop();
    if (frame?.isList !== isList || !frame.next.endsWith("or end")) wrong();
    else this.#take(frame.value);
  }

  #openString(): void {
    const next = this.#frames.at(-1)?.next;
    const isKey = next === "key" || next === "key or end";
    const isKept = this.#passed === 0 && (isKey || this.#wanted() === true);
    this.#string = { parts: [], length: 0, isKept, isEscape: false };
  }

  #closeString({ parts, isKept }: OpenString): void {
    this.#string = undefined;
    if (this.#passed > 0) return;
    const text = isKept ? textOf(parts) : undefined;
    const frame = this.#frames.at(-1);
    if (frame?.next === "key" || frame?.next === "key or end") {
      frame.key = text ?? "";
      frame.next = "colon";
    } else this.#take(text);
  }

  #closeWord(): void {
    const word = this.#word;
    this.#word = undefined;
    if (word === undefined || this.#passed > 0) return;
    const value = JSON.parse(word) as unknown;
    this.#take(this.#wanted() === true ? value : undefined);
  }

  /** Reads on from `from` to the string's end or the piece's; where to go on. */
  #onString(string: OpenString, bytes: Uint8Array, from: number): number {
    let at = from;
    if (string.isEscape) at += 1;
    string.isEscape = false;
    for (; at < bytes.length; at += 2) {
      const quote = bytes.indexOf(QUOTE, at);
      const end = quote === -1 ? bytes.length : quote;
      const backslash = bytes.subarray(at, end).indexOf(BACKSLASH);
      if (backslash === -1) {
        at = end;
        break;
      }
      at += backslash;
      if (at + 1 === bytes.length) string.isEscape = true;
    }
    const stop = Math.min(at, bytes.length);
    if (string.isKept && string.length < this.#mostOfString) {
      const part = bytes.slice(from, Math.min(stop, from + this.#mostOfString - string.length));
      this.#keep(part.length);
      string.parts.push(part);
      string.length += part.length;
    }
    if (stop === bytes.length) return stop;
    this.#closeString(string);
    return stop + 1;
  }

  #passOver(byte: number): void {
    if (byte === QUOTE) this.#openString();
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#passed += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      this.#passed -= 1;
      if (this.#passed === 0) this.#take(undefined);
    }
  }

  #onSign(byte: number): void {
    const frame = this.#frames.at(-1);
    switch (byte) {
      case QUOTE:
        this.#openString();
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        this.#open(byte === OPEN_LIST);
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        this.#close(byte === CLOSE_LIST);
        break;
      case COMMA:
        if (frame?.next !== "comma or end") wrong();
        else frame.next = frame.isList ? "value" : "key";
        break;
      case COLON:
        if (frame?.next !== "colon") wrong();
        else frame.next = "value";
        break;
      default:
        if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) break;
        this.#wanted();
        this.#word = String.fromCharCode(byte);
    }
  }
}

function wrong(): never {
  throw new SyntaxError("no JSON");
}

const isOfWord = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x61 && byte <= 0x7a) ||
  byte === 0x2b ||
  byte === 0x2d ||
  byte === 0x2e ||
  byte === 0x45;

/** The text of a string's bytes, of which the last may be missing. */
function textOf(parts: readonly Uint8Array[]): string {
  const raw = decoded(parts);
  // Cut within an escape, which has six signs at the most, the last of it goes.
  for (let less = 0; less < 6; less += 1) {
    try {
      return JSON.parse(`"${raw.slice(0, raw.length - less)}"`) as string;
    } catch {
      if (raw.length < 16) break;
    }
  }
  throw new SyntaxError("no JSON");
}

function decoded(parts: readonly Uint8Array[]): string {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return new TextDecoder().decode(only);
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new TextDecoder().decode(bytes);
}
