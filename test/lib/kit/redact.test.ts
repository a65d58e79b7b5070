import { expect, test } from "@jest/globals";
import { redact, secretsOf } from "../../../lib/kit/redact.ts";

test.each([
  ["http://user:hunter2@10.0.0.1:1/x", "http://[hidden]@10.0.0.1:1/x"],
  ["x-amz-security-token:IQoJb3/+= next", "x-amz-security-token:[hidden] next"],
  ["X-Amz-Security-Token=IQoJb3&x=1", "X-Amz-Security-Token=[hidden]&x=1"],
  [
    '{"SecretAccessKey":"wJalr/+x","Token":"IQo"}',
    '{"SecretAccessKey":"[hidden]","Token":"[hidden]"}',
  ],
  ['got "{\\"SecretAccessKey\\":\\"wJalr\\"}"', 'got "{\\"SecretAccessKey\\":\\"[hidden]\\"}"'],
  [
    "Authorization header: 'AWS4-HMAC-SHA256 Credential=AKIA/2026/eu, SignedHeaders=host, Signature=ab12'",
    "Authorization header: 'AWS4-HMAC-SHA256 Credential=[hidden], SignedHeaders=host, Signature=[hidden]'",
  ],
  ["Authorization: Bearer abc.def", "Authorization: [hidden]"],
  [
    `Unexpected token 'S', ..."ecret":SECRETKEY"... is not valid JSON`,
    "Unexpected token 'S', [hidden] is not valid JSON",
  ],
])("%j is shown as %j", (text, shown) => {
  expect(redact(text)).toBe(shown);
});

test.each([
  "Route 53 did not take GetHostedZone: CredentialsProviderError: Could not load credentials from any providers",
  "http://127.0.0.1:51678",
  "arn:aws:sts::123456789012:assumed-role/agent/i-0abc is not authorized to perform: route53:GetHostedZone",
  "The security token included in the request is expired",
  "Tried to create resource record set [name='web.example.internal.', type='A', set-identifier='x/y']",
  "mail me@example.org",
])("%j is shown as it is", (text) => {
  expect(redact(text)).toBe(text);
});

test("the environment's secrets are hidden wherever they stand", () => {
  const secrets = secretsOf({
    AWS_SECRET_ACCESS_KEY: "wJalr-secret",
    AWS_SESSION_TOKEN: "",
    PATH: "/usr/bin/x",
  });
  expect(redact("a wJalr-secret b wJalr-secret", secrets)).toBe("a [hidden] b [hidden]");
  expect(secrets).toEqual(["wJalr-secret"]);
});
