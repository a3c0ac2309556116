"""Every sentence a person reads in Slack.

How they are written:

- What happened comes first, then what to do. One thought, one sentence, in the fewest words.
- Plain English, sentence case, "e-mail" with a hyphen. No "please", no "oops", no exclamation marks,
  at most one sign, at the front of a status.
- Never claim more than is known: "Kayran took it" is not "checked in Kayran".
- A person is a mention (``<@U…>``), a time is Slack's own date format, so that everybody reads it
  in their own language and zone. Slack's error codes stay in the log.
- Foreign text (Kayran's reasons, its e-mail address) is escaped and cut before it gets here:
  ``quoted``. Slack's three: https://docs.slack.dev/messaging/formatting-message-text
"""

from bot.slack.words.common import *
from bot.slack.words.dialogs import *
from bot.slack.words.thread import *
