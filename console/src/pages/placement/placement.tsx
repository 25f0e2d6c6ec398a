import { Page } from "../../ui/page.tsx";

export function PlacementPage() {
  return <Page title="Placement">{null}</Page>;
}
