"""Questions and changes, one repository a table group. Each works in the caller's session and never commits."""
