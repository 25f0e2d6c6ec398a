/** The parts of a page. */
import { type ReactNode, useEffect, useRef } from "react";

export type PageProps = {
  title: string;
  /** One or two sentences on what is seen here. */
  lead?: ReactNode;
  /** Where one came from, above the title. */
  crumbs?: ReactNode;
  /** Buttons at the right. */
  actions?: ReactNode;
  children: ReactNode;
};

/** The page that is shown first takes no focus: the browser begins at its top. */
let isFirst = true;

export function Page({ title, lead, crumbs, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Another page begins at its heading, also for who does not see it. Filters leave the focus where it is.
  useEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  return (
    <div className="page">
      <title>{`${title} · Tenantry`}</title>
      <header className="page-head">
        <div>
          {crumbs !== undefined && <div className="crumbs">{crumbs}</div>}
          <h1 tabIndex={-1} ref={heading}>
            {title}
          </h1>
          {lead !== undefined && <p>{lead}</p>}
        </div>
        {actions !== undefined && <div className="row">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export type PanelProps = {
  title: string;
  /** A few words beside the title. */
  note?: ReactNode;
  actions?: ReactNode;
  foot?: ReactNode;
  /** Without a margin around what is in it, as for tables. */
  flush?: boolean;
  children: ReactNode;
};

export function Panel({ title, note, actions, foot, flush = false, children }: PanelProps) {
  return (
    <section className="panel" aria-label={title}>
      <div className="panel-head">
        <div className="row">
          <h2>{title}</h2>
          {note !== undefined && <p>{note}</p>}
        </div>
        {actions !== undefined && <div className="row">{actions}</div>}
      </div>
      <div className={flush ? "panel-body flush" : "panel-body"}>{children}</div>
      {foot !== undefined && <div className="panel-foot">{foot}</div>}
    </section>
  );
}

/** Names and what they have: `<Facts rows={[["Region", region.name]]} />`. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A number that stands for itself. */
export function Figure({ name, value, note }: { name: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="figure">
      <span className="name">{name}</span>
      <span className="value">{value}</span>
      {note !== undefined && <span className="note">{note}</span>}
    </div>
  );
}
