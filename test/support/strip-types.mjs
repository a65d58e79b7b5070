// Jest transform: erase the types and keep every position, as `node file.ts` does.
import { stripTypeScriptTypes } from "node:module";

export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
};
