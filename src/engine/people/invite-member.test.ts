import { expect, test } from "vitest";
import { invitationMail } from "#engine/people/invite-member";

const TOKEN = "t".repeat(43);

function mailFrom(organizationName: string) {
  const invitation = {
    id: "0190a8a0-0000-7000-8000-000000000000",
    organizationId: "0190a8a0-0000-7000-8000-000000000001",
    email: "guest@example.com",
    role: "MEMBER",
    createdAt: new Date(0),
    expiresAt: new Date(0),
  } as const;
  return invitationMail({ invitation, token: TOKEN, organizationName });
}

test("a mail quotes the organization's name on a line of its own", () => {
  const { subject, text } = mailFrom("Acme");
  expect(subject).toBe('Invitation to "Acme"');
  expect(text.split("\n").slice(0, 7)).toEqual([
    "You are invited to an organization as MEMBER. Its members call it:",
    "",
    '  "Acme"',
    "",
    "Sign in and accept with this token:",
    "",
    `  ${TOKEN}`,
  ]);
});

test.each([
  ["line breaks", "Your bank.\r\nURGENT: open https://evil.example/ now"],
  ["separators of Unicode", "Your bank.\u2028URGENT\u2029now\u0085!"],
  ["quotation marks", 'Acme". Accept at https://evil.example/ with “this” «one'],
  ["marks of direction", "\u202egnitivni\u2066x\u200b"],
  ["length", "x".repeat(200)],
  ["nothing that can be seen", "\u200d"],
])("the name cannot leave its quotation: %s", (_, name) => {
  const plain = mailFrom("Acme");
  const { subject, text } = mailFrom(name);
  const quotation = text.split("\n").find((line) => line.startsWith('  "')) ?? "";
  expect(quotation).toMatch(/^ {2}"[^"“”«»\p{Cc}\p{Zl}\p{Zp}\u200b\u202e\u2066]{0,81}"$/u);
  expect(subject).toBe(`Invitation to ${quotation.trim()}`);
  // The rest is the same, whatever the name is.
  expect(text.replace(quotation, "")).toBe(plain.text.replace('  "Acme"', ""));
});
