import { defineConfig } from "tenantry";

export default defineConfig({
  migrations: { tenant: "./db/tenant" },
  modules: ["./src/invoices.ts"],
  erase: "./db/erase.sql",
});
