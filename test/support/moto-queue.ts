import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { type MotoServer, motoServer } from "./moto.ts";

/** A queue of an SQS that somebody else wrote, with a dead-letter queue. */
export interface MotoQueue extends AsyncDisposable {
  readonly moto: MotoServer;
  readonly client: SQSClient;
  readonly url: string;
  readonly deadLetterUrl: string;
}

export async function motoQueue(visibilitySeconds = 60): Promise<MotoQueue> {
  const moto = await motoServer();
  const client = new SQSClient(moto.client);
  const create = async (
    name: string,
    attributes: Partial<Record<QueueAttributeName, string>>,
  ): Promise<string> => {
    const command = new CreateQueueCommand({ QueueName: name, Attributes: attributes });
    const { QueueUrl: url = "" } = await client.send(command);
    // As it names itself; tests go to this machine by its address.
    return url.replace(/^https?:\/\/[^/]+/, moto.url);
  };
  const name = `discovery-${process.pid}-${Date.now()}`;
  const deadLetterUrl = await create(`${name}-dead`, {});
  const { Attributes: facts } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["QueueArn"] }),
  );
  const url = await create(name, {
    VisibilityTimeout: String(visibilitySeconds),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: facts?.QueueArn, maxReceiveCount: 20 }),
  });
  return {
    ...{ moto, client, url, deadLetterUrl },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await moto[Symbol.asyncDispose]();
    },
  };
}
