/** Registers a server as a region. The API probes it first, and says in one sentence what it lacks. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/fields.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { coordinatesOf, fieldErrors, isAbout, PLACE_PROBLEM, PlaceFields } from "./region-fields.tsx";

const REGISTER = graphql(`
  mutation RegisterRegion($input: RegisterRegionInput!) {
    registerRegion(input: $input) { id key }
  }
`);

const FIELDS = ["key", "name", "connectionUrl", "poolUrl", "latitude", "longitude", "coordinates"];
const EMPTY = { key: "", name: "", connectionUrl: "", poolUrl: "", latitude: "", longitude: "" };

export function RegisterRegion({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(EMPTY);
  const { mutate, error, isPending } = useChange(REGISTER, ["regions", "overview"]);
  const coordinates = coordinatesOf(form);
  const errors = fieldErrors(error);
  const set = (field: keyof typeof EMPTY) => (value: string) => setForm((before) => ({ ...before, [field]: value }));
  const register = () => {
    const { key, name, connectionUrl, poolUrl } = form;
    const input = { key, name, connectionUrl, ...(poolUrl === "" ? {} : { poolUrl }) };
    mutate({ input: coordinates == null ? input : { ...input, coordinates } }, { onSuccess: onClose });
  };
  return (
    <Dialog title="Register a region" isOpen onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (coordinates !== undefined) register();
        }}
      >
        <div className="pair">
          <TextField
            label="Key"
            hint="what people type, such as eu"
            value={form.key}
            onChange={set("key")}
            error={errors("key")}
            isRequired
            isMono
          />
          <TextField
            label="Name"
            hint="what people read"
            value={form.name}
            onChange={set("name")}
            error={errors("name")}
            placeholder="Frankfurt"
            isRequired
          />
        </div>
        <TextField
          label="Connection URL"
          hint="postgres://user:password@host:5432, without a database. It is stored encrypted and never shown again."
          type="password"
          value={form.connectionUrl}
          onChange={set("connectionUrl")}
          error={errors("connectionUrl")}
          isRequired
          isMono
        />
        <TextField
          label="Pooler (optional)"
          hint="postgres://host:6432, without user and password"
          value={form.poolUrl}
          onChange={set("poolUrl")}
          error={errors("poolUrl")}
          isMono
        />
        <PlaceFields
          place={form}
          onChange={(place) => setForm((before) => ({ ...before, ...place }))}
          errors={errors}
        />
        {coordinates === undefined && <Notice tone="warn">{PLACE_PROBLEM}</Notice>}
        {error !== null && !isAbout(error, FIELDS) && <Failure error={error} />}
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={isPending || coordinates === undefined}>
            {isPending ? "Probing the server …" : "Register"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
