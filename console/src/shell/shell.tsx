/** The frame of every page: who is signed in, the navigation, and the page. */
import { CSPProvider } from "@base-ui/react/csp-provider";
import { Outlet, useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError, request } from "../api/request.ts";
import { session, useSessionNumber } from "../api/session.ts";
import { isOperator, VIEWER, type Viewer, ViewerContext } from "../api/viewer.ts";
import { useQuery } from "@tanstack/react-query";
import { SignIn } from "../pages/sign-in/sign-in.tsx";
import { Page } from "../ui/page.tsx";
import { Failure, Loading, Notice } from "../ui/states.tsx";
import { Live } from "./live.tsx";
import { Side, TopBar } from "./navigation.tsx";
import { PAGES } from "./pages.ts";

export function Shell() {
  const number = useSessionNumber();
  const { data, error, refetch } = useQuery({
    queryKey: ["viewer", number],
    queryFn: async ({ signal }) => (await request(VIEWER, {}, signal)).data.viewer,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (data !== undefined) return <SignedIn viewer={data} key={number} />;
  if (error instanceof ApiError && error.code === "UNAUTHENTICATED") return <SignIn />;
  return (
    <main className="alone">
      {error === null ? <Loading /> : <Failure error={error} onRetry={() => void refetch()} />}
    </main>
  );
}

function SignedIn({ viewer }: { viewer: Viewer }) {
  const { pathname } = useLocation();
  useEffect(() => {
    // Newer browsers answer a promise, which is no clean-up.
    window.scrollTo(0, 0);
  }, [pathname]);
  const page = PAGES.find(({ to }) => (to === "/" ? pathname === "/" : pathname.startsWith(to)));
  return (
    <CSPProvider disableStyleElements>
      <ViewerContext value={viewer}>
        <Live>
          <a className="skip" href="#main">
            Skip to the page
          </a>
          <TopBar />
          <div className="frame">
            <aside className="side" aria-label="Pages and settings">
              <Side />
            </aside>
            <main className="main" id="main" tabIndex={-1}>
              {page?.forOperators === true && !isOperator(viewer) ? <ForOperators name={page.name} /> : <Outlet />}
            </main>
          </div>
        </Live>
      </ViewerContext>
    </CSPProvider>
  );
}

function ForOperators({ name }: { name: string }) {
  return (
    <Page title={name}>
      <Notice>
        <p>This page is for the operator of the platform. You see your organization under Organizations.</p>
        <button type="button" className="button" onClick={() => session.set(undefined)}>
          Sign in as somebody else
        </button>
      </Notice>
    </Page>
  );
}
