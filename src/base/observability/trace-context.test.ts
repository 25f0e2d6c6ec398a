import { expect, test } from "vitest";
import { readTraceContext } from "#base/observability/trace-context";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("what W3C's version 00 says is taken up, and what a later version has more is left out", () => {
  const context = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1" };
  expect(readTraceContext(`00-${TRACE}-${SPAN}-01`, "vendor=1")).toEqual(context);
  expect(readTraceContext(`cc-${TRACE}-${SPAN}-09-what-the-future-will-be-like`, "vendor=1")).toEqual(context);
  expect(readTraceContext(`00-${TRACE}-${SPAN}-00`, undefined)).toEqual({ traceparent: `00-${TRACE}-${SPAN}-00` });
});

test.each([
  undefined,
  "",
  `ff-${TRACE}-${SPAN}-01`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-${"x".repeat(200)}`,
  ["00"],
])("%s is no trace", (traceparent) => {
  expect(readTraceContext(traceparent, undefined)).toBeUndefined();
});

test.each(["x".repeat(513), "a=b\nc=d", "a=ä", ["a=b"]])("a state such as %s is left out", (tracestate) => {
  expect(readTraceContext(`00-${TRACE}-${SPAN}-01`, tracestate)).toEqual({ traceparent: `00-${TRACE}-${SPAN}-01` });
});
