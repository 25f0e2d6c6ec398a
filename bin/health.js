#!/usr/bin/env node
// Exit code 0 when the API of this machine answers; for the container's HEALTHCHECK. A worker serves no requests.
const { PORT = "", TENANTRY_ROLE } = process.env;
// An empty variable is an absent one.
const port = PORT === "" ? "4000" : PORT;
if (TENANTRY_ROLE !== "worker") {
  const isAlive = await fetch(`http://127.0.0.1:${port}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  );
  process.exitCode = isAlive ? 0 : 1;
}
