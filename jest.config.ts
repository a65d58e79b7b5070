import type { Config } from "jest";

const shared = {
  roots: ["<rootDir>/agent", "<rootDir>/lib", "<rootDir>/test"],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/test/support/strip-types.mjs" },
};

const config: Config = {
  projects: [
    {
      ...shared,
      displayName: "unit",
      testMatch: [
        "<rootDir>/test/{agent,lib,fuzz,convergence}/**/*.test.ts",
        "<rootDir>/test/*.test.ts",
      ],
      testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/lib/.+/io/"],
    },
    {
      ...shared,
      displayName: "engine",
      testMatch: ["<rootDir>/test/lib/**/io/**/*.test.ts", "<rootDir>/test/process/**/*.test.ts"],
      globalSetup: "<rootDir>/test/support/engine-setup.ts",
    },
    {
      ...shared,
      displayName: "deploy",
      testMatch: ["<rootDir>/test/deploy/**/*.test.ts"],
      globalSetup: "<rootDir>/test/support/deploy-setup.ts",
    },
    {
      ...shared,
      displayName: "kubernetes",
      testMatch: ["<rootDir>/test/kubernetes/**/*.test.ts"],
      globalSetup: "<rootDir>/test/support/kubernetes/setup.ts",
    },
  ],
  testSequencer: "<rootDir>/test/support/kubernetes/last.mjs",
  collectCoverageFrom: ["<rootDir>/{agent,lib}/**/*.ts"],
  coverageProvider: "v8",
  // Two: most engine tests wait for Docker, and more at once would only wait for each other.
  maxWorkers: 2,
  // Longer than any wait: a wait that gives up tells what it has seen.
  testTimeout: 120_000,
};
export default config;
