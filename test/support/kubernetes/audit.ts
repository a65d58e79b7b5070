interface AuditEvent {
  readonly verb: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly name?: string;
  };
}

/** What the API server writes into its audit log: who has changed what, once it has answered. */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [
    { level: "Metadata", verbs: ["create", "update", "patch", "delete", "deletecollection"] },
    { level: "None" },
  ],
};

/**
 * What this user has asked for after this moment (in ms, on this machine's clock) and got, by this text of an audit log,
 * leases aside: `patch deployments/web`. The log lags behind what everybody else sees already, so a line's own time
 * counts; a last line that is still being written does not count yet.
 */
export const writesIn = (log: string, user: string, sinceMs: number): readonly string[] =>
  log
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(
      ({ user: { username }, objectRef, requestReceivedTimestamp }) =>
        username.endsWith(user) &&
        objectRef?.resource !== "leases" &&
        Date.parse(requestReceivedTimestamp) > sinceMs,
    )
    .map(({ verb, objectRef: { resource, subresource, name } = {} }) =>
      [`${verb} ${resource}`, subresource, name].filter(Boolean).join("/"),
    );
