/** What a person can mend: its message is all that is shown, and the command ends with exit code 1. */
export class AdminError extends Error {}

/** The command itself is wrong: exit code 2. */
export class UsageError extends AdminError {}
