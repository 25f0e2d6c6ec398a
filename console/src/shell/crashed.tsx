import { Page } from "../ui/page.tsx";
import { Notice } from "../ui/states.tsx";

/** The page itself failed, or could not be loaded as the server has a newer one. */
export function Crashed({ error }: { error: unknown }) {
  return (
    <main className="main">
      <Page title="This page failed">
        <Notice tone="bad">
          <p>{error instanceof Error ? error.message : "Something went wrong."}</p>
          <p>Load the page again: the server may have a newer one.</p>
          <button type="button" className="button" onClick={() => location.reload()}>
            Load again
          </button>
        </Notice>
      </Page>
    </main>
  );
}
