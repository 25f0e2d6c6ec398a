import { Page } from "../../ui/page.tsx";

export function Border() {
  return <Page title="Border">{null}</Page>;
}
