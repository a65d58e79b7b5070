import { quote } from "../../kit/quote.ts";
import { type Context, isWindows, type NamedContainer } from "./context.ts";
import { type Fields, unlessEmpty } from "./fields.ts";

/** The container's securityContext; undefined where the definition asks for nothing of it. */
export function securityOf(container: NamedContainer, context: Context): Fields | undefined {
  const { at, definition } = container;
  const { report } = context;
  if (isWindows(context)) return windowsSecurity(container, context);
  if ((definition.credentialSpecs ?? []).length > 0) {
    report.unmapped(
      `${at}.credentialSpecs`,
      "a Linux container has no credentials of a Windows domain",
      "let an init container fetch a Kerberos ticket, or take it away",
    );
  }
  const { capabilities = {} } = definition.linuxParameters ?? {};
  const options = dockerOptions(container, context);
  const isPrivileged = definition.privileged === true;
  if (isPrivileged && options["allowPrivilegeEscalation"] === false) {
    report.unmapped(
      `${at}.dockerSecurityOptions`,
      "a privileged container can't be kept from gaining privileges",
      "take away privileged or no-new-privileges",
    );
    delete options["allowPrivilegeEscalation"];
  }
  return unlessEmpty({
    ...userOf(container, context),
    privileged: isPrivileged ? true : undefined,
    readOnlyRootFilesystem: definition.readonlyRootFilesystem === true ? true : undefined,
    capabilities: unlessEmpty({
      add: (capabilities.add ?? []).map(capability),
      drop: (capabilities.drop ?? []).map(capability),
    }),
    ...options,
  });
}

/** Docker takes CAP_SYS_ADMIN and SYS_ADMIN, Kubernetes the second. */
const capability = (name: string): string => name.toUpperCase().replace(/^CAP_/, "");

function userOf({ at, definition: { user } }: NamedContainer, { report }: Context): Fields {
  if (user === undefined || user === "") return {};
  const [, uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(user) ?? [];
  if (uid !== undefined) {
    return {
      runAsUser: Number(uid),
      ...(gid !== undefined && { runAsGroup: Number(gid) }),
    };
  }
  report.unmapped(
    `${at}.user`,
    `a pod takes the numbers of a user and group, not the name ${quote(user)}`,
    `look the numbers up in the image (id ${quote(user)}) and write them as uid:gid`,
  );
  return {};
}

function windowsSecurity(
  { at, definition }: NamedContainer,
  { options, report }: Context,
): Fields | undefined {
  const { user, credentialSpecs = [] } = definition;
  const linuxOnly = [
    "privileged",
    "readonlyRootFilesystem",
    "linuxParameters",
    "dockerSecurityOptions",
  ];
  for (const member of linuxOnly as (keyof typeof definition)[]) {
    if (definition[member] === undefined || definition[member] === false) continue;
    report.unmapped(`${at}.${member}`, "a Windows container has no such setting", "take it away");
  }
  const [spec] = credentialSpecs;
  const specName = spec === undefined ? undefined : options.names.get(spec);
  if (credentialSpecs.length > 0 && (specName === undefined || credentialSpecs.length > 1)) {
    report.unmapped(
      `${at}.credentialSpecs`,
      "a pod names one GMSACredentialSpec of the cluster",
      `make one and name it: --secretMap=${spec ?? ""}=<name>`,
    );
  }
  return unlessEmpty({
    windowsOptions: unlessEmpty({
      runAsUserName: user || undefined,
      gmsaCredentialSpecName: specName,
    }),
  });
}

/** What Docker's security options are in Kubernetes; both `key=value` and `key:value` are in use. */
function dockerOptions(
  { at, definition }: NamedContainer,
  { report }: Context,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const seLinux: Record<string, string> = {};
  for (const [index, option] of (definition.dockerSecurityOptions ?? []).entries()) {
    const [, name = "", value = ""] = /^([\w-]+)(?:[:=](.*))?$/s.exec(option) ?? [];
    const profile = value.replace(/^.*\//, "");
    if (name === "no-new-privileges" && value !== "false") {
      fields["allowPrivilegeEscalation"] = false;
    } else if (name === "seccomp" && value === "unconfined") {
      fields["seccompProfile"] = { type: "Unconfined" };
    } else if (name === "apparmor" && value === "unconfined") {
      fields["appArmorProfile"] = { type: "Unconfined" };
    } else if (name === "apparmor" && profile !== "" && profile === value) {
      fields["appArmorProfile"] =
        value === "docker-default"
          ? { type: "RuntimeDefault" }
          : { type: "Localhost", localhostProfile: value };
    } else if (name === "label" && /^(?:user|role|type|level)[:=]./.test(value)) {
      const [part = "", ...rest] = value.split(/[:=]/);
      seLinux[part] = rest.join(":");
    } else {
      report.unmapped(
        `${at}.dockerSecurityOptions[${index}]`,
        `Kubernetes has nothing for ${quote(option)}`,
        name === "seccomp"
          ? "put the profile on the nodes, and name it as seccompProfile.localhostProfile"
          : "take it away",
      );
    }
  }
  if (Object.keys(seLinux).length > 0) fields["seLinuxOptions"] = seLinux;
  return fields;
}
