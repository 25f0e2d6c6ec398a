import { defineConfig } from "vitest/config";

const shared = { testTimeout: 30_000, hookTimeout: 90_000, restoreMocks: true };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts"],
        },
      },
      {
        test: {
          ...shared,
          name: "servers",
          include: ["test/{integration,e2e,chaos}/**/*.test.ts"],
          globalSetup: ["test/support/global-setup.ts"],
          maxWorkers: 2,
        },
      },
    ],
  },
});
