import { describe, expect, test } from "vitest";
import { TenantryError } from "#base/kernel/errors";
import { Breaker, ServerAwayError } from "#base/postgres/breaker";
import { type FailedAt, noteFailedAt } from "#base/postgres/failed-at";
import { isConnectionFailure, SQL_STATE } from "#base/postgres/sql-state";
import { explainConnectFailure } from "#engine/failures/connect-failure";
import { explainRefusal, explainToCaller, HOME, regionNamed, tellOperator } from "#engine/failures/explain";
import { isClosedScope, isOutOfService, refusalOf } from "#engine/failures/refusals";

const HIDDEN = "postgres://root:hunter2@10.0.0.5:5432";

/** As the driver throws it, with words that no caller may read. */
function refused(code: string, more: object = {}): Error {
  return Object.assign(new Error(`says ${HIDDEN}\u202e\nand more`), { code, ...more });
}

function at(kind: FailedAt["kind"], error: Error, isConnecting = false): Error {
  noteFailedAt(error, { kind, server: "10.0.0.5:5432", database: "tenantry_3", role: "tenantry_api", isConnecting });
  return error;
}

// The states that the program looks at for other reasons are the fault of a statement, or our own.
const OF_STATEMENTS = [
  "featureNotSupported",
  "noSuchStatement",
  "duplicateStatement",
  "uniqueViolation",
  "foreignKeyViolation",
  "checkViolation",
  "exclusionViolation",
  "duplicateObject",
  "duplicateDatabase",
  "undefinedObject",
  "undefinedTable",
  "invalidSchemaName",
  "objectNotInPrerequisiteState",
];

describe("the table", () => {
  test("has a row for every state that the program has a name for, unless a statement is to blame", () => {
    const without = Object.entries(SQL_STATE).filter(([, state]) => refusalOf(refused(state)) === undefined);
    expect(without.map(([name]) => name).filter((name) => name !== "invalidParameterValue")).toEqual(OF_STATEMENTS);
  });

  test.each([
    // Class 08, 28, 53, 57, 58 and XX, as the manual lists them.
    ..."08000 08003 08006 08001 08004 08007 08P01 28000 28P01 53000 53100 53200 53300 53400 57P01 57P02 57P03 57P05".split(
      " ",
    ),
    ..."58000 58030 58P01 58P02 58P03 F0000 F0001 XX000 XX001 XX002 25006 25P03".split(" "),
    ..."ECONNREFUSED ECONNRESET ENOTFOUND EAI_AGAIN ETIMEDOUT EHOSTUNREACH ENETUNREACH EPIPE CERT_HAS_EXPIRED".split(
      " ",
    ),
  ])("%s: the server cannot be used now, and trying again can help", (code) => {
    expect(explainToCaller(refused(code), HOME)?.code).toBe("HOME_UNAVAILABLE");
    expect(explainToCaller(refused(code), regionNamed("eu"))?.code).toBe("REGION_UNAVAILABLE");
    expect(refusalOf(refused(code))).toMatchObject({ retry: true, isServers: true });
    expect(isOutOfService(refused(code))).toBe(true);
  });

  test.each([
    ["3D000", "CONFLICT", false],
    ["57P04", "CONFLICT", false],
    ["40001", "CONFLICT", true],
    ["40P01", "CONFLICT", true],
    ["55006", "CONFLICT", true],
    ["55P03", "LIMIT_EXCEEDED", true],
    ["57014", "LIMIT_EXCEEDED", true],
    ["25P04", "LIMIT_EXCEEDED", true],
    ["42501", "CAPABILITY_MISSING", false],
  ] as const)("%s is %s", (code, expected, retry) => {
    expect(explainToCaller(refused(code), regionNamed("eu"))?.code).toBe(expected);
    expect(refusalOf(refused(code))?.retry).toBe(retry);
  });

  test.each(["22P02", "23505", "42601", "42P01", "P0001", "0A000"])("%s is the statement's fault", (code) => {
    expect(refusalOf(refused(code))).toBeUndefined();
    expect(isOutOfService(refused(code))).toBe(false);
  });

  test("what the server does before it lets somebody in is told from what it does with a statement", () => {
    const told = (code: string, isConnecting: boolean) =>
      explainRefusal(at("tenant", refused(code), isConnecting))?.message;
    expect(told("42501", true)).toBe("The region's server does not let Tenantry's role into the database.");
    expect(told("42501", false)).toBe("The region's server does not let Tenantry's role do this.");
    expect(told("55000", true)).toBe("The region's server lets nobody into the database now.");
    expect(told("55000", false)).toBeUndefined();
  });

  test("row security that is turned off is no revocation", () => {
    const off = refused("42501", { routine: "check_enable_rls" });
    expect(explainToCaller(off, regionNamed("eu"))).toMatchObject({
      code: "CAPABILITY_MISSING",
      message: "The region eu has row_security turned off, which Tenantry relies on. Tell the operator.",
    });
    expect(isClosedScope(off)).toBe(false);
    expect(isClosedScope(refused("42501", { routine: "ExecWithCheckOptions" }))).toBe(false);
    expect(isClosedScope(refused("TNCLS"))).toBe(true);
  });
});

test.each([
  [{ code: "ENOTFOUND" }, "there is no such host"],
  [{ code: "57P03" }, "it is starting up or shutting down"],
  [{ message: "timeout expired: connection timeout" }, "it does not answer"],
])("whoever is not let ask hears why the server could not be reached: %o", async (details, reason) => {
  const breaker = new Breaker();
  const work = () => Promise.reject(Object.assign(new Error("no"), details));
  await breaker.run(work).catch(() => undefined);
  const away: unknown = await breaker.run(work).catch((thrown: unknown) => thrown);
  expect(away).toBeInstanceOf(ServerAwayError);
  expect(isConnectionFailure(away)).toBe(true);
  expect(explainConnectFailure(away)).toBe(reason);
});

describe("what is said", () => {
  test("names home or the region, and goes by where the error came from", () => {
    expect(explainToCaller(at("home", refused("53300")))).toMatchObject({
      code: "HOME_UNAVAILABLE",
      message: "Home has no connection free. Try again later.",
      retryAfterSeconds: 1,
    });
    expect(explainToCaller(at("tenant", refused("53300")))?.message).toMatch(/^The region's server has/);
    // Of another program than a database.
    expect(explainToCaller(refused("ECONNREFUSED"))).toBeUndefined();
  });

  test.each([HOME, regionNamed("eu")])(
    "what may have been done all the same is not to be done again unseen: %o",
    (subject) => {
      const lost = refused("ECONNRESET");
      const kind = subject === HOME ? "home" : "tenant";
      noteFailedAt(lost, {
        kind,
        server: "h:5432",
        database: "d",
        role: "r",
        isConnecting: false,
        isOutcomeUnknown: true,
      });
      expect(explainToCaller(lost, subject)).toMatchObject({
        code: subject.unavailable,
        message: `${subject.name} cannot be reached now. What was being done there may have happened: look whether it has, before you do it again.`,
        retryAfterSeconds: undefined,
      });
      // Where nothing was done whatever became of it, the caller knows.
      expect(explainToCaller(lost, subject, "Nothing was done.")?.message).toMatch(
        /Try again later\. Nothing was done\.$/,
      );
    },
  );

  test("an error behind another one still has its place, and the nearest place counts", () => {
    const inner = at("home", refused("53300"));
    at("tenant", inner);
    expect(explainToCaller(Object.assign(new Error("outer", { cause: inner }), { code: "53300" }))?.code).toBe(
      "HOME_UNAVAILABLE",
    );
  });

  test("holds none of the server's words; the operator reads them on one line, without secrets", () => {
    const explained = explainToCaller(at("tenant", refused("53100")), regionNamed("eu"));
    expect(explained?.message).toBe("The region eu has no disk space left. Try again later.");
    expect(explained?.forOperator).toBe(
      "Database tenantry_3 on 10.0.0.5:5432, as tenantry_api: says postgres://root:***@10.0.0.5:5432 and more (SQLSTATE 53100). Make room on the server's disk.",
    );
  });

  test("only of what is in use the server's detail is read: others hold values of rows", () => {
    const detail = "There is 1 active slot.";
    expect(tellOperator(refused("55006", { detail }))).toContain("There is 1 active slot (SQLSTATE 55006).");
    expect(tellOperator(refused("40001", { detail }))).not.toContain(detail);
  });

  test("an error of ours stays what it is", () => {
    expect(tellOperator(new TenantryError("CONFLICT", "It is ours."))).toBe("It is ours.");
  });
});
