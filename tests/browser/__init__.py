"""The sandbox's page, walked in Chromium as a person walks it: the real bot, and everything real between.

Only what is to be seen counts here. What the bot does with Slack, Kayran and its record in every
case is told by the stories; these walks show that a person gets to see it, and can act on it.
"""
