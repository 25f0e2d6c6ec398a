import { Page } from "../../ui/page.tsx";

export function Placements() {
  return <Page title="Placements">{null}</Page>;
}
