import { isIPv4, isIPv6 } from "node:net";
import { canonicalName } from "./names.ts";

const isInteger = (text: string, max: number): boolean =>
  /^\d{1,10}$/.test(text) && Number(text) <= max;

/** A name as a value: as a record name, and a lone dot is the root. */
const isTarget = (text: string): boolean => text === "." || !("problem" in canonicalName(text));

const singleField = (type: string, value: string): string | undefined =>
  // [GH danpilch/aws-dyndns#3] for A; the other types by analogy.
  /\s/.test(value) ? `${type}RRDATANotSingleField (Value contains spaces)` : undefined;

/** What is wrong with a value, by the record's type; types that are not here are not known to the stand-in. */
export const valueProblems: Readonly<Record<string, (value: string) => string | undefined>> = {
  A: (value) =>
    singleField("A", value) ??
    // [GH gomodules/dns#7]
    (isIPv4(value) ? undefined : "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
  AAAA: (value) =>
    singleField("AAAA", value) ??
    // [GH sjmayotte/route53-dynamic-dns#45]
    (isIPv6(value) && !value.includes("%")
      ? undefined
      : "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"),
  CNAME: (value) =>
    singleField("CNAME", value) ??
    (isTarget(value) ? undefined : "CNAMERRDATAIllegalName (Value is not a valid domain name)"),
  NS: (value) =>
    singleField("NS", value) ??
    (isTarget(value) ? undefined : "NSRRDATAIllegalName (Value is not a valid domain name)"),
  // `priority weight port target`, the target a name and no address [DG:ResourceRecordTypes]; wording ours.
  SRV: (value) => {
    const [priority = "", weight = "", port = "", target = "", ...rest] = value.split(/[ \t]+/);
    if (target === "" || rest.length > 0)
      return "SRVRRDATANotFourFields (Value is not four fields)";
    if (![priority, weight, port].every((field) => isInteger(field, 65_535))) {
      return "SRVRRDATAIllegalNumber (Value is not between 0 and 65535)";
    }
    return isTarget(target) && !isIPv4(target) && !isIPv6(target)
      ? undefined
      : "SRVRRDATAIllegalTarget (Value is not a valid domain name)";
  },
  // [DG:SOA-NSrecords]; wording ours.
  SOA: (value) => {
    const [master = "", mailbox = "", ...numbers] = value.split(/[ \t]+/);
    return isTarget(master) &&
      isTarget(mailbox) &&
      numbers.length === 5 &&
      numbers.every((field) => isInteger(field, 4_294_967_295))
      ? undefined
      : "SOARRDATAIllegal (Value is not a valid start of authority)";
  },
  // Quoted strings of at most 255 characters [DG:ResourceRecordTypes] [GH boto/boto3#1462]; first wording ours.
  TXT: (value) => {
    if (!/^"(?:[^"\\]|\\.)*"(?:[ \t]+"(?:[^"\\]|\\.)*")*$/.test(value)) {
      return "InvalidCharacterString (Value should be enclosed in quotation marks)";
    }
    const strings = value.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
    const long = strings.some((s) => s.replace(/\\(?:[0-7]{3}|.)/g, "_").length > 255 + 2);
    return long ? "CharacterStringTooLong (Value is too long)" : undefined;
  },
};
