"""The modal in which somebody who may not asks for a change, and the one that declines it.

``build`` and ``parse`` stand side by side, because they can only change together. What is set now is
not shown: that is for those who may.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from slack_sdk.models import blocks as kit
from slack_sdk.models.views import View

from bot.asking import TEXT_AT_MOST, Ask
from bot.changes import Changes
from bot.notifications import NOTIFICATIONS, Flags
from bot.slack import form, words
from bot.slack.form import Basis
from bot.slack.mrkdwn import section

CALLBACK_ID = "kayran_notify_ask"
DECLINE_CALLBACK_ID = "kayran_notify_decline"


def build(ask: Ask, top: str, mailboxes: Mapping[str, str]) -> View:
    """The form.

    Args:
        ask: what is filled in already. Where its channel is none that the bot may be able to post in,
            the form asks for one.
        top: the sentence above everything else.
        mailboxes: names by account, where there is more than one to choose from.
    """
    nine = [kit.Option(value=n.parameter, text=words.choice_label(n)) for n in NOTIFICATIONS]
    on, off = ([o for o in nine if ask.wanted[str(o.value)] is v] or None for v in (True, False))
    inputs: dict[str, kit.InputInteractiveElement] = {
        "on": kit.StaticMultiSelectElement(options=nine, initial_options=on),
        "off": kit.StaticMultiSelectElement(options=nine, initial_options=off),
        "why": kit.PlainTextInputElement(max_length=TEXT_AT_MOST, initial_value=ask.why or None),
        "notify": kit.UserSelectElement(initial_user=ask.notify),
    }
    if mailboxes:
        inputs["mailbox"] = form.mailbox_select(ask.account, mailboxes)
    if not ask.channel.startswith(("C", "G")):
        only = kit.ConversationFilter(include=["public", "private"], exclude_bot_users=True)
        inputs["channel"] = kit.ConversationSelectElement(filter=only)
    name = uuid.uuid4().hex
    basis = Basis(name, ask.account, ask.channel, Flags.unknown(), 0, ask.thread)
    blocks = [section(top), *(_input(n, name, element) for n, element in inputs.items())]
    return form.modal(CALLBACK_ID, form.encode(basis), words.ASK_TITLE, words.ASK, blocks)


@form.reading()
def parse(body: Mapping[str, Any], accounts: Mapping[str, Changes]) -> tuple[Ask, dict[str, str]]:
    """What a ``view_submission`` says, and what is wrong with it: sentences by block id.

    Raises:
        UnreadableForm: when anything is missing, is not as ``build`` makes it, or is of another account.
    """
    user = str(body["user"]["id"])
    basis = form.decode(body["view"]["private_metadata"], user)
    held = _held(body)
    on, off = ({o["value"] for o in held[name]["selected_options"]} for name in ("on", "off"))
    account, channel, thread = basis.account, basis.channel, basis.thread
    if "mailbox" in held:
        account = held["mailbox"]["selected_option"]["value"]
    if "channel" in held:
        channel, thread = form.conversation(held["channel"]["selected_conversation"]), None
    wanted = Flags.of({p: p in on for p in on | off})
    mailbox = accounts[account].mailbox
    why, notify = _line(held["why"]["value"]), held["notify"]["selected_user"]
    ask = Ask(account, mailbox, user, channel, thread, wanted, why, notify)
    wrong = {"on": "" if on | off else words.CHOOSE_SOMETHING, "off": words.on_and_off(on & off)}
    return ask, {f"{name}.{basis.form}": text for name, text in wrong.items() if text}


def build_decline(ask: Ask) -> View:
    """The form in which a request is declined, with a line to whoever asked."""
    line = _input("remark", str(ask.id), kit.PlainTextInputElement(max_length=TEXT_AT_MOST))
    blocks = [section(words.request(ask)), line]
    return form.modal(DECLINE_CALLBACK_ID, str(ask.id), words.DECLINE, words.DECLINE, blocks)


@form.reading()
def parse_decline(body: Mapping[str, Any]) -> tuple[str, str]:
    """The request's id and the line; ``UnreadableForm`` where it is none of ``build_decline``'s."""
    return str(body["view"]["private_metadata"]), _line(_held(body)["remark"]["value"])


def _held(body: Mapping[str, Any]) -> dict[str, Any]:
    """What each input holds, by its name."""
    values = body["view"]["state"]["values"].items()
    return {block.partition(".")[0]: next(iter(state.values()), None) for block, state in values}


def _input(name: str, of: str, element: kit.InputInteractiveElement) -> kit.InputBlock:
    optional = name not in ("mailbox", "channel")
    label = words.ASK_LABELS[name]
    return kit.InputBlock(block_id=f"{name}.{of}", label=label, optional=optional, element=element)


def _line(text: str | None) -> str:
    """Foreign text on one line, as any database takes it."""
    return "".join(c if c.isprintable() else " " for c in text or "")[:TEXT_AT_MOST].strip()
