import type { InstanceId } from "../ecs/arn.ts";
import { keyOf, type RecordKey, type RecordSet } from "../route53/record-set.ts";
import { fitsDns, rfc2782Name } from "../route53/service-name.ts";
import { formatSetIdentifier } from "../route53/set-identifier.ts";
import type { Endpoint, Holder } from "./endpoint.ts";

export interface RecordRules {
  readonly instance: InstanceId;
  readonly ttlSeconds: number;
  /** Undefined for multivalue answers. */
  readonly weight: number | undefined;
  /** What an SRV record is called: as the service, or as RFC 2782 has it. Default: plain. */
  readonly srvNames?: SrvNames;
}

type SrvNames = "plain" | "rfc2782";

/**
 * The records of one name for an endpoint: A and AAAA for the addresses it has; where a port is known, SRV with a target
 * of its own, below the name, that has the same addresses. Weighted or multivalue, one SRV set names one target.
 */
export function recordsOf(
  name: string,
  endpoint: Endpoint,
  { instance, ttlSeconds, weight, srvNames }: RecordRules,
): readonly RecordSet[] {
  const { holder, ipv4, ipv6, port } = endpoint;
  const common = {
    setIdentifier: formatSetIdentifier({ instance, ...holder }),
    ttlSeconds,
    ...(weight !== undefined && { weight }),
  };
  const addresses = (of: string): readonly RecordSet[] => [
    ...(ipv4 === undefined ? [] : [{ name: of, type: "A" as const, values: [ipv4], ...common }]),
    ...(ipv6 === undefined ? [] : [{ name: of, type: "AAAA" as const, values: [ipv6], ...common }]),
  ];
  const target = srvTarget(name, holder);
  const srvName = srvNames === "rfc2782" ? rfc2782Name(name) : name;
  if (port === undefined || target === undefined || srvName === undefined) return addresses(name);
  const value = `1 1 ${port} ${target}`;
  return [
    ...addresses(name),
    ...addresses(target),
    { name: srvName, type: "SRV", values: [value], ...common },
  ];
}

/** Every record that the holder may have under the name. */
export function possibleKeys(
  name: string,
  holder: Holder,
  instance: InstanceId,
): readonly RecordKey[] {
  const setIdentifier = formatSetIdentifier({ instance, ...holder });
  const target = srvTarget(name, holder);
  return [
    ...(["A", "AAAA", "SRV"] as const).map((type) => ({ name, type })),
    { name: rfc2782Name(name) ?? name, type: "SRV" as const },
    ...(target === undefined
      ? []
      : (["A", "AAAA"] as const).map((type) => ({ name: target, type }))),
  ].map((one) => keyOf({ ...one, setIdentifier }));
}

/** The name of one holder's own below a service's name; undefined where that would be too long. */
function srvTarget(name: string, { task, container }: Holder): string | undefined {
  const target = `${container ?? task}.${name}`;
  return fitsDns(target) ? target : undefined;
}
