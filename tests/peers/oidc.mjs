// An OpenID provider: `oidc-provider`, with everybody as a user, and two clients of one secret.
// The client `--client` has to use PKCE; the client `--client` + "-plain" need not.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";

import { argumentsOf, formOf, listen, person, signInForm } from "./pages.mjs";

const given = argumentsOf("port", "client", "secret", "redirect-uri", "algorithm");
const issuer = `http://127.0.0.1:${given.port}`;
const plain = `${given.client}-plain`;
const logins = new Map();

const provider = new Provider(issuer, {
  clients: [given.client, plain].map(clientOf),
  jwks: { keys: [keyOf(given.algorithm)] },
  cookies: { keys: ["the tests' own"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: true, // the ID token says who it is, userinfo the rest
  features: { devInteractions: { enabled: false } },
  pkce: { required: (_, client) => client.clientId !== plain },
  ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
  interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
  findAccount,
  loadExistingGrant,
  renderError,
});

/** Registers a client. */
function clientOf(client_id) {
  return {
    client_id,
    client_secret: given.secret,
    redirect_uris: [given["redirect-uri"]],
    id_token_signed_response_alg: given.algorithm,
    token_endpoint_auth_method: "client_secret_basic",
  };
}

/** Makes a key pair for an algorithm. */
function keyOf(alg) {
  const { privateKey } = alg.startsWith("ES")
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: alg };
}

/** Tells what is known of somebody. */
function findAccount(_, accountId) {
  const { subject, email, isVerified, name } = person(logins.get(accountId));
  return { accountId, claims: () => ({ sub: subject, email, email_verified: isVerified, name }) };
}

/** Lets the clients have what they ask for, without asking anybody. */
async function loadExistingGrant({ oidc: { client, session, provider } }) {
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope("openid email profile");
  await grant.save(600);
  return grant;
}

/** Says what is wrong with a request that cannot be answered to anybody. */
function renderError(context, out) {
  context.type = "text/plain";
  context.body = `${out.error}: ${out.error_description}`;
}

/** Refuses a sign-in without a nonce; OpenID Connect lets it pass. */
provider.use(async (context, next) => {
  const isNew = context.path === "/auth" && context.method === "GET";
  if (isNew && !context.query.nonce) throw new errors.InvalidRequest("a nonce is needed");
  await next();
});

/** Asks who it is. */
async function signIn(request, response) {
  const { prompt } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    return response.end(signInForm("The OpenID provider"));
  }
  const { login, answer } = await formOf(request);
  if (answer !== "yes" || prompt.name !== "login") {
    const refused = { error: "access_denied", error_description: "They did not want to." };
    return provider.interactionFinished(request, response, refused);
  }
  const { subject } = person(login);
  logins.set(subject, login);
  const result = { login: { accountId: subject, remember: false } };
  return provider.interactionFinished(request, response, result);
}

const answerAll = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith("/sign-in/")) return answerAll(request, response);
  return signIn(request, response).catch((error) => response.writeHead(400).end(`${error}`));
});
listen(server, given.port);
