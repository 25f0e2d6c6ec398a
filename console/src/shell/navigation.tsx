/** The pages, who is signed in, light and dark. At the side; on a narrow screen in a drawer. */
import { Dialog } from "@base-ui/react/dialog";
import { Link, useLocation } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { session } from "../api/session.ts";
import { isOperator, nameOf, useViewer } from "../api/viewer.ts";
import { Icon } from "../ui/icon.tsx";
import { Status } from "../ui/status.tsx";
import { useLive } from "./live.tsx";
import { PAGES } from "./pages.ts";
import { THEMES, useTheme } from "./theme.ts";

export function Brand() {
  return (
    <Link to="/" className="brand">
      <svg
        width="18"
        height="18"
        viewBox="0 0 18 18"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        aria-hidden="true"
      >
        <circle cx="9" cy="4" r="2.2" />
        <circle cx="3.6" cy="14" r="2.2" />
        <circle cx="14.4" cy="14" r="2.2" />
        <path d="M8 6 4.8 12M10 6l3.2 6" />
      </svg>
      Tenantry
    </Link>
  );
}

export function Side() {
  const viewer = useViewer();
  const pages = PAGES.filter(({ forOperators }) => !forOperators || isOperator(viewer));
  return (
    <>
      <Brand />
      <nav className="nav" aria-label="Pages">
        {pages.map(({ to, name, icon }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === "/", includeSearch: false }}>
            <Icon name={icon} />
            {name}
          </Link>
        ))}
      </nav>
      <div className="side-foot">
        <LiveState />
        <ThemeSwitch />
        <div>
          <div className="muted">Signed in as</div>
          <div>{nameOf(viewer)}</div>
        </div>
        {viewer.via !== "DEVELOPMENT" && (
          <button type="button" className="button" onClick={() => session.set(undefined)}>
            Sign out
          </button>
        )}
      </div>
    </>
  );
}

function LiveState() {
  return useLive() ? <Status tone="ok">Live</Status> : <Status tone="rest">Asks every 5 s</Status>;
}

const THEME_NAMES = { system: "System", light: "Light", dark: "Dark" };

export function ThemeSwitch() {
  const [theme, setTheme] = useTheme();
  return (
    <div className="switch" role="group" aria-label="Colours">
      {THEMES.map((one) => (
        <button key={one} type="button" aria-pressed={one === theme} onClick={() => setTheme(one)}>
          {THEME_NAMES[one]}
        </button>
      ))}
    </div>
  );
}

export function TopBar() {
  const [isOpen, setOpen] = useState(false);
  const { pathname } = useLocation();
  useEffect(() => setOpen(false), [pathname]);
  return (
    <header className="top-bar">
      <Brand />
      <Dialog.Root open={isOpen} onOpenChange={setOpen}>
        <Dialog.Trigger className="button icon" aria-label="Pages and settings">
          <Icon name="menu" />
        </Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Backdrop className="backdrop" />
          <Dialog.Popup className="drawer" aria-label="Pages and settings">
            <div className="side">
              <Side />
            </div>
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </header>
  );
}
