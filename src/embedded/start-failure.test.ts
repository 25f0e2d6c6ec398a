import { expect, test } from "vitest";
import { explainFailure } from "#embedded/start-failure";

const SERVER = { name: "eu", folder: "/data/eu", port: 54_321 };

test.each([
  [
    'initdb: error: could not write to file "/data/eu.partial/base/1": No space left on device',
    "LIMIT_EXCEEDED",
    "The disk that holds /data/eu is full, so the embedded PostgreSQL server eu cannot run: make room, or set TENANTRY_DATA_DIR to a folder on another one.",
  ],
  [
    // Where a block was written in part, the system's own words are missing.
    'FATAL:  could not extend file "base/1/2691": wrote only 4096 of 8192 bytes at block 3\nHINT:  Check free disk space.\nPANIC:  cannot abort transaction 1, it was already committed',
    "LIMIT_EXCEEDED",
    "The disk that holds /data/eu is full, so the embedded PostgreSQL server eu cannot run: make room, or set TENANTRY_DATA_DIR to a folder on another one.",
  ],
  [
    'FATAL:  could not resize shared memory segment "/PostgreSQL.1" to 1048576 bytes: No space left on device',
    "LIMIT_EXCEEDED",
    "There is too little shared memory for the embedded PostgreSQL server eu: make /dev/shm larger.",
  ],
  [
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\nFATAL:  could not create any TCP/IP sockets',
    "CONFLICT",
    "Port 54321 is in use by another program, and the embedded PostgreSQL server eu is registered under it: stop that program, then start again.",
  ],
  [
    "2026-01-01 00:00:00.000 UTC [7] FATAL:  data directory has wrong ownership\n2026-01-01 00:00:00.000 UTC [7] HINT:  chown it.\n",
    "INTERNAL",
    "The embedded PostgreSQL server eu did not start: data directory has wrong ownership (more in /data/eu.log).",
  ],
  ["", "INTERNAL", "The embedded PostgreSQL server eu did not start: it ended without a word (more in /data/eu.log)."],
])("what PostgreSQL says becomes one sentence (%#)", (output, code, message) => {
  expect(explainFailure(output, SERVER)).toMatchObject({ code, message });
});
