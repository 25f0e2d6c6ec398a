/** How a process stops: balancers hear of it first, and who follows something can come back at once. */
import { expect, test } from "vitest";
import { startApp } from "../support/app.ts";
import { createResource } from "../support/journey.ts";

test("a process that stops is not ready for a while, answers meanwhile, and then ends its streams", async () => {
  const app = await startApp({ api: { drainSeconds: 2 } });
  const resource = await createResource(app, { name: "Followed" });
  const stream = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query: `subscription { commentAdded(resourceId: "${resource}") { body } }` }),
  });
  expect(stream.headers.get("content-type")).toContain("text/event-stream");
  const whole = stream.text();
  const stopped = app.stop();
  const ready = () => fetch(`${app.url}/health/ready`).then(({ status }) => status);
  await expect.poll(ready).toBe(503);
  expect((await fetch(`${app.url}/health/live`)).headers.get("connection")).toBe("close");
  expect(await app.ask("{ regions { key } }")).toEqual({ regions: [] });
  // It ends as a whole, and says nothing of being complete: clients take that for an end for good.
  expect(await whole).not.toContain("event: complete");
  await stopped;
  await expect(fetch(app.url)).rejects.toThrow("fetch failed");
});

test("closing waits until the last connection to a server has ended", async () => {
  const app = await startApp();
  await app.ask("{ regions { key } }");
  const { pools } = app.services;
  await app.stop();
  expect(pools.connected).toBe(0);
});
