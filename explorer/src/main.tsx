import "./workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./explorer.css";

import { createRoot } from "react-dom/client";

import { Explorer } from "./explorer";

createRoot(document.getElementById("explorer")!).render(<Explorer />);
