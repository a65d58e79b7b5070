import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { paramsFromNetwork, parseParams } from "../../../lib/cloud/params.ts";

const values = (text: string) =>
  Object.fromEntries([...parseParams("p", text).params].map(([key, { value }]) => [key, value]));
const complaints = (text: string) =>
  parseParams("p", text).problems.map(({ line, text: what }) => `${line}: ${what}`);

describe("a parameters file", () => {
  it("is read as the original's README shows it", () => {
    const text = [
      "     VpcId=vpc-12345",
      "     SubnetA=subnet-12345",
      "     SubnetB=subnet-23456",
      "     SubnetC=subnet-34567",
      "     KeyName=My SSH Key",
    ].join("\n");
    expect(values(text)).toEqual({
      VpcId: "vpc-12345",
      SubnetA: "subnet-12345",
      SubnetB: "subnet-23456",
      SubnetC: "subnet-34567",
      KeyName: "My SSH Key",
    });
  });

  test.each([
    ["the first equals sign splits", "A=b=c", { A: "b=c" }],
    ["spaces belong to the value", "A= b  c ", { A: " b  c " }],
    ["a number sign in a value is one", "A=b # c", { A: "b # c" }],
    ["lines end as they do on Windows", "A=b\r\nC=d\r\n", { A: "b", C: "d" }],
    ["a byte order mark is none of it", "\uFEFFA=b", { A: "b" }],
    ["comments and blank lines say nothing", "# x\n\n  # y=z\nA=", { A: "" }],
  ])("%s", (_, text, expected) => {
    expect(values(text)).toEqual(expected);
    expect(complaints(text)).toEqual([]);
  });

  it("tells every line that is wrong, by its number", () => {
    expect(complaints("A=1\nnot a pair\nB-C=2\nA=3\n=4")).toEqual([
      "2: expected Key=Value, got a line without an equals sign",
      '3: expected a parameter\'s name of letters and digits before the equals sign, got "B-C"',
      "4: A stands in line 1 already",
      '5: expected a parameter\'s name of letters and digits before the equals sign, got ""',
    ]);
  });

  it("gives back every value that it was written from", () => {
    const line = fc.string().filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[A-Za-z0-9]{1,20}$/), line), (wanted) => {
        const text = Object.entries(wanted).map(([key, value]) => `${key}=${value}\n`);
        expect(values(text.join(""))).toEqual({ ...wanted });
      }),
    );
  });
});

describe("the parameters file that makes itself", () => {
  const subnets = ["c", "a", "b", "a"].map((zone, at) => ({ id: `subnet-${at}`, zone }));

  it("takes the one VPC, a subnet of each of three zones, and the one key pair", () => {
    const made = paramsFromNetwork({ vpcs: ["vpc-1"], subnets, keys: ["My SSH Key"] });
    expect("text" in made && values(made.text)).toEqual({
      VpcId: "vpc-1",
      SubnetA: "subnet-1",
      SubnetB: "subnet-2",
      SubnetC: "subnet-0",
      KeyName: "My SSH Key",
    });
  });

  test.each([
    ["no VPC", { vpcs: [] }, "expected exactly one VPC, found none"],
    ["two VPCs", { vpcs: ["vpc-1", "vpc-2"] }, "expected exactly one VPC, found 2"],
    ["two zones", { subnets: subnets.slice(0, 2) }, "found 2 in 2"],
    ["no key pair", { keys: [] }, "expected exactly one key pair, found none"],
    ["two key pairs", { keys: ["a", "b"] }, 'found 2 ("a", "b")'],
  ])("is not made of %s", (_, part, expected) => {
    const made = paramsFromNetwork({ vpcs: ["vpc-1"], subnets, keys: ["k"], ...part });
    expect("problem" in made && made.problem).toContain(expected);
    expect("problem" in made && made.problem).toContain("write ecs-cluster.params");
  });
});
