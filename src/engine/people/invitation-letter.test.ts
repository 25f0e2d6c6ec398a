import { describe, expect, test } from "vitest";
import { invitationLetter, type Letters, requireLink } from "#engine/people/invitation-letter";
import { readInvitationTemplate } from "#engine/people/invitation-template";

const TOKEN = "t".repeat(43);
const PAGE = "https://app.example.com/invitation#token={token}";

function letterFrom(organizationName: string, letters: Letters = {}, inviterName: string | null = "Ada") {
  const invitation = {
    id: "0190a8a0-0000-7000-8000-000000000000",
    organizationId: "0190a8a0-0000-7000-8000-000000000001",
    email: "guest@example.com",
    role: "MEMBER",
    createdAt: new Date(0),
    expiresAt: new Date("2026-12-06T17:14:54.206Z"),
  } as const;
  return invitationLetter({ invitation, token: TOKEN, organizationName, inviterName }, letters);
}

test("a letter says who invites, into what, as what, where, and until when", () => {
  const { subject, text, html } = letterFrom("Acme", { invitationUrl: PAGE });
  expect(subject).toBe('Invitation to "Acme"');
  expect(text).toBe(`You are invited to an organization. Its members call it:

  "Acme"

Invited by:  "Ada"
You become:  a member, who reads and writes

Accept here:

  https://app.example.com/invitation#token=${TOKEN}

The invitation is good until Sunday 6 December 2026 at 17:14 UTC, once, and for this address only.
If you did not expect it, do nothing.
`);
  for (const said of ["&quot;Acme&quot;", "&quot;Ada&quot;", "a member", `href="${PAGE.replace("{token}", TOKEN)}"`])
    expect(html).toContain(said);
});

test("without a page the letter has the token; the operator is called so, and nobody can be called likewise", () => {
  const { text, html } = letterFrom("Acme", {}, null);
  expect(text).toContain(`Sign in and accept with this token:\n\n  ${TOKEN}\n`);
  expect(html).toContain(`<code style="word-break:break-all">${TOKEN}</code>`);
  expect(text).toContain("Invited by:  The operator of this service\n");
  expect(letterFrom("Acme", {}, "The operator of this service").text).toContain('"The operator of this service"');
});

test.each([
  ["line breaks", "Your bank.\r\nURGENT: open https://evil.example/ now"],
  ["a header", "Acme\r\nBcc: everybody@example.com"],
  ["separators of Unicode", "Your bank.\u2028URGENT\u2029now\u0085!"],
  ["quotation marks", 'Acme". Accept at https://evil.example/ with “this” «one'],
  ["marks of direction", "\u202egnitivni\u2066x\u200b"],
  ["length", "x".repeat(200)],
  ["nothing that can be seen", "\u200d"],
  ["a value of the template", "{{token}} {{link}} $& $1"],
  ["HTML", `<img src=x onerror="alert(1)"> & '</bdi><script>`],
])("a name cannot leave its quotation: %s", (_, name) => {
  const plain = letterFrom("Acme");
  const { subject, text, html = "" } = letterFrom(name);
  const quotation = text.split("\n").find((line) => line.startsWith('  "')) ?? "";
  expect(quotation).toMatch(/^ {2}"[^"“”«»\p{Cc}\p{Zl}\p{Zp}\u200b\u202e\u2066]{0,81}"$/u);
  expect(subject).toBe(`Invitation to ${quotation.trim()}`);
  // The rest is the same, whatever the name is.
  expect(text.replace(quotation, () => "")).toBe(plain.text.replace('  "Acme"', ""));
  const [, inHtml = ""] = /<bdi>(.*?)<\/bdi>/.exec(html) ?? [];
  expect(inHtml).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
  expect(html.replace(inHtml, () => "")).toBe(plain.html?.replace("&quot;Acme&quot;", ""));
});

describe("a template of the team's own", () => {
  const text = { name: "mail/invitation.txt", text: "Subject: Join {{organization}}\n\nBy {{inviter}}: {{link}}\n" };
  const html = { name: "mail/invitation.html", text: '<b>{{organization}}</b> <a href="{{link}}">{{until}}</a>' };

  test("takes the place of the letter that ships", () => {
    const template = readInvitationTemplate(text, html);
    expect(letterFrom("<Acme>", { template, invitationUrl: "https://a.example/i?a=1&t={token}" })).toEqual({
      to: "guest@example.com",
      subject: 'Join "<Acme>"',
      text: `By "Ada": https://a.example/i?a=1&t=${TOKEN}\n`,
      html: `<b>&quot;&lt;Acme&gt;&quot;</b> <a href="https://a.example/i?a=1&amp;t=${TOKEN}">Sunday 6 December 2026 at 17:14 UTC</a>`,
    });
    const alone = letterFrom("Acme", { template: readInvitationTemplate(text, undefined), invitationUrl: PAGE });
    expect(alone).not.toHaveProperty("html");
  });

  test.each([
    ["no subject", "Dear {{organization}}: {{link}}", "mail/invitation.txt must begin with a line such as Subject:"],
    ["no empty line", "Subject: Hello\n{{link}}", "mail/invitation.txt must begin with a line such as Subject:"],
    [
      "a wrong name",
      "Subject: Hello\n\n{{url}} {{link}}",
      "mail/invitation.txt has {{url}}: it can say {{organization}},",
    ],
    ["no way in", "Subject: Hello\n\n{{organization}}", "mail/invitation.txt has neither {{link}} nor {{token}}"],
    ["the token in the subject", "Subject: {{token}}\n\n{{link}}", "mail/invitation.txt has {{token}} in its subject"],
  ])("is refused with %s", (_, wrong, sentence) => {
    expect(() => readInvitationTemplate({ ...text, text: wrong }, html)).toThrow(sentence);
  });

  test("is refused when its HTML will not do, and when its link leads nowhere", () => {
    expect(() => readInvitationTemplate(text, { ...html, text: "<p>{{organisation}}</p>" })).toThrow(
      "mail/invitation.html has {{organisation}}",
    );
    expect(() => readInvitationTemplate(text, { ...html, text: "<p>Hello</p>" })).toThrow(
      "mail/invitation.html has neither",
    );
    expect(() => requireLink({ template: readInvitationTemplate(text, undefined) })).toThrow(
      "set TENANTRY_INVITATION_URL",
    );
  });
});
