import fc from "fast-check";

/** What breaks lines, leads terminals, ends strings, or is a property of every object. */
const PIECES = [
  "\n",
  "\r\n",
  "\u0000",
  "\u001b[2J",
  "\u009b31m",
  "\u2028",
  "\u202e",
  "\u{e0001}",
  "\ud800",
  "\udfff",
  "\u212a",
  "\u0130",
  "\u0661",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  '"',
  "\\",
  "\\052",
  "%s %d %j",
  "<!-- -->",
  "&lt;",
  "../..",
  "=",
  " ",
  "",
];

/** Text of any kind: all code points, lone surrogates among them, and the pieces above. */
export const hostileText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc
    .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 6 })), { maxLength: 6 })
    .map((pieces) => pieces.join("")),
);

/** JSON values with keys that are traps. */
export const hostileJson = fc.jsonValue({ maxDepth: 3 }).chain((value) =>
  fc.oneof(
    fc.constant(JSON.stringify(value)),
    hostileText.map((key) => JSON.stringify({ [key]: value })),
    fc.constant(`{"__proto__":${JSON.stringify(value)}}`),
    fc.integer({ min: 1, max: 20_000 }).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
    fc.constantFrom("1e999", "-0", "123456789012345678901234567890", '{"a":1,"a":2}', '"\\ud800"'),
  ),
);

/** The JSON text with something about one of its values changed: type, presence, or the text itself. */
export const mutatedJson = (original: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  original.chain((value) => {
    const places = placesOf(value);
    return fc
      .array(
        fc.tuple(
          fc.nat(places.length - 1),
          fc.oneof(hostileText, fc.jsonValue({ maxDepth: 1 }), fc.constant(REMOVED)),
        ),
        {
          maxLength: 3,
        },
      )
      .map(
        (changes) =>
          JSON.stringify(
            changes.reduce<unknown>(
              (json, [place, put]) => replaced(json, places[place] ?? [], put),
              value,
            ),
          ) ?? "null",
      );
  });

const REMOVED = Symbol("removed");
type Place = readonly (string | number)[];

/** Every place in a JSON value, the whole first. */
function placesOf(value: unknown, at: Place = []): readonly Place[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, one]) => placesOf(one, [...at, key]))];
}

function replaced(value: unknown, [first, ...rest]: Place, put: unknown): unknown {
  if (first === undefined) return put === REMOVED ? undefined : put;
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = { ...value };
  const inner = replaced(copy[first], rest, put);
  if (inner === undefined) delete copy[first];
  else copy[first] = inner;
  return Array.isArray(value) ? Object.values(copy) : copy;
}

/** A text cut into chunks anywhere, also within a character. */
export const inChunks = (bytes: Buffer, places: readonly number[]): readonly Buffer[] => {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
};

/** Bytes of a text, some of them overwritten. */
export const damaged = (text: string, damage: readonly (readonly [number, number])[]): Buffer => {
  const bytes = Buffer.from(text);
  for (const [place, byte] of damage) if (bytes.length > 0) bytes[place % bytes.length] = byte;
  return bytes;
};
export const damage = (most: number) =>
  fc.array(fc.tuple(fc.nat(1_000_000), fc.nat(255)), { maxLength: most });
