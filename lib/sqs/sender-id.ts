/** Who sent a message, as SQS says it. */
export interface Sender {
  /** The unique id of the role, `AROA…`. */
  readonly role: string;
  /** The name of the role's session: an EC2 instance's id for an instance role, a task's id for a task role. */
  readonly session: string;
}

/**
 * The role and session in SQS's attribute SenderId, which SQS itself sets and no sender can. Undefined for a user's id
 * (`AIDA…`) and everything else that has no session.
 */
export function senderOf(senderId: string): Sender | undefined {
  const [, role, session] = /^(AROA[A-Z0-9]{4,60}):([\w+=,.@-]{2,64})$/.exec(senderId) ?? [];
  return role === undefined || session === undefined ? undefined : { role, session };
}
