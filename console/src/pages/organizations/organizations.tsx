import { Page } from "../../ui/page.tsx";

export function Organizations() {
  return <Page title="Organizations">{null}</Page>;
}
