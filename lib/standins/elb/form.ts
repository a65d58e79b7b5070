/**
 * A request of the Query protocol (Smithy, awsQuery): a form whose names are paths, `Listeners.member.1.Protocol`.
 */
export class Form {
  readonly #fields: ReadonlyMap<string, string>;
  readonly #asked = new Set<string>();

  constructor(body: string) {
    this.#fields = new Map(new URLSearchParams(body));
  }

  text(name: string): string | undefined {
    this.#asked.add(name);
    return this.#fields.get(name);
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text)) throw new Refusal("ValidationError", `${name}: expected a number`);
    return Number(text);
  }

  /** The prefixes of the list's members: `Listeners.member.1`, `Listeners.member.2`, … */
  members(name: string): readonly string[] {
    // An empty list is sent as the name alone.
    this.#asked.add(name);
    const prefixes: string[] = [];
    for (let index = 1; ; index += 1) {
      const prefix = `${name}.member.${index}`;
      const has = [...this.#fields.keys()].some(
        (one) => one === prefix || one.startsWith(`${prefix}.`),
      );
      if (!has) return prefixes;
      prefixes.push(prefix);
    }
  }

  texts(name: string): readonly string[] {
    return this.members(name).map((prefix) => this.text(prefix) ?? "");
  }

  has(name: string): boolean {
    return [...this.#fields.keys()].some((one) => one === name || one.startsWith(`${name}.`));
  }

  /** Throws for a field that nobody has asked for: the real API knows it, the stand-in does not. */
  refuseUnknown(): void {
    for (const name of this.#fields.keys()) {
      if (name !== "Action" && name !== "Version" && !this.#asked.has(name)) {
        throw new Refusal("ValidationError", `the stand-in does not know the field ${name}`);
      }
    }
  }
}

/** Thrown inside, and answered. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** A value as XML: an object as elements, a list as `member`s, anything else as text; undefined leaves its element out. */
export function xml(value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => `<member>${xml(one)}</member>`).join("");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
      .join("");
  }
  return String(value).replace(/[&<>"]/g, (sign) => escapes[sign] ?? sign);
}
