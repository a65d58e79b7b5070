import type { Container } from "../docker/container.ts";
import { quote } from "../kit/quote.ts";

/** Where a container's ports are reached from the host's own network. */
export type AddressAnswer =
  | { readonly kind: "address"; readonly address: string }
  /** It lives in the network of this container, by its id or name: look there. */
  | { readonly kind: "shared"; readonly container: string }
  /** Docker knows of none: an awsvpc task's address is known to the ECS agent. */
  | { readonly kind: "unknown" }
  | { readonly kind: "problem"; readonly problem: string };

/** What reaches a port of a process in the host's own network. */
const LOOPBACK = "127.0.0.1";

/**
 * The address of a container, the first that applies: loopback in the host's network; that of the container whose network
 * it shares; of the network that `proxy.network` names; of the default bridge; of its first network by name.
 */
export function addressOf(
  { networkMode, networks = new Map() }: Pick<Container, "networkMode" | "networks">,
  wanted: string | undefined,
): AddressAnswer {
  if (networkMode === "host") return { kind: "address", address: LOOPBACK };
  const [, container] = /^container:(.+)$/s.exec(networkMode) ?? [];
  if (container !== undefined) return { kind: "shared", container };
  if (networks.size === 0) return { kind: "unknown" };
  if (wanted !== undefined && wanted !== "") {
    const address = networks.get(wanted);
    return address === undefined
      ? {
          kind: "problem",
          problem: `proxy.network: expected one of its networks, ${few([...networks.keys()])}, got ${quote(wanted)}`,
        }
      : { kind: "address", address };
  }
  const [first] = [...networks].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const address = networks.get("bridge") ?? first?.[1];
  return address === undefined ? { kind: "unknown" } : { kind: "address", address };
}

const few = (names: readonly string[]): string =>
  names
    .slice(0, 5)
    .map((name) => quote(name))
    .join(", ");
