// An identity provider of SAML 2.0: `samlify`, with everybody as a user.
// It takes signed requests alone, by the binding `--binding`, and encrypts if `--encrypts` is "yes".

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import samlify from "samlify";

import { argumentsOf, formOf, listen, page, person, postingForm, signInForm } from "./pages.mjs";

const given = argumentsOf("port", "metadata", "key", "certificate", "binding", "encrypts");
const base = `http://127.0.0.1:${given.port}`;
const { IdentityProvider, SamlLib, ServiceProvider } = samlify;
const { replaceTagsByValue } = SamlLib;
const title = "The SAML provider";
const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
const binding = { redirect: "HTTP-Redirect", post: "HTTP-POST" }[given.binding];

samlify.setSchemaValidator({ validate: async () => "there is no schema here" });

const statement = `<saml:AuthnStatement AuthnInstant="{Now}" SessionIndex="{AssertionID}">
<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
</saml:AuthnStatement>`;
const provider = IdentityProvider({
  entityID: `${base}/metadata`,
  privateKey: readFileSync(given.key, "utf8"),
  signingCert: readFileSync(given.certificate, "utf8"),
  wantAuthnRequestsSigned: true,
  nameIDFormat: ["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"],
  singleSignOnService: [
    { Binding: `urn:oasis:names:tc:SAML:2.0:bindings:${binding}`, Location: `${base}/sso` },
  ],
  isAssertionEncrypted: given.encrypts === "yes",
  dataEncryptionAlgorithm: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
  loginResponseTemplate: {
    context: SamlLib.defaultLoginResponseTemplate.context.replace("{AuthnStatement}", statement),
    attributes: [attribute(`${claims}/emailaddress`, "email"), attribute(`${claims}/name`, "name")],
  },
});

/** Describes an attribute that has a member of somebody as its value. */
function attribute(name, member) {
  const nameFormat = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
  return { name, nameFormat, valueTag: member, valueXsiType: "xs:string" };
}

/** Reads what the service provider says of itself; its operator has brought that in a file. */
function serviceProvider() {
  return ServiceProvider({ metadata: readFileSync(given.metadata, "utf8") });
}

/** Checks a request, its signature too. */
async function requestOf(partner, url, body) {
  const query = Object.fromEntries(url.searchParams);
  const octetString = url.search.slice(1).replace(/&Signature=.*$/, "");
  return provider.parseLoginRequest(partner, given.binding, { query, octetString, body });
}

/** Writes the page that posts a response: an answer, or one that nobody has asked for. */
async function responseFor(partner, login, request, relayState) {
  const user = person(login);
  const fill = (template) => {
    const now = Date.now();
    const acs = partner.entityMeta.getAssertionConsumerService("post");
    const id = provider.entitySetting.generateID();
    const soon = new Date(now + 300_000).toISOString();
    const context = replaceTagsByValue(template, {
      ID: id,
      AssertionID: provider.entitySetting.generateID(),
      Issuer: provider.entityMeta.getEntityID(),
      IssueInstant: new Date(now).toISOString(),
      Now: new Date(now).toISOString(),
      Destination: acs,
      SubjectRecipient: acs,
      Audience: partner.entityMeta.getEntityID(),
      InResponseTo: request?.extract.request.id,
      StatusCode: "urn:oasis:names:tc:SAML:2.0:status:Success",
      NameIDFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
      NameID: user.subject,
      ConditionsNotBefore: new Date(now).toISOString(),
      ConditionsNotOnOrAfter: soon,
      SubjectConfirmationDataNotOnOrAfter: soon,
      attrEmail: user.email,
      attrName: user.name,
    });
    return { id, context };
  };
  const made = await provider.createLoginResponse(partner, request, "post", user, {
    customTagReplacement: fill,
  });
  const fields = { SAMLResponse: made.context, RelayState: relayState };
  return postingForm(title, made.entityEndpoint, fields);
}

/** Answers a browser. */
async function answer(request, url) {
  if (url.pathname === "/metadata") return provider.getMetadata();
  const partner = serviceProvider();
  const form = request.method === "POST" ? await formOf(request) : {};
  const login = form.login ?? url.searchParams.get("login");
  if (url.pathname === "/unsolicited") return responseFor(partner, login, null, "");
  if (url.pathname !== "/sso") throw new Error("There is no such page");
  const known = await requestOf(partner, url, form);
  const relayState = form.RelayState ?? url.searchParams.get("RelayState");
  if (form.answer === "no") return page(title, "<p>You have not signed in.</p>");
  if (login) return responseFor(partner, login, known, relayState);
  return signInForm(title, { SAMLRequest: form.SAMLRequest, RelayState: form.RelayState });
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, base);
  const type = url.pathname === "/metadata" ? "application/samlmetadata+xml" : "text/html";
  try {
    const text = await answer(request, url);
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` }).end(text);
  } catch (error) {
    response.writeHead(400, { "Content-Type": "text/plain" }).end(`${error}`);
  }
});
listen(server, given.port);
