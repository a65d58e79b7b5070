import { XMLParser } from "fast-xml-parser";
import * as z from "zod";
import { Fatal } from "../../kit/failure.ts";
import type { Network } from "../params.ts";
import { FOLDER_TAG, type Ownership, PREFIX_TAG, type Tags } from "../tags.ts";
import { type Account, ask, Denied } from "./signed.ts";

/** What an account has that no client of ours speaks about. Each function throws as `ask` does. */
export interface AccountFacts {
  /** Its VPCs, the subnets of the only one, and its key pairs. At most three requests. */
  network(): Promise<Network>;
  /**
   * Every task definition and service that carries the owner's tags, with all of its tags, 100 a request; undefined
   * where the permission for it is missing. It may be some moments behind.
   */
  tagged(
    owner: Ownership,
  ): Promise<readonly { readonly arn: string; readonly tags: Tags }[] | undefined>;
  /** The file systems that carry the owner's tags. */
  fileSystems(owner: Ownership): Promise<readonly string[]>;
  deleteFileSystem(id: string): Promise<void>;
}

const list = <T extends z.ZodType>(item: T) =>
  z
    .union([z.object({ item: z.array(item) }), z.literal("")])
    .optional()
    .transform((set) => (typeof set === "object" ? set.item : []));

const Vpcs = z.object({
  DescribeVpcsResponse: z.object({ vpcSet: list(z.object({ vpcId: z.string() })) }),
});
const Subnets = z.object({
  DescribeSubnetsResponse: z.object({
    subnetSet: list(z.object({ subnetId: z.string(), availabilityZone: z.string() })),
  }),
});
const Keys = z.object({
  DescribeKeyPairsResponse: z.object({ keySet: list(z.object({ keyName: z.string() })) }),
});
const Tagged = z.object({
  ResourceTagMappingList: z.array(
    z.object({
      ResourceARN: z.string(),
      Tags: z.array(z.object({ Key: z.string(), Value: z.string() })),
    }),
  ),
  PaginationToken: z.string().nullish(),
});
const FileSystems = z.object({
  FileSystems: z.array(
    z.object({
      FileSystemId: z.string().regex(/^fs-[0-9a-f]+$/),
      Tags: z.array(z.object({ Key: z.string(), Value: z.string() })),
    }),
  ),
  NextMarker: z.string().nullish(),
});

/** One request to a service, as `ask` sends it. */
type Sent = Parameters<typeof ask>[1];

export function accountFacts(
  account: Account,
  env: Readonly<Record<string, string | undefined>>,
): AccountFacts {
  const send = (sent: Sent) => ask(account, sent, env);
  return {
    network: () => networkOf(send),
    tagged: (owner) => taggedWith(send, owner),
    fileSystems: (owner) => fileSystemsOf(send, owner),
    async deleteFileSystem(id) {
      await send({
        ...EFS,
        operation: "DeleteFileSystem",
        method: "DELETE",
        path: `${EFS.path}/${id}`,
      });
    },
  };
}

type Send = (sent: Sent) => Promise<string>;

async function networkOf(send: Send): Promise<Network> {
  const parser = new XMLParser({
    isArray: (name) => name === "item",
    parseTagValue: false,
    ignoreAttributes: true,
  });
  const ec2 = async <T>(
    operation: string,
    schema: z.ZodType<T>,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<T> => {
    const body = new URLSearchParams({ Action: operation, Version: "2016-11-15", ...parameters });
    const text = await send({
      ...{ system: "EC2", service: "ec2", endpointName: "EC2", operation },
      headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      body: body.toString(),
    });
    return parsed("EC2", operation, schema, () => parser.parse(text));
  };
  const {
    DescribeVpcsResponse: { vpcSet },
  } = await ec2("DescribeVpcs", Vpcs);
  const vpcs = vpcSet.map(({ vpcId }) => vpcId);
  const [vpc] = vpcs;
  if (vpc === undefined || vpcs.length > 1) return { vpcs, subnets: [], keys: [] };
  const {
    DescribeSubnetsResponse: { subnetSet },
  } = await ec2("DescribeSubnets", Subnets, {
    "Filter.1.Name": "vpc-id",
    "Filter.1.Value.1": vpc,
  });
  const {
    DescribeKeyPairsResponse: { keySet },
  } = await ec2("DescribeKeyPairs", Keys);
  const subnets = subnetSet.map(({ subnetId: id, availabilityZone: zone }) => ({ id, zone }));
  return { vpcs, subnets, keys: keySet.map(({ keyName }) => keyName) };
}

async function taggedWith(send: Send, { project, prefix }: Ownership) {
  const found: { readonly arn: string; readonly tags: Tags }[] = [];
  let from: string | undefined;
  do {
    const asked = {
      ResourceTypeFilters: ["ecs:task-definition", "ecs:service"],
      TagFilters: [
        { Key: FOLDER_TAG, Values: [project] },
        { Key: PREFIX_TAG, Values: [prefix] },
      ],
      ResourcesPerPage: 100,
      ...(from !== undefined && { PaginationToken: from }),
    };
    let text: string;
    try {
      text = await send({
        ...{ system: "the tagging API", service: "tagging", operation: "GetResources" },
        endpointName: "RESOURCE_GROUPS_TAGGING_API",
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": "ResourceGroupsTaggingAPI_20170126.GetResources",
        },
        body: JSON.stringify(asked),
      });
    } catch (error) {
      if (error instanceof Denied) return undefined;
      throw error;
    }
    const page = parsed("the tagging API", "GetResources", Tagged, () => JSON.parse(text));
    for (const { ResourceARN: arn, Tags: tags } of page.ResourceTagMappingList) {
      found.push({ arn, tags: new Map(tags.map(({ Key, Value }) => [Key, Value])) });
    }
    from = page.PaginationToken || undefined;
  } while (from !== undefined);
  return found;
}

const EFS = {
  system: "EFS",
  service: "elasticfilesystem",
  endpointName: "EFS",
  path: "/2015-02-01/file-systems",
} as const;

async function fileSystemsOf(send: Send, { project, prefix }: Ownership) {
  const ids: string[] = [];
  let from: string | undefined;
  do {
    const query = from === undefined ? {} : { Marker: from };
    const text = await send({ ...EFS, operation: "DescribeFileSystems", method: "GET", query });
    const page = parsed("EFS", "DescribeFileSystems", FileSystems, () => JSON.parse(text));
    for (const { FileSystemId: id, Tags: tags } of page.FileSystems) {
      const has = (key: string, value: string) =>
        tags.some(({ Key, Value }) => Key === key && Value === value);
      if (has(FOLDER_TAG, project) && has(PREFIX_TAG, prefix)) ids.push(id);
    }
    from = page.NextMarker || undefined;
  } while (from !== undefined);
  return ids;
}

function parsed<T>(
  system: string,
  operation: string,
  schema: z.ZodType<T>,
  read: () => unknown,
): T {
  let content: unknown;
  try {
    content = read();
  } catch {
    throw new Fatal(`${system} answered ${operation} with text that can't be read`);
  }
  const result = schema.safeParse(content);
  if (!result.success) throw new Fatal(`${system} answered ${operation} in an unknown shape`);
  return result.data;
}
