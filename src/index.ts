/**
 * The package `tenantry`. What is imported here loads on every Node, as configurations import it; what needs Node 24 is
 * loaded when it is called.
 */
export { defineConfig, type TenantryConfig } from "#project/define-config";
