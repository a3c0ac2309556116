"""kayran-notify: choose in Slack which scan events Kayran sends an e-mail about.

Importing this package does nothing. ``python -m bot --help`` says what it can do;
``bot/app.py`` is the room where the parts are handed to each other.
"""

__version__ = "1.0.0"
