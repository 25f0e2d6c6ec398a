/**
 * The import rules of the architecture, generated from one table. `test/architecture.test.ts` runs them, proves that
 * every module was seen, and that a planted violation of each rule is found.
 */
const { Visitor } = require("@swc/core/Visitor.js");

// The visitor that dependency-cruiser walks with does not know `using`: it would stop at the first one.
const visitStatement = Visitor.prototype.visitStatement;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement);
  for (const declarator of statement.decls) this.visitVariableDeclarator(declarator);
  return statement;
};

/** What nearly every room of the engine stands on. */
const BASE = ["base/kernel", "base/postgres", "engine/failures"];

/** The rooms of the engine in whose names people ask for something. The others are for these alone. */
const ASKED = [
  "auth",
  "audit",
  "events",
  "home",
  "people",
  "erasure",
  "regions",
  "placements",
  "moves",
  "jobs",
  "links",
  "border",
  "failures",
  "readings",
].map((room) => `engine/${room}`);

/** The container that functions take; the type names what each room puts into it. */
const SERVICES = "engine/services";

/** What the app's migrations say about its tables. */
const TABLES = "engine/tables";

/**
 * Each folder (or file) of src/, and what it may import apart from itself. `may` is the row of the design; `also` is what
 * building it has shown to be needed on top, with the reason. A folder without a row may not exist. The rows go upwards:
 * app → api → engine → base, and the rooms of the engine among themselves likewise.
 */
const ROWS = [
  { part: "base/kernel", may: [] },
  { part: "base/observability", may: ["base/kernel"] },
  { part: "base/postgres", may: ["base/kernel", "base/observability"] },

  { part: "engine/failures", may: ["base/kernel", "base/postgres"] },
  { part: "engine/schema", may: [] },
  { part: "engine/migrations", may: [...BASE, "engine/schema"] },
  { part: "engine/replication", may: [...BASE, "base/observability"] },
  { part: TABLES, may: [...BASE, "engine/migrations", "engine/replication"] },
  { part: "engine/auth", may: [...BASE, "base/observability"] },
  {
    part: "engine/routing",
    may: [...BASE, "engine/auth"],
    also: ["engine/migrations"],
    why: "a database is served by the version of its schema",
  },
  { part: "engine/servers", may: BASE },
  {
    part: "engine/home",
    may: [...BASE, "engine/auth", "engine/servers"],
    also: ["engine/migrations"],
    why: "home records the version of each tenant database's schema",
  },
  {
    part: "engine/border",
    may: [...BASE, "base/observability", "engine/replication"],
    also: ["engine/auth", "engine/home", "engine/migrations", TABLES, SERVICES],
    why: "what may pass goes by the schema versions of the databases that home knows, and only the operator reads it",
  },
  {
    part: "engine/regions",
    may: [...BASE, "engine/auth", "engine/servers", "engine/home"],
    also: ["base/observability", "engine/replication", "engine/border", "engine/migrations", SERVICES],
    why: "the log says which region is away, a region is taken when its server reaches the gateway and has room for replication, and a database says of which version it is",
  },
  {
    part: "engine/audit",
    may: [...BASE, "engine/auth"],
    also: ["engine/home", "engine/regions", SERVICES],
    why: "entries about content stay in their region, so pruning goes to every region",
  },
  {
    part: "engine/events",
    may: [...BASE, "engine/home", TABLES],
    also: ["engine/replication"],
    why: "rows of the catalog have changed when something was carried",
  },
  { part: "engine/jobs", may: [...BASE, "base/observability", "engine/auth", "engine/home", SERVICES] },
  {
    part: "engine/links",
    may: [...BASE, "engine/auth", "engine/home", "engine/regions", "engine/border", "engine/replication", SERVICES],
    also: ["base/observability", "engine/servers"],
    why: "what its servers keep refusing is logged once, and a region is carried on the address that was probed",
  },
  {
    part: "engine/people",
    may: [...BASE, "base/observability", "engine/auth", "engine/home", "engine/links", SERVICES],
  },
  {
    part: "engine/erasure",
    may: [...BASE, "engine/auth", "engine/home", "engine/regions", "engine/links", "engine/jobs", TABLES, SERVICES],
    also: ["engine/audit", "engine/border", "engine/migrations", "engine/replication"],
    why: "an erasure that is done again is in the audit log, what a region keeps of it is proved by the border's secret, a version says which columns there are, and links that carry it are nudged",
  },
  {
    part: "engine/transfer",
    may: [...BASE, "engine/auth", "engine/home", "engine/regions", "engine/links", "engine/jobs", TABLES, SERVICES],
    also: ["engine/migrations", "engine/erasure"],
    why: "an export has the version of the schema that its rows are of, and what an import brings back of an erased user is erased again",
  },
  {
    part: "engine/placements",
    may: [...BASE, "engine/auth", "engine/home", "engine/regions", "engine/links", "engine/jobs", TABLES, SERVICES],
    also: ["engine/audit", "engine/migrations", "engine/replication", "engine/servers", "engine/transfer"],
    why: "a placement is made and unmade with all that belongs to it: template, links, export, entries",
  },
  {
    part: "engine/moves",
    may: [...BASE, "engine/auth", "engine/home", "engine/regions", "engine/links", "engine/jobs", TABLES, SERVICES],
    also: [
      "base/observability",
      "engine/audit",
      "engine/border",
      "engine/erasure",
      "engine/migrations",
      "engine/placements",
      "engine/replication",
      "engine/routing",
      "engine/servers",
    ],
    why: "a move makes a placement in one database and takes it out of another, and its stream is a link of its own",
  },
  {
    part: "engine/fleet",
    may: [
      ...BASE,
      "engine/home",
      "engine/regions",
      "engine/links",
      "engine/jobs",
      "engine/migrations",
      TABLES,
      SERVICES,
    ],
    also: ["engine/auth", "engine/placements", "engine/replication", "engine/servers"],
    why: "the template is migrated with the fleet, and publications follow the schema",
  },
  {
    part: "engine/doctor",
    may: [
      ...BASE,
      "engine/auth",
      "engine/home",
      "engine/regions",
      "engine/jobs",
      "engine/placements",
      "engine/erasure",
      TABLES,
      SERVICES,
    ],
    also: ["engine/links", "engine/migrations", "engine/readings", "engine/replication", "engine/servers"],
    why: "it compares what servers have with what migrations and links should have made there",
  },
  {
    part: "engine/readings",
    may: [
      ...BASE,
      "engine/auth",
      "engine/home",
      "engine/regions",
      "engine/links",
      "engine/jobs",
      "engine/replication",
      SERVICES,
    ],
    also: ["engine/migrations", "engine/servers"],
    why: "it reads whatever an operator must know: versions of schemas and what servers have room for too",
  },
  {
    part: SERVICES,
    may: [
      ...BASE,
      "base/observability",
      "engine/auth",
      "engine/home",
      "engine/people",
      "engine/regions",
      "engine/border",
    ],
    also: [
      "engine/doctor",
      "engine/erasure",
      "engine/migrations",
      "engine/readings",
      "engine/replication",
      "engine/routing",
      TABLES,
    ],
    why: "types only (services-are-types): it runs nothing, so files do not import in a circle",
  },

  {
    part: "api/graphql",
    may: [...ASKED, "engine/doctor", "engine/fleet", SERVICES],
    also: ["base/kernel", "base/observability", "engine/routing", "engine/migrations"],
    why: "ids and typed errors are the kernel's; an unexpected error is logged where it is masked; an app names its migrations",
  },
  {
    part: "api/http",
    may: ["api/graphql", "base/observability"],
    also: ["base/kernel", "engine/auth", "engine/audit", "engine/failures", SERVICES, "config"],
    why: "it finds out who calls and from where, and hands the services it was started with to the resolvers; its settings are a part of the one type of all settings",
  },
  {
    part: "app",
    may: ["api/graphql/kit", "engine/auth", "engine/routing", "base/kernel"],
    also: ["engine/migrations"],
    why: "an app is written as a team would write it, with the kit; its tables are migrations",
  },

  {
    part: "metrics",
    may: ["base/kernel", "base/observability", "base/postgres", "engine/readings"],
    also: ["engine/auth", "engine/jobs", "engine/migrations"],
    why: "the operator reads; of each kind of job there is a series, and versions are shown as one number",
  },

  { part: "config", may: ["base/kernel"] },
  { part: "embedded", may: ["base/kernel"] },
  { part: "services", may: ["base", "engine", "config"] },
  { part: "job-handlers", may: ["engine"] },
  { part: "work", may: ["engine", "job-handlers"] },
  // What a team's own server imports: the engine without its API and without the app that ships.
  { part: "library", may: ["base", "engine", "config", "services", "work", "project"] },
  {
    part: "project",
    may: [...BASE, "engine/erasure", "engine/people", "engine/migrations", TABLES],
    why: "a team's migrations and its letter of invitation are tried and read as the engine does it; it starts nothing",
  },
  { part: "index", may: ["project", "library", "base/kernel"] },
  {
    part: "testing",
    may: ["project", "embedded", "main", "services", "config", "base/kernel"],
    also: [...ASKED, "engine/routing", SERVICES],
    why: "it runs the whole program in a test's process, and stands for its API",
  },
  {
    part: "cli",
    may: [...ASKED, "engine/doctor", "engine/fleet", "engine/transfer", SERVICES],
    also: [
      "base/kernel",
      "base/observability",
      "config",
      "embedded",
      "main",
      "services",
      "app",
      "project",
      TABLES,
      "engine/migrations/schema-version",
      "api/graphql/module",
    ],
    why: "`start` reads the configuration, starts the embedded servers, and runs the composition root; other commands make their own log and services, for the app's tables, and show which schema version a database has; a team's modules are told from what else its files export",
  },
  { part: "main", may: "all" },
];

/** A folder's modules or the one file of that name. */
const within = (parts) => `^src/(${parts.join("|")})(/|\\.ts$)`;
const TESTS = "\\.test\\.ts$";
/** The driver, whether it resolves to node_modules or, in a planted tree, to nothing. */
const DRIVER = "(^|node_modules/)(pg|pg-native|pg-pool|pg-cursor|@types/pg)(/|$)";

const rows = ROWS.filter(({ may }) => may !== "all").map(({ part, may, also = [] }) => {
  const allowed = also.concat(may);
  return {
    name: `imports-of-${part.replaceAll("/", "-")}`,
    comment: `src/${part} may import ${allowed.length === 0 ? "nothing else of src/" : allowed.join(", ")}.`,
    severity: "error",
    from: { path: within([part]), pathNot: TESTS },
    to: { path: "^src/", pathNot: within([part, ...allowed]) },
  };
});

module.exports = {
  forbidden: [
    ...rows,
    {
      name: "folder-without-a-row",
      comment: "Every folder of src/ has a row in the table that says what it may import.",
      severity: "error",
      from: { path: "^src/", pathNot: [within(ROWS.map(({ part }) => part)), "^src/app/"] },
      to: {},
    },
    {
      name: "base-never-engine",
      comment: "The base knows nothing of what is built on it.",
      severity: "error",
      from: { path: within(["base"]), pathNot: TESTS },
      to: { path: "^src/", pathNot: within(["base"]) },
    },
    {
      name: "engine-never-api",
      comment: "The engine runs without its API: what it does can be asked for in other ways.",
      severity: "error",
      from: { path: within(["engine"]), pathNot: TESTS },
      to: { path: within(["api", "cli", "library", "main", "services", "job-handlers", "work"]), reachable: true },
    },
    {
      name: "library-never-api",
      comment: "A team's server that brings its own API and its own tables carries neither of ours.",
      severity: "error",
      from: { path: within(["library"]), pathNot: TESTS },
      to: { path: within(["api", "app", "cli", "main"]), reachable: true },
    },
    {
      name: "engine-never-app",
      comment:
        "The engine knows tenant tables in general and no table by name, so that another app can take its place.",
      severity: "error",
      from: { path: within(["engine"]), pathNot: TESTS },
      to: { path: within(["app"]), reachable: true },
    },
    {
      name: "api-never-app",
      comment: "What an app brings is handed in, as one value, by the composition root.",
      severity: "error",
      from: { path: within(["api"]), pathNot: TESTS },
      to: { path: within(["app"]) },
    },
    {
      name: "services-are-types",
      comment: "The container's type may name what every room puts into it, as a type takes part in no run.",
      severity: "error",
      from: { path: within([SERVICES]) },
      to: { dependencyTypesNot: ["type-only"] },
    },
    {
      name: "content-never-home",
      comment: "A tenant's data is reached without the rows at home, so that it can stay in its region.",
      severity: "error",
      from: { path: within(["engine/routing"]), pathNot: TESTS },
      to: {
        path: within(["home", "people", "regions", "placements"].map((room) => `engine/${room}`)),
        reachable: true,
      },
    },
    {
      name: "graphql-never-postgres",
      comment: "Resolvers call functions of the engine; SQL and connections are theirs.",
      severity: "error",
      from: { path: within(["api/graphql"]), pathNot: TESTS },
      to: { path: [within(["base/postgres"]), DRIVER] },
    },
    {
      name: "driver-only-in-postgres",
      comment: "src/base/postgres is the only importer of the driver.",
      severity: "error",
      from: { path: "^src/", pathNot: [within(["base/postgres"]), TESTS] },
      to: { path: DRIVER },
    },
    {
      name: "source-never-imports-tests",
      comment: "What ships does not import what tests it, measures it or starts it.",
      severity: "error",
      from: { path: "^(src|bin)/", pathNot: TESTS },
      to: { path: ["^(test|bench|build)/", TESTS] },
    },
    {
      name: "no-cycles",
      comment: "Neither folders nor files import in a circle, not even for types.",
      severity: "error",
      from: { path: "^(src|bin)/" },
      to: { circular: true },
    },
    {
      name: "no-unresolvable",
      comment:
        "An import that leads nowhere would also escape every other rule. The contestants have packages of their own.",
      severity: "error",
      from: { pathNot: "^bench/contestants/" },
      // The example imports the package by its name, which is built only when it is packed.
      to: { couldNotResolve: true, pathNot: [DRIVER, "^tenantry(/|$)"] },
    },
  ],
  options: {
    // TypeScript 7 has no API that dependency-cruiser can call: with its default parser it passes on zero modules.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^test/fixtures/" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".cjs", ".json"],
      conditionNames: ["import", "node", "default", "types"],
      exportsFields: ["exports"],
    },
  },
};
