/** How much of a limit is used, as a bar with its numbers. Near the limit it says so in words too. */
import { Meter as Base } from "@base-ui/react/meter";
import { count } from "./format.ts";

const NEAR = 0.8;
const FULL = 0.95;

export function Meters({ children }: { children: React.ReactNode }) {
  return <div className="meters">{children}</div>;
}

export type MeterProps = {
  name: string;
  used: number;
  limit: number;
  /** How far something is: full is well. */
  isProgress?: boolean;
};

export function Meter({ name, used, limit, isProgress = false }: MeterProps) {
  const share = isProgress ? 0 : limit === 0 ? 1 : used / limit;
  const [tone, word] = share >= FULL ? ["bad", " full"] : share >= NEAR ? ["warn", " nearly full"] : ["ok", ""];
  const text = `${count(used)} of ${count(limit)}${word}`;
  return (
    <Base.Root className={`meter tone-${tone}`} value={used} max={limit} getAriaValueText={() => text}>
      <Base.Label>{name}</Base.Label>
      <Base.Track className="track">
        <Base.Indicator className="fill" />
      </Base.Track>
      <span className="value nowrap" aria-hidden="true">
        {text}
      </span>
    </Base.Root>
  );
}
