/**
 * The default gateway in the text of Linux's /proc/net/route, dotted; undefined when there is none.
 * The file holds addresses as hex in host byte order, which is little-endian on every platform Docker runs on.
 */
export function defaultGateway(routeTable: string): string | undefined {
  for (const line of routeTable.split("\n").slice(1)) {
    const [, destination, gateway] = line.split("\t");
    if (destination !== "00000000" || !/^[0-9A-F]{8}$/i.test(gateway ?? "")) continue;
    if (gateway === "00000000") continue;
    return (gateway ?? "")
      .match(/../g)
      ?.toReversed()
      .map((byte) => Number.parseInt(byte, 16))
      .join(".");
  }
  return undefined;
}
