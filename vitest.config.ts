import { defineConfig } from "vitest/config";

const shared = { testTimeout: 30_000, hookTimeout: 90_000, restoreMocks: true };

// One build of each library: Vite would add the condition "development", which Node does not, and so load a second
// copy of graphql beside the one that Yoga imports.
const conditions = ["node", "module-sync"];

/** What a project imports by the package's name. */
const root = import.meta.dirname;
const alias = {
  "tenantry/graphql": `${root}/src/api/graphql/kit.ts`,
  "tenantry/testing": `${root}/src/testing.ts`,
};

export default defineConfig({
  resolve: { alias },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: "servers",
          include: ["test/{integration,e2e,chaos,hostile}/**/*.test.ts"],
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/record-run.ts"],
          maxWorkers: 2,
        },
      },
    ],
  },
});
