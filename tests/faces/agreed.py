"""The API as it is agreed: every type, field and argument of it, with their guards."""

AGREED = """
directive @requiresSecretKey(scopes: [String!]!) on FIELD_DEFINITION
directive @requiresSession on FIELD_DEFINITION
directive @requiresRecentSignIn on FIELD_DEFINITION
directive @solo on FIELD_DEFINITION

scalar JSON
scalar DateTime

type Query {
  me: User
  session: Session
  server: ServerInfo!
  user(by: UserBy!): User @requiresSecretKey(scopes: ["users:read"])
  users(first: Int, after: String, last: Int, before: String, filter: UserFilter,
    orderBy: UserOrder): UserConnection! @requiresSecretKey(scopes: ["users:read"])
  secretKeys: [SecretKey!]! @requiresSecretKey(scopes: ["keys:read"])
  webhooks: [Webhook!]! @requiresSecretKey(scopes: ["webhooks:read"])
  auditLog(first: Int, after: String, filter: AuditFilter): AuditEventConnection!
    @requiresSecretKey(scopes: ["audit:read"])
}

type Mutation {
  updateMe(input: UpdateMeInput!): UserPayload! @requiresSession
  updateUserMetadata(userId: ID!, input: UserMetadataInput!): UserPayload!
    @requiresSecretKey(scopes: ["users.metadata:write"])
  createUser(input: CreateUserInput!): UserPayload! @requiresSecretKey(scopes: ["users:write"])
  updateUser(userId: ID!, input: UpdateUserInput!): UserPayload!
    @requiresSecretKey(scopes: ["users:write"])
  deleteUser(userId: ID!): DeletePayload! @requiresSecretKey(scopes: ["users:write"])
  createUserSession(userId: ID!): SessionPayload!
  startFlow(kind: FlowKind!, input: StartFlowInput): FlowPayload! @solo
  continueFlow(flowId: ID!, csrfToken: String!, action: FlowAction!): FlowPayload! @solo
}

type User {
  id: ID!
  username: String
  name: String
  givenName: String
  familyName: String
  picture: String
  locale: String
  emails: [Email!]!
  primaryEmail: Email
  publicMetadata(path: String): JSON
  unsafeMetadata(path: String): JSON
  privateMetadata(path: String): JSON @requiresSecretKey(scopes: ["users.private:read"])
  metadataVersion: Int!
  passkeys: [Passkey!]!
  securityKeys: [Passkey!]!
  identities: [Identity!]!
  mfa: Mfa!
  trustedDevices: [TrustedDevice!]!
  sessions(first: Int, after: String): SessionConnection!
  createdAt: DateTime!
  updatedAt: DateTime!
  lastSignInAt: DateTime
}
type Email { id: ID! address: String! isPrimary: Boolean! isVerified: Boolean! }
type Passkey { id: ID! name: String }
type Identity { id: ID! }
type Mfa { recoveryCodesLeft: Int! }
type TrustedDevice { id: ID! }
type Session { id: ID! }
type SecretKey { id: ID! }
type Webhook { id: ID! }
type AuditEvent { id: ID! }
type ServerInfo {
  methods: [SignInMethod!]! identifiers: [LoginIdentifier!]! providers: [Provider!]!
  metadataLimits: [MetadataLimit!]! emailLimit: Int! }
type MetadataLimit { bag: MetadataBag! max: Int! unit: String! }
enum SignInMethod { PASSKEY PASSWORD PASSCODE PROVIDER }
enum LoginIdentifier { EMAIL USERNAME }

input UserBy @oneOf { id: ID email: String username: String identity: IdentityKeyInput }
input IdentityKeyInput { provider: String! subject: String! }
input UserFilter {
  search: String
  email: String
  emailVerified: Boolean
  createdAfter: DateTime
  createdBefore: DateTime
  signedInAfter: DateTime
  signedInBefore: DateTime
  hasPasskey: Boolean
  hasPassword: Boolean
  hasTotp: Boolean
  identityProvider: String
  metadata: MetadataFilter
  and: [UserFilter!]
  or: [UserFilter!]
  not: UserFilter
}
input MetadataFilter { bag: MetadataBag! path: String! equals: JSON exists: Boolean }
input AuditFilter { types: [String!] actorId: ID subjectId: ID after: DateTime before: DateTime }
enum UserOrder { CREATED_AT_DESC CREATED_AT_ASC }

input UpdateMeInput {
  unsafeMetadata: JSON
  username: String
  name: String
  givenName: String
  familyName: String
  picture: String
  locale: String
  ifMetadataVersion: Int
}
input UserMetadataInput {
  publicMetadata: JSON
  privateMetadata: JSON
  unsafeMetadata: JSON
  mode: MetadataMode = MERGE
  ifMetadataVersion: Int
}
enum MetadataMode { MERGE REPLACE }
input CreateUserInput {
  id: ID
  emails: [EmailInput!]
  username: String
  password: String
  passwordHash: String
  name: String
  publicMetadata: JSON
  privateMetadata: JSON
  unsafeMetadata: JSON
  createdAt: DateTime
}
input UpdateUserInput { username: String name: String }
input EmailInput { address: String! isPrimary: Boolean = false isVerified: Boolean = false }

type UserPayload { user: User userErrors: [UserError!]! }
type SessionPayload { session: Session token: String userErrors: [UserError!]! }
type SecretKeyPayload { secretKey: SecretKey secret: String userErrors: [UserError!]! }
type DeletePayload { userErrors: [UserError!]! }

type UserConnection { edges: [UserEdge!]! nodes: [User!]! pageInfo: PageInfo! }
type UserEdge { cursor: String! node: User! }
type SessionConnection { edges: [SessionEdge!]! nodes: [Session!]! pageInfo: PageInfo! }
type SessionEdge { cursor: String! node: Session! }
type AuditEventConnection { edges: [AuditEventEdge!]! nodes: [AuditEvent!]! pageInfo: PageInfo! }
type AuditEventEdge { cursor: String! node: AuditEvent! }
type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}

enum FlowKind { LOGIN REGISTRATION PROFILE TOKEN_EXCHANGE }
input StartFlowInput { language: String }
type FlowPayload { flow: Flow session: Session token: String userErrors: [UserError!]! }
type Flow {
  id: ID!
  kind: FlowKind!
  csrfToken: String!
  expiresAt: DateTime!
  state: FlowState!
  actions: [FlowActionInfo!]!
}
interface FlowState { name: String! }
type LoginInit implements FlowState { name: String! requestOptions: JSON providers: [Provider!]! }
type PasscodeConfirmation implements FlowState { name: String! resendAfter: Int attemptsLeft: Int }
type Success implements FlowState { name: String! user: User! claims: JSON! }
type Provider { id: ID! name: String! }
type FlowActionInfo { name: String! description: String! inputs: [FlowInputInfo!]! }
type FlowInputInfo { name: String! }
input FlowAction @oneOf {
  registerClientCapabilities: RegisterClientCapabilitiesInput
  continueWithLoginIdentifier: ContinueWithLoginIdentifierInput
  passwordLogin: PasswordLoginInput
  verifyPasscode: VerifyPasscodeInput
  back: Confirm
}
input RegisterClientCapabilitiesInput { webauthnAvailable: Boolean }
input ContinueWithLoginIdentifierInput { identifier: String email: String username: String }
input PasswordLoginInput { password: String }
input VerifyPasscodeInput { code: String }
enum Confirm { CONFIRM }

interface UserError { code: ErrorCode! message: String! path: [String!]! }
type InputError implements UserError { code: ErrorCode! message: String! path: [String!]! }
type InvalidCode implements UserError {
  code: ErrorCode! message: String! path: [String!]! attemptsLeft: Int }
type RateLimited implements UserError {
  code: ErrorCode! message: String! path: [String!]! retryAfter: Int! }
type PasswordRejected implements UserError {
  code: ErrorCode! message: String! path: [String!]! minLength: Int! breached: Boolean! }
type MetadataRejected implements UserError {
  code: ErrorCode! message: String! path: [String!]!
  bag: MetadataBag! size: Int limit: Int unit: String currentVersion: Int }
type StepUpRequired implements UserError {
  code: ErrorCode! message: String! path: [String!]! maxAge: Int! }
enum MetadataBag { PUBLIC PRIVATE UNSAFE }
enum ErrorCode {
  METADATA_TOO_LARGE
  METADATA_NOT_AN_OBJECT
  METADATA_VERSION_CONFLICT
  NOT_FOUND
  EMAIL_TAKEN
  USERNAME_TAKEN
  PASSWORD_TOO_SHORT
}
"""
