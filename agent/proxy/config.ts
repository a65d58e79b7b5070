import { isAbsolute } from "node:path";
import * as z from "zod";
import { nameProblem } from "../../lib/net/host-name.ts";
import { sizeOf } from "../../lib/web/options.ts";
import { portRanges } from "../../lib/web/ports.ts";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, onOff, wholeNumber } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { recordFlags } from "../host/record-flags.ts";
import { statusAddressOf } from "../page/status-address.ts";

const domain: Flag<string | undefined> = {
  takes: "name",
  optional: true,
  help: "put behind names of fewer than two dots, such as hello: hello.<domain>",
  expected: "a domain such as example.com",
  schema: z
    .string()
    .transform((text) => text.toLowerCase().replace(/^\.|\.$/g, ""))
    .refine((text) => text === "" || (nameProblem(text) === undefined && !text.startsWith("*"))),
  environment: ["DOMAIN"],
};

const listenAddress: Flag<string> = {
  takes: "ip",
  help: "where the engine listens: 0.0.0.0 for every address of this host, :: for IPv6, too",
  expected: "an IPv4 or IPv6 address",
  schema: z.union([z.ipv4(), z.ipv6()]),
  byDefault: "0.0.0.0",
};

const listenPorts: Flag<NonNullable<ReturnType<typeof portRanges>>> = {
  takes: "ports",
  help: "ports that labels may ask for, such as 80,443,8000-8999; 80, or else the first, is always open",
  expected: "ports and ranges from 1 to 65535, separated by commas",
  schema: z.string().transform((text, context) => {
    const ranges = portRanges(text);
    if (ranges !== undefined) return ranges;
    context.addIssue("no ports");
    return z.NEVER;
  }),
  byDefault: "1-65535",
};

const maxUploadSize: Flag<number> = {
  takes: "size",
  help: "the largest request body where no proxy.upload says otherwise, such as 100m; 0 for any",
  expected: "a size such as 100m, 64k, 1g or 0",
  schema: z.string().transform((text, context) => {
    const bytes = sizeOf(text);
    if (bytes !== undefined) return bytes;
    context.addIssue("no size");
    return z.NEVER;
  }),
  byDefault: "100m",
  environment: ["MAX_UPLOAD_SIZE"],
};

const myIp: Flag<string | undefined> = {
  takes: "ip",
  optional: true,
  help: "the address that this host's records hold",
  expected: "an IPv4 address",
  schema: z.ipv4(),
};

const acmeEmail: Flag<string | undefined> = {
  takes: "address",
  optional: true,
  help: "whom the certificate authority writes to",
  expected: "an e-mail address",
  schema: z.email(),
};

const acmeDirectory: Flag<string> = {
  takes: "url",
  help: "the certificate authority's directory; whoever gives --acme agrees to its terms",
  expected: "an https URL",
  schema: z.url({ protocol: /^https$/ }),
  byDefault: "https://acme-v02.api.letsencrypt.org/directory",
};

const certificates: Flag<string | undefined> = {
  takes: "folder",
  optional: true,
  help: "your own certificates: proxy.tls=<name> is <name>.pem in it, the key and the chain in one file",
  expected: "an absolute path",
  schema: z.string().refine((path) => isAbsolute(path)),
};

export const flags = {
  domain,
  listenAddress,
  listenPorts,
  redirectShortNames: {
    ...onOff({
      help: "send clients of a short name to the full one, instead of serving them there",
    }),
    aliases: ["redirect-shortnames"],
  },
  maxUploadSize,
  allowedNames: {
    ...recordFlags.allowedNames,
    help: "full names that labels may claim, as globs separated by commas",
  },
  route53: onOff({
    help: "keep a record of each served name in the hosted zone that it belongs to",
  }),
  myIp,
  awsPublicIp: {
    ...onOff({ help: "take this host's public address from instance metadata" }),
    aliases: ["aws-external-ip"],
  },
  awsLocalIp: {
    ...onOff({
      help: "take this host's private address from instance metadata, as is done without any of the three",
    }),
    aliases: ["aws-internal-ip"],
  },
  ttl: { ...recordFlags.ttl, byDefault: "300" },
  weight: recordFlags.weight,
  acme: onOff({ help: "get certificates for names with proxy.tls=acme, and renew them" }),
  acmeEmail,
  acmeDirectory,
  certificates,
  notify: onOff({
    help: "signal or run what proxy.notify says, when what is served has changed: the one write on Docker's socket",
  }),
  stopGrace: {
    ...recordFlags.stopGrace,
    help: "a container that still runs so long after its stop signal is served again",
  },
  introspectionUrl: hostFlags.introspectionUrl,
  stateDir: {
    ...hostFlags.stateDir,
    help: "holds the engine's files, certificates and a small journal, in a folder of their own",
  },
  patience: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 60,
    help: "how long Docker's first connection may stay unavailable; Route 53 is tried for ever",
  }),
  statusAddress: statusAddressOf("proxy"),
  ...commonFlags,
};

export const examples = [
  ["proxy --domain=example.com", "serve each container with proxy.host"],
  ["proxy --route53 --acme", "with its DNS record and its certificate"],
] as const;

export type ProxyConfig = ConfigOf<typeof flags>;
