"""The people and channels of the workspace that the stand-in for Slack plays in."""

import copy
from collections.abc import Mapping
from typing import Any

from bot.sandbox.cast import BOT_USER, TEAM, Channel, channels, people
from bot.sandbox.messages import Refusal


class Directory:
    """Who is there, and where.

    Attributes:
        people: Slack's user objects by id; tests may change them.
        channels: by id.
    """

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = people()
        self.channels: dict[str, Channel] = channels()

    def person(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """``users.info``.

        Raises:
            Refusal: ``user_not_found``.
        """
        user = arguments.get("user")
        if user not in self.people:
            raise Refusal("user_not_found")
        return {"user": copy.deepcopy(self.people[user])}

    def name_of(self, user: str) -> str:
        """The person's name as messages show it."""
        return str(self.people.get(user, {}).get("real_name") or user)

    def channel(self, channel: Any) -> Channel:
        """The channel, whoever may see it.

        Raises:
            Refusal: ``channel_not_found``.
        """
        if channel not in self.channels:
            raise Refusal("channel_not_found")
        return self.channels[channel]

    def channels_of(self, user: str) -> list[Channel]:
        """The channels a person sees: their own, and for full members every public one."""
        person = self.people[user]
        roams = person["team_id"] == TEAM and not person.get("is_restricted", False)
        return [
            channel
            for channel in list(self.channels.values())
            if user in channel.members or (roams and channel.kind == "public")
        ]

    def app_dm(self, user: str) -> Channel:
        """The app's direct messages with a person, opened when they aren't yet.

        Raises:
            Refusal: ``channel_not_found`` when there is no such person.
        """
        if user not in self.people:
            raise Refusal("channel_not_found")
        channel = f"D0KAYRAN{user[1:]}"
        return self.channels.setdefault(channel, Channel(channel, "", "im", {user, BOT_USER}))
