/** The console in a browser: signing in, looking at it with axe, noting what it should not do. */
import axe from "axe-core";
import type { BrowserContext, Page } from "playwright-core";

export type ConsolePage = {
  page: Page;
  /** What the browser complained of (violations of the content policy too), and requests to other hosts. */
  complaints: string[];
  /** Follows an address within the page, as a link does; a reload would forget who is signed in. */
  visit: (path: string) => Promise<void>;
};

export async function openConsole(
  context: BrowserContext,
  url: string,
  { path = "", secret }: { path?: string; secret?: string | undefined } = {},
): Promise<ConsolePage> {
  const page = await context.newPage();
  page.setDefaultTimeout(12_000);
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url)) complaints.push(request.url());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A wrong key is answered with 401, which the browser says of itself.
    if (message.type() === "error" && !/status of 401/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${url}/console${path}`);
  if (secret !== undefined) await signIn(page, secret);
  return {
    page,
    complaints,
    visit: (to) =>
      page.evaluate(
        `history.pushState({}, "", "/console${to}"); dispatchEvent(new PopStateEvent("popstate")); undefined`,
      ),
  };
}

export async function signIn(page: Page, secret: string): Promise<void> {
  await page.getByLabel("API key or token").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** What axe finds on the page as it is now. */
export async function findingsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  type Found = { violations: { id: string; nodes: { html: string }[] }[] };
  const { violations } = await page.evaluate<Found>("axe.run(document)");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** By how many pixels the page is wider than its window. */
export async function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
}
