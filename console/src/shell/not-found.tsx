import { Link } from "@tanstack/react-router";
import { Page } from "../ui/page.tsx";
import { Notice } from "../ui/states.tsx";

export function NotFound() {
  return (
    <Page title="There is no such page">
      <Notice>
        The address leads nowhere. Begin at <Link to="/">the overview</Link>.
      </Notice>
    </Page>
  );
}
