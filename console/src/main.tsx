import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { session } from "./api/session.ts";
import { makeQueryClient } from "./api/use-api.ts";
import { router } from "./router.tsx";
import { applyTheme, readTheme } from "./shell/theme.ts";
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";
import "./style/controls.css";
import "./style/data.css";

applyTheme(readTheme());
const client = makeQueryClient();
// Nothing that one person has read is shown to the next.
session.onChange(() => client.clear());

const element = document.getElementById("root");
if (element === null) throw new Error("The page has no element with the id root.");
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
