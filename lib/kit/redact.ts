/** What stands in a secret's place. */
const HIDDEN = "[hidden]";

/**
 * The text without what could be a credential in it: AWS repeats signed headers, the session token among them, when it
 * refuses a signature; URLs hold passwords; and an answer that can't be read may be quoted by whoever tried.
 * `secrets` are hidden wherever they stand whole.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, HIDDEN);
  for (const [pattern, put] of PATTERNS) shown = shown.replace(pattern, put);
  return shown;
}

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // V8 shows where it could not go on: `Unexpected token 'x', "…"... is not valid JSON`.
  [/(Unexpected token .{1,8}?, ).*?( is not valid JSON)/gs, `$1${HIDDEN}$2`],
  // http://user:password@host
  [/(?<=:\/\/)[^\s/@"']+@/g, `${HIDDEN}@`],
  // x-amz-security-token:…, "SecretAccessKey":"…", Credential=…, and the same with the quotes escaped.
  [
    /((?:x-amz-security-token|authorization|secretaccesskey|aws_secret_access_key|aws_session_token|sessiontoken|"token\\?"|credential|signature|password|x-aws-ec2-metadata-token)\\?["']?\s*[:=]\s*\\?["']?)(?:AWS4-HMAC-SHA256|Bearer|Basic)?\s*[^\s"',;&\\]+/gi,
    `$1${HIDDEN}`,
  ],
];

/** Of the environment, the values that only this process and its credentials' givers may know. */
export const secretsOf = (env: Readonly<Record<string, string | undefined>>): readonly string[] =>
  SECRET_VARIABLES.flatMap((name) => env[name] || []).filter((value) => value.length >= 8);

const SECRET_VARIABLES = [
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_CONTAINER_AUTHORIZATION_TOKEN",
] as const;
