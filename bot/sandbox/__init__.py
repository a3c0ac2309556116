"""The sandbox: stand-ins for Slack and Kayran that behave and remember, and a page to use them from.

Nothing outside this package imports it, except the command line (when it is asked for the sandbox)
and the tests. It doesn't import the rooms of the bot it stands around, beyond the nine names in
``bot.notifications``: a stand-in that shared code with the bot would share its mistakes.

Everything listens on 127.0.0.1 alone, and nothing is kept when it ends.
"""
