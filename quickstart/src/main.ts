import "./quickstart.css";

import { register } from "@teamhanko/hanko-elements";

import { me } from "./me";
import { translations } from "./texts";

const component = document.getElementById("component")!;
const answer = document.querySelector("#me pre")!;
const { hanko } = await register(location.origin, { translations });
let shown = "";

/** Shows what the API says of who is there, and the component that is for them. */
async function show(): Promise<void> {
  const { text, isSomebody } = await me();
  answer.textContent = text;
  fill(isSomebody ? "signed-in" : "signed-out");
}

/** Puts the content of a template into its place, unless it is there already. */
function fill(name: string): void {
  if (name === shown) return;
  shown = name;
  const template = document.getElementById(name) as HTMLTemplateElement;
  component.replaceChildren(template.content.cloneNode(true));
  component.querySelector("button")?.addEventListener("click", () => hanko.logout());
}

hanko.onSessionCreated(show);
hanko.onSessionExpired(show);
hanko.onUserLoggedOut(show);
hanko.onUserDeleted(show);
hanko.onAfterStateChange(({ state }) => state.name === "profile_init" && show());
await show();
