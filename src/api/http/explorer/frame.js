// Runs in GraphiQL's frame before GraphiQL: tells the page around it what each operation answered, and fits it to the page.
const plainFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const response = await plainFetch(input, init);
  const type = response.headers.get("content-type") ?? "";
  if (typeof init?.body === "string" && type.includes("json")) tell(init.body, response.clone()).catch(() => undefined);
  return response;
};

async function tell(body, response) {
  const { query, operationName } = JSON.parse(body);
  const name = operationName ?? /(?:query|mutation)\s+(\w+)/.exec(query)?.[1];
  if (name !== "IntrospectionQuery") document.documentElement.dataset.answered = "true";
  parent.postMessage({ kind: "tenantry-answer", operationName: name, answer: await response.json() }, location.origin);
}

// Nothing is beside the operation before the first answer. Where the page is narrow, the answer is below it.
const style = document.createElement("style");
style.textContent = `
  html:not([data-answered]) .graphiql-response,
  html:not([data-answered]) #graphiql-session > .graphiql-horizontal-drag-bar { display: none; }
  @media (max-width: 45rem) {
    .graphiql-sidebar, .graphiql-logo, #graphiql-session > .graphiql-horizontal-drag-bar { display: none !important; }
    #graphiql-session { flex-direction: column !important; padding: 0 !important; }
    .graphiql-editors, .graphiql-response { width: 100% !important; min-height: 0 !important; }
    .graphiql-sessions { margin: 0 !important; }
  }
`;
document.head.append(style);
