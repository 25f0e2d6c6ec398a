/** Fields of forms and filters. */
import { type ReactNode, useEffect, useId, useState } from "react";

export type FieldProps = {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  /** Wider than the others in a row of filters. */
  isWide?: boolean;
};

type Described = { id: string; "aria-describedby"?: string; "aria-invalid"?: true };

function Field({
  label,
  hint,
  error,
  isWide = false,
  children,
}: FieldProps & { children: (of: Described) => ReactNode }) {
  const id = useId();
  const described = [hint === undefined ? "" : `${id}-hint`, error === undefined ? "" : `${id}-error`].join(" ").trim();
  return (
    <div className={isWide ? "field wide" : "field"}>
      <label className="label" htmlFor={id}>
        {label}
      </label>
      {children({
        id,
        ...(described === "" ? {} : { "aria-describedby": described }),
        ...(error === undefined ? {} : { "aria-invalid": true as const }),
      })}
      {hint !== undefined && (
        <span className="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {error !== undefined && (
        <span className="error" id={`${id}-error`} role="alert">
          {error}
        </span>
      )}
    </div>
  );
}

export type TextFieldProps = FieldProps & {
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "password" | "search" | "number" | "date" | "datetime-local";
  placeholder?: string;
  isRequired?: boolean;
  autoComplete?: string;
  isMono?: boolean;
};

export function TextField({
  value,
  onChange,
  type = "text",
  placeholder,
  isRequired = false,
  autoComplete = "off",
  isMono = false,
  ...field
}: TextFieldProps) {
  return (
    <Field {...field}>
      {(of) => (
        <input
          {...of}
          className={isMono ? "input mono" : "input"}
          type={type}
          value={value}
          placeholder={placeholder}
          required={isRequired}
          autoComplete={autoComplete}
          spellCheck={false}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** How long somebody may pause while typing before the filter is asked for. */
const PAUSE_MS = 300;

/** A text by which a list is filtered: takes effect when somebody stops typing. */
export function FilterText({
  value,
  onChange,
  ...props
}: Omit<TextFieldProps, "value"> & { value: string | undefined }) {
  const [typed, setTyped] = useState(value ?? "");
  // The address has changed otherwise, as by the button for going back.
  useEffect(() => setTyped(value ?? ""), [value]);
  useEffect(() => {
    if (typed === (value ?? "")) return undefined;
    const timer = setTimeout(() => onChange(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  });
  return <TextField type="search" {...props} value={typed} onChange={setTyped} />;
}

export type Choice<Value extends string> = { value: Value; name: string };

export type SelectFieldProps<Value extends string> = FieldProps & {
  value: Value | undefined;
  choices: readonly Choice<Value>[];
  /** What no choice is called, such as "All"; left out: one must be chosen. */
  none?: string;
  onChange: (value: Value | undefined) => void;
};

export function SelectField<Value extends string>({
  value,
  choices,
  none,
  onChange,
  ...field
}: SelectFieldProps<Value>) {
  return (
    <Field {...field}>
      {(of) => (
        <select
          {...of}
          className="select"
          value={value ?? ""}
          onChange={({ currentTarget }) =>
            onChange(choices.find((choice) => choice.value === currentTarget.value)?.value)
          }
        >
          {none !== undefined && <option value="">{none}</option>}
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({
  label,
  isChecked,
  onChange,
}: {
  label: ReactNode;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}) {
  return (
    <label className="check">
      <input type="checkbox" checked={isChecked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
