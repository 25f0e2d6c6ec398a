import { Page } from "../../ui/page.tsx";

export function Fleet() {
  return <Page title="Fleet">{null}</Page>;
}
