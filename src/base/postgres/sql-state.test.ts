import { expect, test } from "vitest";
import { invalidInput } from "#base/kernel/errors";
import { isConnectionFailure } from "./sql-state.ts";

const withCode = (code: string, message = "") => Object.assign(new Error(message), { code });

test.each([
  withCode("ECONNREFUSED"),
  withCode("57P01"),
  withCode("CERT_HAS_EXPIRED"),
  withCode("ERR_TLS_CERT_ALTNAME_INVALID"),
  withCode("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
  withCode("EPROTO"),
  withCode("ERR_OSSL_PEM_NO_START_LINE"),
  new Error("The server does not support SSL connections"),
  new AggregateError([withCode("ECONNREFUSED")], "all of them"),
])("%o means that there is no connection", (error) => {
  expect(isConnectionFailure(error)).toBe(true);
});

test.each([
  withCode("23505", "duplicate key value: The server does not support SSL connections"),
  withCode("42501"),
  invalidInput("field", "It is wrong."),
  new Error("certificate"),
])("%o does not", (error) => {
  expect(isConnectionFailure(error)).toBe(false);
});
