import * as z from "zod";
import { LOCATION_FORMS, type Location, locationOf } from "../../lib/elb/files/location.ts";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, onOff } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { statusAddressOf } from "../page/status-address.ts";

const { introspectionUrl, stateDir, patience } = hostFlags;

const location = (environment: string, help: string): Flag<Location> => ({
  takes: "url",
  help,
  environment: [environment],
  expected: LOCATION_FORMS,
  schema: z.string().transform((text, context) => {
    const found = locationOf(text);
    if (found === undefined) context.addIssue("no location");
    return found as Location;
  }),
});

export const flags = {
  configurationUrl: location(
    "CONFIGURATION_URL",
    "the configuration file, with the cluster's name: s3://bucket/key or file:///path",
  ),
  servicesUrl: location(
    "SERVICES_URL",
    "the services file, read again each cycle: s3://bucket/key or file:///path",
  ),
  once: onOff({ help: "put everything right once, and end; `forward` takes a running process" }),
  dryRun: onOff({
    help: "print the steps that it would take, as a difference, and change nothing",
  }),
  json: {
    ...onOff({ help: "with --dryRun: the steps as one line of JSON" }),
    noEnvironment: true as const,
  },
  onStop: oneOf(["keep", "deregister"], {
    byDefault: "keep",
    help: "whether a stop takes this host out of its load balancers, and waits for their draining",
  }),
  force: onOff({
    help: "listen also on ports that Docker or the kernel may give to something else",
  }),
  introspectionUrl,
  stateDir: {
    ...stateDir,
    help: "holds the journal: what must be brought to its end after a crash",
  },
  patience: {
    ...patience,
    help: "how long the first answers may take: of the files, ECS and Elastic Load Balancing",
  },
  statusAddress: statusAddressOf("balancer"),
  ...commonFlags,
};

export const examples = [
  [
    "balancer --configurationUrl=s3://my-bucket/config.json --servicesUrl=s3://my-bucket/services.json",
    "follow the services of a file in S3",
  ],
  [
    "balancer --configurationUrl=file:///etc/config.json --servicesUrl=file:///etc/services.json --dryRun",
    "show what would change, and end",
  ],
] as const;

export type BalancerConfig = ConfigOf<typeof flags>;
