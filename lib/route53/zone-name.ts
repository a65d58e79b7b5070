/** A zone as its name is looked up among the account's. */
export interface NamedZone {
  readonly id: string;
  /** Lower case, without the trailing dot. */
  readonly name: string;
  readonly isPrivate: boolean;
}

/** At most 32 characters, which may stand behind `/hostedzone/`: API reference, HostedZoneId. */
const ID = /^(?:\/hostedzone\/)?(Z[A-Z0-9]{1,31})$/;
const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
/** RFC 1035, 2.3.4: 255 octets on the wire, of which the length bytes of the first label and of the root are two. */
const LONGEST_NAME = 253;

/**
 * The id without `/hostedzone/`, or the name in lower case without its trailing dot, that stands for a hosted zone;
 * undefined where the text is neither. A name has a dot in it, at its end at least, so that a mistyped id is none.
 */
export function zoneReference(text: string): string | undefined {
  const id = ID.exec(text)?.[1];
  if (id !== undefined) return id;
  const name = text.toLowerCase().replace(/\.$/, "");
  return text.includes(".") && name.length <= LONGEST_NAME && NAME.test(name) ? name : undefined;
}

/** Whether a reference as `zoneReference` gives it is an id. */
export const isZoneId = (reference: string): boolean => ID.test(reference);

/** The id of the one zone that has exactly this name, or a sentence that says why there is no such one. */
export function zoneOfName(
  name: string,
  zones: readonly NamedZone[],
): { readonly id: string } | { readonly problem: string } {
  const named = zones.filter((zone) => zone.name === name);
  const [first, ...others] = named;
  if (first === undefined) {
    return {
      problem: `no hosted zone of this account is named ${name}: check the name and whose credentials these are (aws route53 list-hosted-zones), or give the zone's id`,
    };
  }
  if (others.length === 0) return { id: first.id };
  const all = named.map(({ id, isPrivate }) => `${id} (${isPrivate ? "private" : "public"})`);
  return {
    problem: `${named.length} hosted zones of this account are named ${name}: give the id of the one that is meant, ${all.join(" or ")}`,
  };
}
