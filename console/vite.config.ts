/** Builds the operator's page. Nothing of it runs in Node: the server sends the files as they are. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The build is always for production, whatever NODE_ENV a test or a shell has set. React for development is twice as large.
if (process.argv.includes("build")) process.env["NODE_ENV"] = "production";

export default defineConfig({
  root: import.meta.dirname,
  base: "/console/",
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // No script that polyfills: browsers that know light-dark() know module preloading.
    modulePreload: { polyfill: false },
    // As data URLs they would need a looser content security policy.
    assetsInlineLimit: 0,
    target: "es2023",
    cssTarget: "chrome123",
    reportCompressedSize: false,
  },
  // While one works on the page: `tenantry start` beside it answers.
  server: { proxy: { "/graphql": { target: "http://127.0.0.1:4000" } } },
});
