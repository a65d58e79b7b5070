/** A queue's URL, as far as it says something itself. */
export interface QueueUrl {
  readonly url: string;
  /** From the name of its host; undefined where that is not SQS's own. */
  readonly region?: string;
  readonly name: string;
}

const SQS_HOST =
  /^(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue|([\w-]+)\.sqs\.([a-z0-9-]+)\.vpce)\.amazonaws\.com(?:\.cn)?$/;
/** Every FIFO queue's name ends like this, and no other's (API reference, CreateQueue, QueueName). */
const FIFO = ".fifo";
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * The standard queue's URL read; undefined for what is none, for a FIFO queue's, and for one without TLS that leaves this
 * machine.
 */
export function queueUrlOf(text: string): QueueUrl | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.search !== "" || url.hash !== "") return undefined;
  const isSafe =
    url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname));
  const [, name] = /^(?:\/[\w-]+)+\/([\w.-]{1,80})$/.exec(url.pathname) ?? [];
  if (!isSafe || name === undefined || name.endsWith(FIFO)) return undefined;
  const [, plain, old, , endpoint] = SQS_HOST.exec(url.hostname) ?? [];
  const region = plain ?? old ?? endpoint;
  return { url: text, name, ...(region !== undefined && { region }) };
}
