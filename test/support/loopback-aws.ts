import { afterAll, beforeAll } from "@jest/globals";

const environment: Readonly<Record<string, string>> = {
  AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** For the tests of a file: the SDK finds credentials that are none, and nothing of an AWS account. */
export function loopbackAws(): void {
  const before = new Map(Object.keys(environment).map((name) => [name, process.env[name]]));
  beforeAll(() => void Object.assign(process.env, environment));
  afterAll(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}
