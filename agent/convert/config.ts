import * as z from "zod";
import { commandFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, onOff } from "../cli/flags.ts";

const pairs = z
  .string()
  .regex(/^[^=,]+=[^,]*(?:,[^=,]+=[^,]*)*$/)
  .transform(
    (text) =>
      new Map(
        text.split(",").map((pair) => {
          const at = pair.indexOf("=");
          return [pair.slice(0, at), pair.slice(at + 1)] as const;
        }),
      ),
  );

export const parameters: Flag<ReadonlyMap<string, string> | undefined> = {
  takes: "Name=value,…",
  optional: true,
  help: "values for the parameters of CloudFormation templates, beside their defaults; AWS::Region and its like too",
  expected: "pairs such as ImageTag=1.2,AWS::Region=eu-west-1",
  schema: pairs,
};

const secretMap: Flag<ReadonlyMap<string, string> | string | undefined> = {
  takes: "file|what=name,…",
  optional: true,
  help: "what stands for secrets, environment files and pull secrets of AWS: `valueFrom=secret/key`, or a JSON or YAML file of such",
  expected: "a file's name, or pairs such as /prod/db=db/password",
  schema: z.union([pairs, z.string().regex(/^[^=]+$/)]),
};

// The names of a cluster and a service are letters, digits, hyphens and underscores (API reference, CreateService).
const ECS_NAME = /^[\w:/-]{1,512}$/;

const name = (help: string): Flag<string | undefined> => ({
  takes: "name",
  optional: true,
  help,
  expected: "a name or an ARN",
  schema: z.string().regex(ECS_NAME),
  noEnvironment: true,
});

const { json: _, ...common } = commandFlags;

export const flags = {
  output: {
    ...oneOf(["yaml", "json"], { byDefault: "yaml", help: "the form of the manifests" }),
    noEnvironment: true as const,
  },
  namespace: {
    takes: "name",
    optional: true,
    help: "the namespace that the manifests name; none when not given",
    expected: "a DNS label",
    schema: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  } satisfies Flag<string | undefined> as Flag<string | undefined>,
  serviceType: oneOf(["LoadBalancer", "NodePort", "ClusterIP"], {
    byDefault: "LoadBalancer",
    help: "the type of a Service that stands for load balancers",
  }),
  hostPorts: oneOf(["drop", "keep"], {
    byDefault: "drop",
    help: "whether fixed ports of the host are kept, which allows one pod a node",
  }),
  secretMap,
  parameters,
  strict: onOff({ help: "end with 3 when something of a definition is not mapped" }),
  cluster: name("convert the services of this live ECS cluster instead of files"),
  service: {
    ...name("of the live cluster only these services, separated by commas"),
    expected: "names of services",
    schema: z.string().regex(/^[\w:/-]{1,512}(?:,[\w:/-]{1,512})*$/),
  },
  ...common,
};

export const examples = [
  ["convert task.json service.json", "manifests on standard output, what is not mapped beside it"],
  ["convert template.yaml --parameters=ImageTag=1.2", "a CloudFormation template"],
  ["convert --cluster=prod --service=web", "a service as it runs"],
] as const;

export type ConvertConfig = ConfigOf<typeof flags> & { readonly words: readonly string[] };
