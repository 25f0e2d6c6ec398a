import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useChange } from "../../api/use-api.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/fields.tsx";
import { Failure } from "../../ui/states.tsx";

const CREATE = graphql(`
  mutation CreateOrganization($input: CreateOrganizationInput!) {
    createOrganization(input: $input) { id }
  }
`);

export function CreateOrganization({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const navigate = useNavigate();
  const { mutate, error, isPending } = useChange(CREATE, ["organizations", "overview"]);
  const create = () =>
    mutate(
      { input: { name } },
      {
        onSuccess: ({ data }) =>
          void navigate({ to: "/organizations/$id", params: { id: data.createOrganization.id } }),
      },
    );
  return (
    <Dialog title="Create an organization" isOpen onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          create();
        }}
      >
        <TextField label="Name" value={name} onChange={setName} isRequired />
        {error !== null && <Failure error={error} />}
        <div className="form-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={isPending || name.trim() === ""}>
            {isPending ? "At work …" : "Create"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
