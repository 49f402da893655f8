// What the components say, with sentences for the codes that they have none for.

import { en } from "@teamhanko/hanko-elements/i18n/en";

const flowErrors = {
  ...en.flowErrors,
  forbidden: "This is not allowed here.",
  invalid_metadata_error: "These metadata cannot be kept.",
  otp_code_already_used: "The code has been used already. Please wait for the next one.",
  otp_code_invalid: "The code is not correct.",
};

export const translations = { en: { ...en, flowErrors } };
