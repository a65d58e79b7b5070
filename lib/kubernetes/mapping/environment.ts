import { quote } from "../../kit/quote.ts";
import type { Context, NamedContainer } from "./context.ts";
import type { Fields } from "./fields.ts";
import { dataKey, dnsLabel } from "./names.ts";

/**
 * The text as Kubernetes must be given it to hand it on as it was: it expands `$(NAME)` in values, commands and probes,
 * and takes `$$` for `$` (API reference, EnvVar.value).
 */
export const literal = (text: string): string => text.replace(/\$(?=[$(])/g, "$$$$");

/** The container's env: of a name that comes twice the last, because the API server refuses to apply two. */
export function environmentOf(
  { at, definition }: NamedContainer,
  { options, report }: Context,
): readonly Fields[] {
  const variables = new Map<string, Fields>();
  const put = (name: string | undefined, member: string, source: Fields) => {
    if (name === undefined || !/^[ -<>-~]+$/.test(name)) {
      report.unmapped(
        member,
        `expected a name of printable ASCII without "=", got ${quote(name ?? "")}`,
        "give the variable another name",
      );
      return;
    }
    if (variables.has(name)) {
      report.unmapped(
        member,
        `${quote(name)} stands there twice; the last one counts`,
        "remove one",
      );
      variables.delete(name);
    }
    variables.set(name, { name, ...source });
  };
  for (const [index, { name, value = "" }] of (definition.environment ?? []).entries()) {
    // The API server drops an empty value, which means the same.
    put(name, `${at}.environment[${index}]`, value === "" ? {} : { value: literal(value) });
  }
  for (const [index, { name, valueFrom }] of (definition.secrets ?? []).entries()) {
    const member = `${at}.secrets[${index}]`;
    if (valueFrom === undefined || valueFrom === "") {
      report.refuse(`${member}.valueFrom`, "expected an ARN or a parameter's name, got nothing");
      continue;
    }
    const secret = secretOf(valueFrom, options.names);
    if (secret.version !== "") {
      report.unmapped(
        `${member}.valueFrom`,
        `a Secret has one version only, not ${quote(secret.version)}`,
        "keep the wanted version in the Secret",
      );
    }
    if (!secret.isNamed) {
      report.note(
        member,
        `read from the key ${quote(secret.key)} of a Secret ${quote(secret.name)}, which nobody has made yet`,
        `make that Secret, or name another one: --secretMap=${valueFrom}=<secret>/<key>`,
      );
    }
    put(name, member, {
      valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } },
    });
  }
  return [...variables.values()];
}

/** ConfigMaps that stand for environment files in S3; without a name for it there is none. */
export function environmentFilesOf(
  { at, definition }: NamedContainer,
  { options, report }: Context,
): readonly Fields[] {
  return (definition.environmentFiles ?? []).flatMap(({ value = "", type = "s3" }, index) => {
    const name = options.names.get(value);
    if (type !== "s3") {
      report.unmapped(
        `${at}.environmentFiles[${index}].type`,
        `expected s3, got ${quote(type)}`,
        "write s3",
      );
    }
    if (name === undefined) {
      report.unmapped(
        `${at}.environmentFiles[${index}]`,
        `a pod reads no file from S3`,
        `make a ConfigMap of it (kubectl create configmap --from-env-file) and name it: --secretMap=${value}=<configmap>`,
      );
      return [];
    }
    return [{ configMapRef: { name } }];
  });
}

interface SecretName {
  readonly name: string;
  readonly key: string;
  /** Stage and version id, where one is asked for. */
  readonly version: string;
  /** The user has said where it is. */
  readonly isNamed: boolean;
}

/**
 * Which key of which Secret stands for `valueFrom`: an ARN of Secrets Manager with a JSON key, stage and version behind
 * it, an ARN of a parameter, or a parameter's name. The six characters that Secrets Manager adds are not the name's.
 */
export function secretOf(valueFrom: string, names: ReadonlyMap<string, string>): SecretName {
  // A placeholder of CloudFormation may hold colons.
  const parts = valueFrom.replace(/\$\{[^}]*\}/g, (one) => one.replaceAll(":", ".")).split(":");
  const isSecret = parts[0] === "arn" && parts[2] === "secretsmanager";
  const [, , , , , , named = "", jsonKey = "", stage = "", id = ""] = isSecret ? parts : [];
  const plain = isSecret
    ? named.replace(/-[A-Za-z0-9]{6}$/, "")
    : valueFrom.replace(/^arn:[^/]*:parameter\/?/, "");
  const version = [stage, id].filter((part) => part !== "").join(" ");
  const given =
    names.get(valueFrom) ??
    (isSecret ? names.get(parts.slice(0, 7).join(":")) : undefined) ??
    names.get(plain);
  const key = dataKey(jsonKey) || "value";
  if (given === undefined) return { name: dnsLabel(plain), key, version, isNamed: false };
  const [name = "", ownKey = key] = given.split("/");
  return { name, key: ownKey, version, isNamed: true };
}
