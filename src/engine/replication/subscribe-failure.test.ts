import { expect, test } from "vitest";
import { explainLibpq } from "./subscribe-failure.ts";

const at = 'could not connect to the publisher: connection to server at "10.1.2.3", port 5432 failed: ';

test.each([
  ['FATAL:  password authentication failed for user "root"', /refused the link's password/],
  [
    'FATAL:  no pg_hba.conf entry for host "10.1.2.4", user "root", database "x", no encryption',
    "another program answers there",
  ],
  ["SSL error: certificate verify failed", /does not pass/],
  ['server certificate for "db" does not match host name "10.1.2.3"', "its certificate is for another host name"],
  ['root certificate file "/etc/ca.crt" does not exist\nEither provide the file, or …', /is not there/],
  ["server does not support SSL, but SSL was required", "it does not take TLS connections"],
  ['FATAL:  database "tenantry_1_2" does not exist', "another program answers there"],
  [
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    "nothing listens there",
  ],
  ["Verbindungsaufbau abgelehnt", /the log has more/],
])("of %j the reason is told, and nothing that says where the server is", (words, reason) => {
  const said = explainLibpq(`${at}${words}`);
  expect(said).toMatch(reason);
  expect(said).not.toMatch(/10\.1\.2|root"|tenantry_|\/etc/);
});
