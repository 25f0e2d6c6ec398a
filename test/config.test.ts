import { describe, expect, test } from "vitest";
import { readConfig, SECTIONS } from "../src/config.ts";
import { variableOf } from "../src/config/variable.ts";
import { DEFAULT_LIMITS } from "../src/base/kernel/limits.ts";

const BEARER = { TENANTRY_AUTH: "bearer" };
const OIDC = { ...BEARER, OIDC_ISSUER: "https://id.example.com", OIDC_AUDIENCE: "https://api.example.com" };

describe("development", () => {
  test.each(["127.0.0.1", "127.8.8.8", "::1", "localhost"])("listens on %s", (host) => {
    expect(readConfig({ HOST: host }).signIn).toEqual({ mode: "development" });
  });

  test.each(["0.0.0.0", "::", "192.168.1.7", "example.com", "127.0.0.1.example.com", "1127.0.0.1"])(
    "is refused on %s, also when it is asked for",
    (host) => {
      expect(() => readConfig({ HOST: host })).toThrow("TENANTRY_AUTH=bearer");
      expect(() => readConfig({ HOST: host, TENANTRY_AUTH: "development" })).toThrow("TENANTRY_AUTH=bearer");
    },
  );

  test.each([
    { OIDC_ISSUER: "https://id.example.com" },
    { OIDC_AUDIENCE: "api" },
    { TENANTRY_OPERATOR_CLAIM: "roles:operator" },
    { TENANTRY_READ_ONLY_OPERATOR_CLAIM: "roles:reader" },
    { TENANTRY_OIDC_CREATE_USERS: "true" },
  ])("is refused beside %o, which means sign-in", (environment) => {
    expect(() => readConfig(environment)).toThrow("TENANTRY_AUTH=bearer");
  });
});

test("a worker works for the regions that are named, or for all", () => {
  expect(readConfig({}).workerRegions).toBeUndefined();
  expect(readConfig({ TENANTRY_WORKER_REGIONS: "eu, ap-south-1" }).workerRegions).toEqual(["eu", "ap-south-1"]);
  expect(() => readConfig({ TENANTRY_WORKER_REGIONS: "eu,Frankfurt" })).toThrow(
    "TENANTRY_WORKER_REGIONS must be keys of regions, such as eu, separated by commas.",
  );
});

test("a pooler is in front of a server that is named too", () => {
  const DATABASE_POOL_URL = "postgres://pooler:6432";
  expect(() => readConfig({ DATABASE_POOL_URL })).toThrow("DATABASE_URL");
  const given = { DATABASE_URL: "postgres://u@h/d", TENANTRY_SECRET_KEY: "x", DATABASE_POOL_URL };
  expect(readConfig(given).databasePoolUrl).toBe(DATABASE_POOL_URL);
});

describe("bearer", () => {
  test("listens anywhere, with keys only unless an issuer is named", () => {
    const { host, signIn } = readConfig({ ...BEARER, HOST: "0.0.0.0" });
    expect(host).toBe("0.0.0.0");
    expect(signIn).toEqual({
      mode: "bearer",
      oidc: undefined,
      otherIssuers: [],
      otherIssuersProveAddresses: false,
      createUsers: false,
    });
  });

  test("reads the issuer, and a claim whose name has a colon", () => {
    const claim = {
      TENANTRY_OPERATOR_CLAIM: "https://example.com/roles:tenantry-operator",
      TENANTRY_READ_ONLY_OPERATOR_CLAIM: "https://example.com/roles:tenantry-reader",
    };
    expect(readConfig({ ...OIDC, ...claim, TENANTRY_OIDC_CREATE_USERS: "true" }).signIn).toEqual({
      mode: "bearer",
      oidc: { issuer: "https://id.example.com", audience: "https://api.example.com" },
      otherIssuers: [],
      otherIssuersProveAddresses: false,
      createUsers: true,
      operatorClaim: { name: "https://example.com/roles", value: "tenantry-operator" },
      readOnlyClaim: { name: "https://example.com/roles", value: "tenantry-reader" },
    });
  });

  test.each([
    ["an issuer without an audience", { ...OIDC, OIDC_AUDIENCE: "" }, "together"],
    ["an audience without an issuer", { ...OIDC, OIDC_ISSUER: "" }, "together"],
    ["an issuer over plain http", { ...OIDC, OIDC_ISSUER: "http://id.example.com" }, "https"],
    ["an issuer that is no URL", { ...OIDC, OIDC_ISSUER: "id.example.com" }, "https"],
    ["a claim without an issuer", { ...BEARER, TENANTRY_OPERATOR_CLAIM: "roles:operator" }, "OIDC_ISSUER"],
    ["a reader's claim without an issuer", { ...BEARER, TENANTRY_READ_ONLY_OPERATOR_CLAIM: "a:b" }, "OIDC_ISSUER"],
    ["a claim without a value", { ...OIDC, TENANTRY_OPERATOR_CLAIM: "roles" }, "TENANTRY_OPERATOR_CLAIM"],
    ["more issuers without a first one", { ...BEARER, OIDC_OTHER_ISSUERS: "https://b.example" }, "need OIDC_ISSUER"],
    ["another issuer over plain http", { ...OIDC, OIDC_OTHER_ISSUERS: "http://b.example" }, "OIDC_OTHER_ISSUERS"],
    ["an empty place among the issuers", { ...OIDC, OIDC_OTHER_ISSUERS: "https://b.example," }, "OIDC_OTHER_ISSUERS"],
    ["two audiences of one issuer", { ...OIDC, OIDC_OTHER_ISSUERS: "https://b.example|x|y" }, "at most one audience"],
    ["an issuer twice", { ...OIDC, OIDC_OTHER_ISSUERS: "https://id.example.com" }, "twice"],
    [
      "trust in others that are not named",
      { ...OIDC, TENANTRY_OIDC_OTHERS_PROVE_ADDRESSES: "true" },
      "needs OIDC_OTHER",
    ],
    ["others in development", { OIDC_OTHER_ISSUERS: "https://b.example" }, "TENANTRY_AUTH=bearer"],
    ["another way to sign in", { TENANTRY_AUTH: "none" }, "TENANTRY_AUTH"],
    ["a name that is not known", { TENANTRY_AUTHENTICATION: "bearer" }, "TENANTRY_AUTHENTICATION"],
  ])("is refused with %s", (_, environment, words) => {
    expect(() => readConfig(environment)).toThrow(words);
  });

  test("reads more issuers, each with the common audience or its own", () => {
    const OIDC_OTHER_ISSUERS = "https://b.example, https://c.example|client-7";
    const given = { ...OIDC, OIDC_OTHER_ISSUERS, TENANTRY_OIDC_OTHERS_PROVE_ADDRESSES: "true" };
    expect(readConfig(given).signIn).toMatchObject({
      otherIssuers: [
        { issuer: "https://b.example", audience: "https://api.example.com" },
        { issuer: "https://c.example", audience: "client-7" },
      ],
      otherIssuersProveAddresses: true,
    });
  });

  test("takes an issuer over plain http on this machine", () => {
    expect(readConfig({ ...OIDC, OIDC_ISSUER: "http://127.0.0.1:9000" }).signIn).toMatchObject({
      oidc: { issuer: "http://127.0.0.1:9000" },
    });
  });
});

test("the API's connections are divided between home and tenant databases", () => {
  expect(readConfig({}).connections).toEqual({ max: 39, maxPerServer: 24 });
  const given = { TENANTRY_MAX_CONNECTIONS: "30", TENANTRY_MAX_CONNECTIONS_PER_SERVER: "5" };
  expect(readConfig(given).connections).toEqual({ max: 9, maxPerServer: 5 });
  expect(() => readConfig({ TENANTRY_MAX_CONNECTIONS: "21" })).toThrow("TENANTRY_MAX_CONNECTIONS");
});

describe("limits", () => {
  test("are the defaults, and each has a variable", () => {
    expect(readConfig({}).api).toEqual({
      limits: DEFAULT_LIMITS,
      introspection: undefined,
      keepAliveSeconds: 75,
      drainSeconds: 0,
      explorer: undefined,
      corsOrigins: [],
      corsHeaders: [],
      trustedProxies: 0,
      persistedOperations: undefined,
    });
    // TENANTRY_MAX_DEPTH for maxDepth: one that is not read, or read into another, shows here.
    const names = Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[];
    const wanted = Object.fromEntries(names.map((name, index) => [name, 1_000 - index]));
    const environment = Object.fromEntries(
      names.map((name) => [
        `TENANTRY_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
        String(wanted[name]),
      ]),
    );
    const bytes = { TENANTRY_MAX_BODY_BYTES: "5000", TENANTRY_MAX_ANSWER_BYTES: "20000" };
    expect(readConfig({ ...environment, ...bytes }).api.limits).toEqual({
      ...wanted,
      maxBodyBytes: 5_000,
      maxAnswerBytes: 20_000,
    });
  });

  test.each([
    ["no number", { TENANTRY_MAX_DEPTH: "deep" }],
    ["a fraction", { TENANTRY_MAX_COST: "1.5" }],
    ["a negative number", { TENANTRY_ACTOR_POINTS_PER_SECOND: "-1" }],
    ["no time at all", { TENANTRY_TIMEOUT_MS: "0" }],
    ["something else than true or false", { TENANTRY_INTROSPECTION: "yes" }],
    ["an origin with a path", { TENANTRY_CORS_ORIGINS: "https://app.example.com/" }],
    ["no origin", { TENANTRY_CORS_ORIGINS: "https://a.example.com, example.com" }],
    ["what is no header", { TENANTRY_CORS_HEADERS: "x-a, *" }],
    ["only what is known, and nothing that is", { TENANTRY_PERSISTED_OPERATIONS_ONLY: "true" }],
  ])("are refused with %s", (_, environment) => {
    expect(() => readConfig(environment)).toThrow(Object.keys(environment)[0]);
  });

  test("take a list of origins, and all of them only where callers sign in", () => {
    const origins = { TENANTRY_CORS_ORIGINS: "https://a.example.com, http://localhost:3000" };
    expect(readConfig(origins).api.corsOrigins).toEqual(["https://a.example.com", "http://localhost:3000"]);
    expect(readConfig({ ...BEARER, TENANTRY_CORS_ORIGINS: "*" }).api.corsOrigins).toEqual(["*"]);
    expect(() => readConfig({ TENANTRY_CORS_ORIGINS: "*" })).toThrow("in development");
  });
});

describe("the page for invited people", () => {
  test.each(["https://app.example.com/invitation#token={token}", "http://localhost:3000/?t={token}&x=1"])(
    "is taken: %s",
    (url) => {
      expect(readConfig({ TENANTRY_INVITATION_URL: url }).invitationUrl).toBe(url);
    },
  );

  test.each([
    "https://app.example.com/invitation",
    "https://app.example.com/{token}/{token}",
    "https://{token}.example.com/",
    "https://{token}@example.com/#{token}",
    "https://me:secret@example.com/#{token}",
    "http://app.example.com/#{token}",
    "javascript:alert(1)//{token}",
    "app.example.com/{token}",
    "https://app.example.com/ #{token}",
  ])("is refused: %s", (url) => {
    expect(() => readConfig({ TENANTRY_INVITATION_URL: url })).toThrow("TENANTRY_INVITATION_URL must");
  });
});

test("previous keys are a list", () => {
  expect(readConfig({ TENANTRY_SECRET_KEY_PREVIOUS: " a, b," }).previousSecretKeys).toEqual(["a", "b"]);
  expect(readConfig({}).previousSecretKeys).toEqual([]);
});

describe("the gateway", () => {
  test("listens on loopback, and servers reach it where it listens", () => {
    expect(readConfig({}).gateway).toEqual({
      host: "127.0.0.1",
      port: 4001,
      address: undefined,
      homeAddress: undefined,
      certificate: undefined,
    });
    // As shells and compose files leave what is not set.
    expect(readConfig({ TENANTRY_GATEWAY_LISTEN: "", TENANTRY_GATEWAY_ADDRESS: "" }).gateway).toEqual(
      readConfig({}).gateway,
    );
  });

  test.each([
    ["0.0.0.0:4001", "0.0.0.0", 4001],
    ["[::1]:0", "::1", 0],
    ["[::]:65535", "::", 65_535],
    ["gateway.internal:5432", "gateway.internal", 5432],
  ])("listens at %s", (TENANTRY_GATEWAY_LISTEN, host, port) => {
    expect(readConfig({ TENANTRY_GATEWAY_LISTEN }).gateway).toMatchObject({ host, port });
  });

  test("is reached by the addresses that are given, and shows the certificate that is given", () => {
    const environment = {
      TENANTRY_GATEWAY_ADDRESS: "postgres://gateway.example.com:4001?sslmode=verify-full",
      TENANTRY_GATEWAY_HOME_ADDRESS: "10.0.0.7:4001",
      TENANTRY_GATEWAY_CERT: "/etc/tenantry/gateway.crt",
      TENANTRY_GATEWAY_KEY: "/etc/tenantry/gateway.key",
    };
    expect(readConfig(environment).gateway).toMatchObject({
      address: environment.TENANTRY_GATEWAY_ADDRESS,
      homeAddress: environment.TENANTRY_GATEWAY_HOME_ADDRESS,
      certificate: { certFile: "/etc/tenantry/gateway.crt", keyFile: "/etc/tenantry/gateway.key" },
    });
  });

  test.each([
    ["no port", { TENANTRY_GATEWAY_LISTEN: "127.0.0.1" }],
    ["a port that there is not", { TENANTRY_GATEWAY_LISTEN: "127.0.0.1:65536" }],
    ["an IPv6 address without brackets", { TENANTRY_GATEWAY_LISTEN: "::1:4001" }],
    ["a URL to listen at", { TENANTRY_GATEWAY_LISTEN: "postgres://127.0.0.1:4001" }],
    ["a key without a certificate", { TENANTRY_GATEWAY_KEY: "/gateway.key" }],
    ["a certificate without a key", { TENANTRY_GATEWAY_CERT: "/gateway.crt" }],
  ])("is refused with %s", (_, environment) => {
    expect(() => readConfig(environment)).toThrow(Object.keys(environment)[0]);
  });
});

describe("what is wrong with a variable is said in our words", () => {
  test.each([
    [{ PORT: "abc" }, "The environment variable PORT must be a whole number from 0 to 65535."],
    [{ PORT: "99999" }, "The environment variable PORT must be a whole number from 0 to 65535."],
    [{ TENANTRY_ROLE: "boss" }, "The environment variable TENANTRY_ROLE must be one of all, api, worker."],
    [{ TENANTRY_SHARE_PORT: "yes" }, "The environment variable TENANTRY_SHARE_PORT must be one of true, false."],
    [{ TENANTRY_MAIL_FROM: "x" }, "The environment variable TENANTRY_MAIL_FROM must have at least 3 characters."],
    [{ TENANTRY_OPERATOR_CLAIM: "roles" }, "a claim and its value are expected"],
  ])("%o", (environment, words) => {
    expect(() => readConfig(environment)).toThrow(words);
  });

  test.each([
    ["TENANTRY_LOGLEVEL", " Did you mean TENANTRY_LOG_LEVEL?"],
    ["TENANTRY_GATEWAY_ADRESS", " Did you mean TENANTRY_GATEWAY_ADDRESS?"],
    ["TENANTRY_COLOUR_OF_THE_SKY", "TENANTRY_COLOUR_OF_THE_SKY. docs/reference/"],
  ])("an unknown name %s", (name, words) => {
    expect(() => readConfig({ [name]: "debug" })).toThrow(words);
  });

  test("every setting that may be wrong says so without words of the schema library", () => {
    const long = "\u0000".repeat(20_000);
    for (const { name } of SECTIONS.flatMap(({ fields }) => Object.values(fields).map(variableOf)))
      expect(() => readConfig({ [name]: long })).not.toThrow(/Invalid input|Too (big|small)|expected (string|number)/);
  });
});

test("in development the API listens anywhere where a setting says what that means", () => {
  const everywhere = { HOST: "0.0.0.0", TENANTRY_EVERYBODY_IS_OPERATOR: "true" };
  expect(readConfig(everywhere)).toMatchObject({ host: "0.0.0.0", everybodyIsOperator: true });
  expect(() => readConfig({ ...everywhere, TENANTRY_EVERYBODY_IS_OPERATOR: "false" })).toThrow(
    "TENANTRY_EVERYBODY_IS_OPERATOR=true",
  );
});

describe("traces", () => {
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
  const REGIONS = { TENANTRY_REGION_OTLP_ENDPOINTS: "eu=https://otel.eu.example.com, us=http://127.0.0.1:4319" };

  test.each([
    ["nothing is set", {}],
    ["the SDK is disabled", { ...ENDPOINT, OTEL_SDK_DISABLED: "true" }],
    ["there is no exporter", { ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" }],
    [
      "they are for another program",
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_SAMPLER: "xray", OTEL_PROPAGATORS: "b3" },
    ],
  ])("are off where %s", (_, environment) => {
    expect(readConfig(environment).traces).toBeUndefined();
  });

  test("are on where a collector is named, as the specification has it", () => {
    expect(readConfig(ENDPOINT).traces).toEqual({
      protocol: "http/protobuf",
      home: true,
      regions: new Map(),
      sampler: "parentbased_always_on",
      ratio: 1,
      propagates: true,
      timeoutMs: 4_000,
      delayMs: 5_000,
      maxQueueSize: 2_048,
    });
    expect(readConfig({ OTEL_TRACES_EXPORTER: "otlp" }).traces).toMatchObject({ home: true });
    const given = { ...ENDPOINT, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" };
    expect(readConfig({ ...given, OTEL_PROPAGATORS: "none" }).traces).toMatchObject({
      sampler: "traceidratio",
      ratio: 0.25,
      propagates: false,
    });
  });

  test("of regions may have collectors of their own, also without one at home", () => {
    const headers = { TENANTRY_REGION_OTLP_HEADERS: "eu.Authorization=Basic%20abc,us.x-key=1" };
    const { home, regions } = readConfig({ ...REGIONS, ...headers }).traces ?? {};
    expect(home).toBe(false);
    expect([...(regions ?? [])]).toEqual([
      ["eu", { url: "https://otel.eu.example.com", headers: { authorization: "Basic abc" } }],
      ["us", { url: "http://127.0.0.1:4319", headers: { "x-key": "1" } }],
    ]);
  });

  test.each([
    ["an address that is none", { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT"],
    ["a protocol that there is not", { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "http/protobuf"],
    ["a sampler that there is not", { ...ENDPOINT, OTEL_TRACES_SAMPLER: "xray" }, "OTEL_TRACES_SAMPLER"],
    ["more than all traces", { ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: "2" }, "from 0 to 1"],
    ["another exporter", { ...ENDPOINT, OTEL_TRACES_EXPORTER: "zipkin" }, "otlp or none"],
    ["a region without an address", { TENANTRY_REGION_OTLP_ENDPOINTS: "eu" }, "eu=https://"],
    ["a region twice", { TENANTRY_REGION_OTLP_ENDPOINTS: "eu=https://a.example,eu=https://b.example" }, "each once"],
    [
      "headers of no region's collector",
      { ...REGIONS, TENANTRY_REGION_OTLP_HEADERS: "ap.a=b" },
      "collector of their own",
    ],
    ["a header that breaks lines", { ...REGIONS, TENANTRY_REGION_OTLP_HEADERS: "eu.a=b%0Ac" }, "URL-encoded"],
    [
      "headers in clear text",
      { TENANTRY_REGION_OTLP_ENDPOINTS: "eu=http://otel.eu.example.com", TENANTRY_REGION_OTLP_HEADERS: "eu.a=b" },
      "must be https",
    ],
  ])("are refused with %s", (_, environment, words) => {
    expect(() => readConfig(environment)).toThrow(words);
  });
});
