import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Grants",
  about:
    "From the call to `ACTIVE`, beside a bare `create database … template` of the same template on the same server, in turn. A ready database was made ahead ([how-to](../docs/how-to/grant-fast.md)). A new region is on a server that has nothing of Tenantry.",
  order: 30,
  minutes: 2,
  run: ({ quick }) => runScript("grants.ts", quick ? ["--no-fsync", "--rounds=3", "--crowd=3"] : ["--no-fsync"]),
};
