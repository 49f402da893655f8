"""Custom claims of session tokens, and the path language that reads metadata for them."""
