/** Changes a region's name, where it is on the map, or its server's address or password. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/fields.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { coordinatesOf, fieldErrors, isAbout, PLACE_PROBLEM, PlaceFields } from "./region-fields.tsx";
import type { RegionRow } from "./regions.tsx";

const CHANGE = graphql(`
  mutation UpdateRegion($input: UpdateRegionInput!) {
    updateRegion(input: $input) { id key }
  }
`);

const FIELDS = ["name", "connectionUrl", "latitude", "longitude", "coordinates"];

export function ChangeRegion({ region, onClose }: { region: RegionRow; onClose: () => void }) {
  const { key, coordinates: before } = region;
  const [form, setForm] = useState({
    name: region.name,
    connectionUrl: "",
    latitude: before === null ? "" : String(before.latitude),
    longitude: before === null ? "" : String(before.longitude),
  });
  const { mutate, error, isPending } = useChange(CHANGE, ["regions", "overview"]);
  const coordinates = coordinatesOf(form);
  const errors = fieldErrors(error);
  const change = () => {
    const { name, connectionUrl } = form;
    const input = { key, name, ...(connectionUrl === "" ? {} : { connectionUrl }) };
    mutate({ input: coordinates === undefined ? input : { ...input, coordinates } }, { onSuccess: onClose });
  };
  return (
    <Dialog title={`Change region ${key}`} isOpen onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (coordinates !== undefined) change();
        }}
      >
        <TextField
          label="Name"
          value={form.name}
          onChange={(name) => setForm((old) => ({ ...old, name }))}
          error={errors("name")}
          isRequired
        />
        <TextField
          label="New connection URL (optional)"
          hint="A new address, user or password of the same server. Left empty, it stays."
          type="password"
          value={form.connectionUrl}
          onChange={(connectionUrl) => setForm((old) => ({ ...old, connectionUrl }))}
          error={errors("connectionUrl")}
          isMono
        />
        <PlaceFields place={form} onChange={(place) => setForm((old) => ({ ...old, ...place }))} errors={errors} />
        {coordinates === undefined && <Notice tone="warn">{PLACE_PROBLEM}</Notice>}
        {error !== null && !isAbout(error, FIELDS) && <Failure error={error} />}
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={isPending || coordinates === undefined}>
            {isPending ? "At work …" : "Change"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
