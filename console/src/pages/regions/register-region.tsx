/** Registers a server as a region. The API probes it first, and says in one sentence what it lacks. */
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/fields.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { coordinatesOf, type FieldErrors, fieldErrors, isAbout, PLACE_PROBLEM, PlaceFields } from "./region-fields.tsx";

const REGISTER = graphql(`
  mutation RegisterRegion($input: RegisterRegionInput!) {
    registerRegion(input: $input) { id key }
  }
`);

const FIELDS = ["key", "name", "connectionUrl", "poolUrl", "latitude", "longitude", "coordinates"];
const EMPTY = { key: "", name: "", connectionUrl: "", poolUrl: "", latitude: "", longitude: "" };

type Form = typeof EMPTY;

export function RegisterRegion({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(EMPTY);
  const { mutate, error, isPending } = useChange(REGISTER, ["regions", "overview"]);
  const coordinates = coordinatesOf(form);
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
        <Fields
          form={form}
          errors={fieldErrors(error)}
          onChange={(changed) => setForm((before) => ({ ...before, ...changed }))}
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

type FieldsProps = { form: Form; errors: FieldErrors; onChange: (changed: Partial<Form>) => void };

function Fields({ form, errors, onChange }: FieldsProps) {
  const of = (field: keyof Form) => ({
    value: form[field],
    error: errors(field),
    onChange: (value: string) => onChange({ [field]: value }),
  });
  return (
    <>
      <div className="pair">
        <TextField label="Key" hint="what people type, such as eu" isRequired isMono {...of("key")} />
        <TextField label="Name" hint="what people read, such as Frankfurt" isRequired {...of("name")} />
      </div>
      <TextField
        label="Connection URL"
        hint="postgres://user:password@host:5432, without a database. It is stored encrypted and never shown again."
        type="password"
        isRequired
        isMono
        {...of("connectionUrl")}
      />
      <TextField
        label="Pooler (optional)"
        hint="postgres://host:6432, without user and password"
        isMono
        {...of("poolUrl")}
      />
      <PlaceFields place={form} onChange={onChange} errors={errors} />
    </>
  );
}
