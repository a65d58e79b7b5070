/** A TXT record's text that is replaced with a batch, from what it must be to what it is then: all of it lands, or none. */
export interface TextMove {
  readonly name: string;
  /** Undefined when there must be no such record. */
  readonly before: string | undefined;
  readonly after: string;
  readonly ttlSeconds: number;
}

/** The move in the terms of Route 53's API: a DELETE must match what is there exactly, a CREATE finds nothing there. */
export function textChanges(move: TextMove | undefined) {
  if (move === undefined) return [];
  const { name, before, after, ttlSeconds } = move;
  const change = (Action: "DELETE" | "CREATE", text: string) => ({
    Action,
    ResourceRecordSet: {
      Name: `${name}.`,
      Type: "TXT" as const,
      TTL: ttlSeconds,
      // In quotation marks: Developer Guide, TXT record type.
      ResourceRecords: [{ Value: `"${text}"` }],
    },
  });
  return [...(before === undefined ? [] : [change("DELETE", before)]), change("CREATE", after)];
}

/** A TXT record's text as somebody wrote it, of the value that Route 53 lists. */
export const unquoted = (value: string): string => value.replace(/^"(.*)"$/, "$1");
