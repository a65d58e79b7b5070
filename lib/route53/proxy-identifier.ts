import { ECS_ID, type InstanceId } from "../ecs/arn.ts";

/** The version of the format; see `set-identifier.ts`, whose records these are not. */
const FORMAT = "ecs-proxy-1";

/** A container instance of ECS, an EC2 instance, or a host that gave itself a name. */
const HOST = `${ECS_ID}|i-[0-9a-f]{8,17}|host-[0-9a-f]{32}`;
const IDENTIFIER = new RegExp(`^${FORMAT}/(${HOST})$`);
const INSTANCE = new RegExp(`^(?:${ECS_ID})$`);
const PROXY_HOST = new RegExp(`^(?:${HOST})$`);

declare const proxyHost: unique symbol;
/** Whose record a name of the proxy is. */
export type ProxyHost = string & { readonly [proxyHost]: true };

/** The host in `text`; undefined for anything else. */
export const asProxyHost = (text: string): ProxyHost | undefined =>
  PROXY_HOST.test(text) ? (text as ProxyHost) : undefined;

/** The container instance that the host is; undefined for a host outside of ECS. */
export const instanceOf = (host: ProxyHost): InstanceId | undefined =>
  INSTANCE.test(host) ? (host as string as InstanceId) : undefined;

/** Ownership of a proxy's record as text: `ecs-proxy-1/<host>`. One host has one record of a name, however many containers. */
export const formatProxyIdentifier = (host: ProxyHost): string => `${FORMAT}/${host}`;

/** True for a proxy's, and for what another version of it, or somebody who imitates it, may have written. */
export const beginsAsProxys = (text: string): boolean => text.startsWith("ecs-proxy-");

/** The exact inverse; undefined for any other text: what does not parse is no proxy's. */
export const parseProxyIdentifier = (text: string): ProxyHost | undefined =>
  IDENTIFIER.exec(text)?.[1] as ProxyHost | undefined;
