import { LineCounter, parseDocument } from "yaml";
import type { Template } from "../stack.ts";
import type { Problem } from "../variables.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A CloudFormation template, as YAML or JSON, as far as a plan needs it; CloudFormation itself judges the rest. */
export function readTemplate(
  file: string,
  text: string,
): { readonly template: Template } | { readonly problems: readonly Problem[] } {
  const lineCounter = new LineCounter();
  // The short forms (!Ref, !Sub) are tags that no schema knows.
  const document = parseDocument(text, {
    lineCounter,
    logLevel: "silent",
    maxAliasCount: 100,
  } as Parameters<typeof parseDocument>[1]);
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    return {
      problems: [{ file, line, text: `expected YAML or JSON: ${error.message.split("\n")[0]}` }],
    };
  }
  const content: unknown = document.toJS({ maxAliasCount: 100 });
  if (!isObject(content) || !isObject(content["Resources"])) {
    return { problems: [{ file, line: 1, text: "expected a template with Resources" }] };
  }
  const section = (
    name: string,
  ): readonly (readonly [string, Readonly<Record<string, unknown>>])[] =>
    Object.entries(isObject(content[name]) ? content[name] : {}).map(([key, value]) => [
      key,
      isObject(value) ? value : {},
    ]);
  const outputs = section("Outputs");
  return {
    template: {
      text,
      parameters: new Map(
        section("Parameters").map(([name, { Type, Default, NoEcho }]) => [
          name,
          {
            type: String(Type),
            hidden: NoEcho === true || NoEcho === "true",
            ...(Default !== undefined && { byDefault: defaultText(Default) }),
          },
        ]),
      ),
      outputs: new Map(outputs.map(([name, { Value }]) => [name, referenced(Value)])),
      resources: new Map(section("Resources").map(([name, { Type }]) => [name, String(Type)])),
      retained: new Set(
        section("Resources")
          .filter(([, { DeletionPolicy }]) => /^Retain/.test(String(DeletionPolicy)))
          .map(([name]) => name),
      ),
      exports: outputs.some(([, { Export }]) => Export !== undefined),
      imports: /ImportValue/.test(text),
    },
  };
}

/** The name in `!Ref name`, which is read as its text, or in `{"Ref": name}`; "" for any other value. */
const referenced = (value: unknown): string => {
  if (typeof value === "string") return value;
  return isObject(value) && typeof value["Ref"] === "string" ? value["Ref"] : "";
};

/** As CloudFormation tells it back: a list with commas, all else as it is written. */
const defaultText = (value: unknown): string =>
  Array.isArray(value) ? value.map(String).join(",") : String(value as string | number | boolean);
