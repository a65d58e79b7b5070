import { describe, expect, it, test } from "@jest/globals";
import { autoService, readService, readTaskDefinition } from "../../../lib/cloud/io/definitions.ts";

const taskdef = (text: string) =>
  readTaskDefinition({ name: "web", file: "web.taskdef", text }, "p-");
const service = (text: string, families = new Map([["web", "p-web"]])) =>
  readService({ name: "web", file: "web.service", text }, { cluster: "c", families });
const told = (read: object) =>
  ("problems" in read ? (read.problems as { line: number; text: string }[]) : []).map(
    ({ line, text }) => `${line}: ${text}`,
  );

/** The example of the original's README, with its placeholders filled in. */
const README = `{
  "containerDefinitions" : [
    {
       "name" : "dashboard",
       "memoryReservation" : 256,
       "image" : "repo/image",
       "essential" : true,

       // there are for the name-based-routing
       "dockerLabels" : {
          "proxy.host" : "cost-dashboard-ecs.dgs.io",
          "proxy.ports" : "80:5001",
        "AUTOCREATE.SERVICE": ""
    },
    "portMappings" : [
      {
        "protocol" : "tcp",
        "containerPort" : 50000,
        "hostPort" : 50000
      }
   ],
    "environment" : [
      {
        "value" : "-Duser.timezone=America/New_York",
        "name" : "JAVA_OPTS"
      }
      ]
    }
  ]
}`;

describe("a task definition's file", () => {
  it("is read as the original's README shows it, comments and all", () => {
    const read = taskdef(README);
    expect(read).toMatchObject({
      notes: [],
      value: {
        family: "p-web",
        makesService: true,
        content: {
          containerDefinitions: [
            {
              name: "dashboard",
              memoryReservation: 256,
              dockerLabels: { "proxy.ports": "80:5001" },
            },
          ],
        },
      },
    });
    expect("value" in read && autoService(read.value)).toMatchObject({
      name: "web",
      taskDefinition: "p-web",
      auto: true,
    });
  });

  it("keeps its hash whatever its layout and comments", () => {
    const hash = (text: string) => {
      const read = taskdef(text);
      return "value" in read ? read.value.hash : read;
    };
    const plain = `{"containerDefinitions":[{"name":"a","image":"b","memory":8}]}`;
    const other = `{ // x\n "containerDefinitions": [{"memory": 8, "image": "b", "name": "a",}],\n}`;
    expect(hash(plain)).toBe(hash(other));
    expect(hash(plain)).not.toBe(hash(plain.replace("8", "9")));
  });

  test.each([
    ["", ["1: expected JSON, got nothing"]],
    [
      "{\n  'a': 1\n}",
      ["2: expected a name or text in double quotes, a number, true, false or null"],
    ],
    ['{\n "containerDefinitions": [\n  {"name": "a"\n "image": "b"}]}', ["4: expected a comma"]],
    ["[]", ["1: the file: expected members, { … }, got a list"]],
    ["{}", ["1: the file: containerDefinitions is missing"]],
    [
      '{"containerDefinitions": [],\n "volume": []}',
      [
        "1: containerDefinitions: expected at least one container",
        '2: the file: unknown key "volume", did you mean volumes?',
      ],
    ],
    [
      '{"containerDefinitions": [\n {"name": "a", "image": "b", "memory": "64",\n "portMapping": []}\n]}',
      [
        '2: containerDefinitions[0].memory: expected a number, got "64"',
        '3: containerDefinitions[0]: unknown key "portMapping", did you mean portMappings?',
      ],
    ],
    [
      '{"containerDefinitions": [\n {"essential": false,\n "mountPoints": [{"sourceVolume": "v",\n "containerPath": "/"}]}\n]}',
      [
        "1: containerDefinitions: expected at least one container that is essential",
        "2: containerDefinitions[0]: name is missing",
        "2: containerDefinitions[0]: image is missing",
        "2: containerDefinitions[0]: memoryReservation is missing (or memory, here or for the whole task)",
        '3: containerDefinitions[0]: sourceVolume "v" is none of the volumes',
      ],
    ],
    [
      '{"containerDefinitions": [{"name": "a", "image": "b", "memory": 8,\n "name": "c"}]}',
      ['2: "name" stands in line 1 already'],
    ],
  ])("%j is told by its lines", (text, expected) => {
    expect(told(taskdef(text))).toEqual(expected);
  });

  it("tells that the file's name is the family's, not what is in it", () => {
    const text = `{"family": "other", "containerDefinitions":[{"name":"a","image":"b","memory":8}]}`;
    const read = taskdef(text);
    expect(read).toMatchObject({ value: { family: "p-web" } });
    expect("notes" in read && read.notes).toEqual([
      'web.taskdef: the family is p-web, as the file is called; "other" in it is not used',
    ]);
  });
});

describe("a service's file", () => {
  it("runs the task definition that it names, or the one of its own name", () => {
    expect(service(`{"taskDefinition": "p-web", "desiredCount": 2}`)).toMatchObject({
      value: { name: "web", taskDefinition: "p-web", content: { desiredCount: 2 }, auto: false },
      notes: [],
    });
    expect(service("{}")).toMatchObject({ value: { taskDefinition: "p-web" } });
    expect(service(`{"taskDefinition": "web"}`)).toMatchObject({
      value: { taskDefinition: "p-web" },
      notes: [`web.service: "web" is taken for this folder's p-web`],
    });
    expect(service(`{"taskDefinition": "other:3"}`)).toMatchObject({
      value: { taskDefinition: "other:3" },
    });
    expect(told(service("{}", new Map()))).toEqual([
      "1: taskDefinition is missing, and there is no web.taskdef that it could run",
    ]);
  });

  test.each([
    [
      `{"desiredcount": 1}`,
      ['1: the file: unknown key "desiredcount", did you mean desiredCount?'],
    ],
    [
      `{"schedulingStrategy": "DAEMON",\n "desiredCount": 1}`,
      ["2: desiredCount: a DAEMON service has one task on each host, so leave it out"],
    ],
    [
      `{"launchType": "EC2",\n "capacityProviderStrategy": [{"capacityProvider": "x"}]}`,
      ["2: capacityProviderStrategy: expected no launchType beside it, take one of them out"],
    ],
  ])("%j is told by its lines", (text, expected) => {
    expect(told(service(text))).toEqual(expected);
  });
});
