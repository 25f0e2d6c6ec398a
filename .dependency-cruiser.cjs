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

const SERVICES = ["auth", "audit", "directory", "workspace"];

/**
 * Each folder (or file) of src/, and what it may import apart from itself. `may` is the row of the design; `also` is what
 * building it has shown to be needed on top, with the reason. A folder without a row may not exist.
 */
const ROWS = [
  { part: "main", may: "all" },
  { part: "config", may: ["kernel"] },
  { part: "kernel", may: [] },
  { part: "observability", may: ["kernel"] },
  { part: "postgres", may: ["kernel", "observability"] },
  { part: "schema", may: [] },
  { part: "migrations", may: ["kernel", "postgres", "schema"] },
  { part: "replication", may: ["kernel", "postgres"] },
  { part: "border", may: ["kernel", "observability", "postgres", "replication"] },
  { part: "auth", may: ["kernel", "postgres"] },
  { part: "audit", may: ["kernel", "postgres", "auth"] },
  { part: "directory", may: ["kernel", "postgres", "auth"] },
  {
    part: "workspace",
    may: ["kernel", "postgres", "auth"],
    also: ["audit"],
    why: "what is written and its entry are one statement",
  },
  {
    part: "operations",
    may: ["kernel", "observability", "postgres", "schema", "migrations", "replication", "border", ...SERVICES],
  },
  {
    part: "graphql",
    may: [...SERVICES, "operations"],
    also: ["kernel", "observability"],
    why: "ids and typed errors are the kernel's; an unexpected error is logged where it is masked",
  },
  {
    part: "http",
    may: ["graphql", "observability"],
    also: ["kernel", "auth", "audit", "operations"],
    why: "it finds out who calls and from where, and hands the services it was started with to the resolvers",
  },
  {
    part: "cli",
    may: [...SERVICES, "operations"],
    also: ["kernel", "observability", "config", "embedded", "main"],
    why: "`start` reads the configuration, starts the embedded servers, and runs the composition root; other commands make their own log",
  },
  { part: "embedded", may: ["kernel"] },
];

/** Files of the application that ships, wherever they stand. The composition root alone may import them. */
const APP = [
  "^src/app/",
  "^src/workspace/comments\\.ts$",
  "^src/graphql/(resources|comments)\\.ts$",
  "^src/http/explorer/journey\\.ts$",
];
/** What an application may import: the kit, and services of the engine. */
const FOR_APPS = ["^src/graphql/kit\\.ts$", "^src/(workspace|kernel|auth)/"];

/** A folder's modules or the one file of that name. */
const within = (parts) => `^src/(${parts.join("|")})(/|\\.ts$)`;
const TESTS = "\\.test\\.ts$";
/** The driver, whether it resolves to node_modules or, in a planted tree, to nothing. */
const DRIVER = "(^|node_modules/)(pg|pg-native|pg-pool|pg-cursor|@types/pg)(/|$)";

const rows = ROWS.filter(({ may }) => may !== "all").map(({ part, may, also = [] }) => {
  const allowed = also.concat(may);
  return {
    name: `imports-of-${part}`,
    comment: `src/${part} may import ${allowed.length === 0 ? "nothing else of src/" : allowed.join(", ")}.`,
    severity: "error",
    from: { path: within([part]), pathNot: [TESTS, ...APP] },
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
      name: "apps-by-the-kit",
      comment: "An application is written as a team would write it: with the kit, and services of the engine.",
      severity: "error",
      from: { path: APP, pathNot: TESTS },
      to: { path: "^src/", pathNot: [...APP, ...FOR_APPS] },
    },
    {
      name: "engine-never-app",
      comment: "The engine and its API know no application: what one brings is handed in, as one value, by main.ts.",
      severity: "error",
      from: { path: "^src/", pathNot: [...APP, "^src/main\\.ts$", TESTS] },
      to: { path: APP },
    },
    {
      name: "workspace-never-directory",
      comment: "A tenant's data is reached without the directory, so that it can stay in its region.",
      severity: "error",
      from: { path: within(["workspace"]), pathNot: TESTS },
      to: { path: within(["directory"]), reachable: true },
    },
    {
      name: "graphql-never-postgres",
      comment: "Resolvers call services and operations; SQL and connections are theirs.",
      severity: "error",
      from: { path: within(["graphql"]), pathNot: TESTS },
      to: { path: [within(["postgres"]), DRIVER] },
    },
    {
      name: "driver-only-in-postgres",
      comment: "src/postgres is the only importer of the driver.",
      severity: "error",
      from: { path: "^src/", pathNot: [within(["postgres"]), TESTS] },
      to: { path: DRIVER },
    },
    {
      name: "source-never-imports-tests",
      comment: "What ships does not import what tests it, measures it or starts it.",
      severity: "error",
      from: { path: "^(src|bin)/", pathNot: TESTS },
      to: { path: ["^(test|bench)/", TESTS] },
    },
    {
      name: "console-stands-alone",
      comment: "The operator's page runs in a browser: it imports nothing of the server.",
      severity: "error",
      from: { path: "^console/" },
      to: { path: "^(src|bin|test|bench)/" },
    },
    {
      name: "no-cycles",
      comment: "Neither folders nor files import in a circle, not even for types.",
      severity: "error",
      from: { path: "^(src|bin|console)/" },
      to: { circular: true },
    },
    {
      name: "no-unresolvable",
      comment:
        "An import that leads nowhere would also escape every other rule. The contestants have packages of their own.",
      severity: "error",
      from: { pathNot: "^bench/contestants/" },
      to: { couldNotResolve: true, pathNot: DRIVER },
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
