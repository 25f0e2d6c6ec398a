import { Page } from "../../ui/page.tsx";

export function Regions() {
  return <Page title="Regions">{null}</Page>;
}
