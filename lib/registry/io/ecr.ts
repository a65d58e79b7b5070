import { ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import { Fatal } from "../../kit/failure.ts";

/** A login to ECR: `AWS:password` in base64, and for how long it holds. */
export interface EcrToken {
  readonly auth: string;
  readonly lifetimeMs: number;
}

/** Asks ECR of a region for a login. Throws `Unavailable` when trying again may help and `Fatal` when it does not. */
export async function ecrToken(region: string): Promise<EcrToken> {
  const client = new ECRClient({ region, ...clientDefaults() });
  try {
    const { authorizationData: [data] = [] } = await client
      .send(new GetAuthorizationTokenCommand({}))
      .catch((error: unknown) => {
        throw awsFailure("ECR", "GetAuthorizationToken", error, {
          permission: "ecr:GetAuthorizationToken",
        });
      });
    const auth = data?.authorizationToken;
    if (auth === undefined || !/^[A-Za-z0-9+/]+=*$/.test(auth)) {
      throw new Fatal("ECR answered GetAuthorizationToken without a token");
    }
    // 12 hours, says the API reference, where the answer does not.
    const lifetimeMs = (data?.expiresAt?.getTime() ?? Date.now() + 12 * 3_600_000) - Date.now();
    return { auth, lifetimeMs };
  } finally {
    client.destroy();
  }
}
