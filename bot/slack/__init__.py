"""Everything that knows Slack: what comes in, what is shown, what is said, and where it goes."""
