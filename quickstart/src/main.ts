import "./quickstart.css";

import { register } from "@teamhanko/hanko-elements";

import { me } from "./me";
import { translations } from "./texts";

const component = document.getElementById("component")!;
const answer = document.querySelector("#me pre")!;
const { hanko } = await register(location.origin, { translations });
let asked = 0;
let shown = "";

/** Shows what the API says of who is there, and the component that is for them. */
async function show(): Promise<void> {
  const question = ++asked;
  const { text, isSomebody } = await me();
  if (question !== asked) return; // a later question knows better
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

/**
 * Takes the hint out of the address that somebody comes from their provider unasked. A component
 * that finds it there begins with the exchange of a token, and the next one has none to exchange.
 */
function forgetHint(): void {
  const url = new URL(location.href);
  if (!url.searchParams.has("saml_hint")) return;
  url.searchParams.delete("saml_hint");
  history.replaceState(null, "", url);
}

hanko.onSessionCreated(show);
hanko.onSessionExpired(show);
hanko.onUserLoggedOut(show);
hanko.onUserDeleted(show);
hanko.onAfterStateChange(({ state }) => {
  if (state.flowName === "token_exchange") forgetHint();
  if (state.name === "profile_init") show();
});
await show();
