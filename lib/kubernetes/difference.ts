/** Members by which the API server tells the items of a list apart (Kubernetes API, listMapKeys). */
const KEYS: readonly (readonly string[])[] = [
  ["containerPort", "protocol"],
  ["port", "protocol"],
  ["mountPath"],
  ["uid"],
  ["ip"],
  ["topologyKey", "whenUnsatisfiable"],
  ["name"],
];

type Item = Readonly<Record<string, unknown>>;

/**
 * Where what is there differs from what is wanted, as paths. Only what is wanted counts: the defaults that the server
 * adds, and what others have added, are nobody's difference. An item of a keyed list is compared with its counterpart;
 * any other list as a whole.
 */
export function differences(wanted: unknown, there: unknown, at = ""): readonly string[] {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(there)) return [at];
    const keys = keysOf(wanted);
    if (keys === undefined) {
      return wanted.length === there.length
        ? wanted.flatMap((item, index) => differences(item, there[index], `${at}[${index}]`))
        : [at];
    }
    return wanted.flatMap((item: Item) => {
      const counterpart = there.find(
        (one: unknown) => isItem(one) && keys.every((key) => one[key] === item[key]),
      ) as unknown;
      const name = keys.map((key) => String(item[key] as string)).join(",");
      return differences(item, counterpart, `${at}[${name}]`);
    });
  }
  if (isItem(wanted)) {
    if (!isItem(there)) return Object.keys(wanted).length === 0 && there !== undefined ? [] : [at];
    return Object.entries(wanted).flatMap(([name, value]) =>
      differences(value, there[name], at === "" ? name : `${at}.${name}`),
    );
  }
  return wanted === there ? [] : [at];
}

const isItem = (value: unknown): value is Item =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function keysOf(items: readonly unknown[]): readonly string[] | undefined {
  if (items.length === 0 || !items.every(isItem)) return undefined;
  return KEYS.find((keys) => items.every((item) => keys.every((key) => key in (item as Item))));
}
