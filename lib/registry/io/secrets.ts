import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import { Fatal } from "../../kit/failure.ts";

/**
 * The text of a secret, from the region that its ARN names. Throws `Unavailable` when trying again may help and `Fatal`
 * when it does not; neither ever quotes the secret.
 */
export async function secretText(arn: string): Promise<string> {
  const [, region = ""] = /^arn:[^:]+:secretsmanager:([^:]+):/.exec(arn) ?? [];
  const client = new SecretsManagerClient({ region, ...clientDefaults() });
  try {
    const { SecretString } = await client
      .send(new GetSecretValueCommand({ SecretId: arn }))
      .catch((error: unknown) => {
        throw awsFailure("Secrets Manager", "GetSecretValue", error, {
          permission: "secretsmanager:GetSecretValue",
          on: arn,
        });
      });
    if (SecretString === undefined) throw new Fatal(`${arn} is binary, expected a text`);
    return SecretString;
  } finally {
    client.destroy();
  }
}
