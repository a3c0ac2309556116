"""The modal: its ids, ``build`` and ``parse`` side by side, because they can only change together.

What is asked of Slack, and why it is built so:

- Option lists and ``initial_options`` come from one function: they have to be equal to the letter,
  and ``initial_options`` must not be empty
  (https://docs.slack.dev/reference/block-kit/block-elements/checkboxes-element).
- Every form has block ids of its own: with the same ids ``views.update`` keeps what was ticked
  before and ignores the new ticks (https://docs.slack.dev/surfaces/modals).
- Every input is ``optional``: to have none ticked is a legal answer.
- ``private_metadata`` says what the form was based on; it is never authority.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.models.blocks import (
    CheckboxesElement,
    InputBlock,
    Option,
    PlainTextObject,
)
from slack_sdk.models.blocks.blocks import Block
from slack_sdk.models.views import View

from bot.access import Reason
from bot.changes import Change, Conflict, CurrentState, Origin, Outcome
from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Notification, Phase, Preferences
from bot.slack import words
from bot.slack.mrkdwn import context, section
from bot.slack.payloads import TS, Call, team_of

CALLBACK_ID = "kayran_notify_form"
ANSWER_CALLBACK_ID = "kayran_notify_answer"
TICKS_ACTION_ID = "ticks"
METADATA = 3000
"""Characters of ``private_metadata`` (https://docs.slack.dev/reference/views/modal-views)."""

_ANYTHING = re.compile(r".+", re.DOTALL)
_CONVERSATION = re.compile(r"[CDG][A-Z0-9]{1,20}")
"""A channel, a direct message or a group of them; a user's id is none."""


class UnreadableForm(ValueError):  # noqa: N818 (what it is)
    """What was submitted is not a form of this release; raised by ``parse``."""


@dataclass(frozen=True)
class Basis:
    """What a form carries with it from being built to being submitted.

    Attributes:
        form: its own name; the same form sent twice is recognised by it.
        account: the Kayran account's name in the store.
        channel: the id of the channel it was opened from.
        shown: what it showed as true, before anything was laid over it.
        based_on: the number of the newest change it knew of.
        thread: the ``ts`` of the thread's parent, where it was opened in a thread.
        response_url: takes answers for 30 minutes, where Slack gave one.
        origin: what opened it.
        origin_change: the id of the change whose button opened it.
    """

    form: str
    account: str
    channel: str
    shown: Flags
    based_on: int
    thread: str | None = None
    response_url: str | None = None
    origin: Origin = Origin.FORM
    origin_change: int | None = None


@dataclass(frozen=True)
class Proposal:
    """What a button would do, where things have moved on since.

    Attributes:
        origin: which button.
        change: the change whose button it is.
        wanted: what it would set.
    """

    origin: Origin
    change: Change
    wanted: Preferences


@dataclass(frozen=True)
class Submission:
    """What a person sent.

    Attributes:
        team: the id of the workspace it was sent in, where Slack says.
    """

    user: str
    team: str | None
    basis: Basis
    wanted: Preferences

    @property
    def request_key(self) -> str:
        """The same form with the same ticks is the same request."""
        return f"{self.basis.form}.{self.wanted.as_flags().encode()}"

    @property
    def first_input(self) -> str:
        """The block id of the form's first input, on which an error can hang."""
        return _block_id(Phase.STARTS, self.basis.form)

    @property
    def own_changes(self) -> dict[str, bool]:
        """What the person ticked or unticked, of what the form showed as true."""
        shown = self.basis.shown.ticks()
        return {p: on for p, on in self.wanted if on is not shown[p]}


def loading(external_id: str | None = None) -> View:
    """The form before anything is known.

    Args:
        external_id: a name of our own for it, by which it can be found where Slack's answer with its
            id is lost (https://docs.slack.dev/reference/methods/views.update).
    """
    view = _answer(words.loading_title_line(), words.loading())
    view.external_id = external_id
    return view


def answer(text: str) -> View:
    """The form turned into a plain answer."""
    return _answer(text)


def refusal(reason: Reason, text: str) -> View:
    """The form turned into a no."""
    return _answer(words.refusal_heading(reason), text)


def build(current: CurrentState, account: str, call: Call) -> View:
    """The form, ticked as things stand."""
    return _form(_basis(current, account, call), current, current.flags.ticks(), [])


def build_proposal(current: CurrentState, account: str, call: Call, proposal: Proposal) -> View:
    """The form as things stand, with something else than that proposed."""
    basis = replace(
        _basis(current, account, call),
        origin=proposal.origin,
        origin_change=proposal.change.id,
    )
    top = words.proposal(proposal.origin, proposal.change)
    return _form(basis, current, proposal.wanted, [top])


def build_again(submission: Submission, conflict: Conflict) -> View:
    """The form as things stand now, with the person's own changes laid over it, and who changed what."""
    before, current = submission.basis, conflict.current
    basis = replace(
        before,
        form=uuid.uuid4().hex,
        shown=current.flags,
        based_on=current.recorded.number,
    )
    ticks = current.flags.ticks().with_(submission.own_changes)
    lines = [words.came_back(), *_foreign_changes(before, conflict)]
    return _form(basis, current, ticks, ["\n".join(lines)])


def parse(body: Mapping[str, Any], account: str) -> Submission:
    """What a ``view_submission`` says.

    Args:
        body: Slack's payload.
        account: the Kayran account the bot has the key of.

    Raises:
        UnreadableForm: when anything is missing, is not as ``build`` makes it, or is of another account.
    """
    try:
        view = body["view"]
        basis = _decode(view["private_metadata"])
        submission = Submission(
            user=_text(body["user"]["id"]),
            team=team_of(body),
            basis=basis,
            wanted=_ticked(view["state"]["values"], basis.form),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableForm("not a form of this release") from error
    if basis.account != account:
        raise UnreadableForm("a form of another account")
    return submission


def _basis(current: CurrentState, account: str, call: Call) -> Basis:
    return Basis(
        form=uuid.uuid4().hex,
        account=account,
        channel=call.channel,
        thread=call.thread,
        response_url=call.response_url,
        shown=current.flags,
        based_on=current.recorded.number,
    )


def _form(basis: Basis, current: CurrentState, ticks: Preferences, top: Sequence[str]) -> View:
    blocks: list[Block] = [section(line) for line in top]
    blocks.append(section(words.whose_mailbox(current.report.mailbox)))
    blocks.append(context("\n".join(_sources(current))))
    blocks += [_group(phase, basis, ticks) for phase in Phase]
    blocks.append(context(words.sets_all_nine()))
    return View(
        type="modal",
        callback_id=CALLBACK_ID,
        private_metadata=_encode(basis),
        title=PlainTextObject(text=words.FORM_TITLE),
        submit=PlainTextObject(text=words.SAVE),
        close=PlainTextObject(text=words.CANCEL),
        blocks=blocks,
    )


def _answer(*texts: str) -> View:
    return View(
        type="modal",
        callback_id=ANSWER_CALLBACK_ID,
        title=PlainTextObject(text=words.FORM_TITLE),
        close=PlainTextObject(text=words.CLOSE),
        blocks=[section(text) for text in texts],
    )


def _group(phase: Phase, basis: Basis, ticks: Preferences) -> InputBlock:
    members = [n for n in NOTIFICATIONS if n.phase is phase]
    options = {n.parameter: _option(n, basis.shown[n.parameter]) for n in members}
    ticked = [option for parameter, option in options.items() if ticks[parameter]]
    return InputBlock(
        block_id=_block_id(phase, basis.form),
        label=PlainTextObject(text=words.PHASES[phase]),
        optional=True,
        element=CheckboxesElement(
            action_id=TICKS_ACTION_ID,
            options=list(options.values()),
            initial_options=ticked or None,
        ),
    )


def _option(notification: Notification, known: bool | None) -> Option:
    description = notification.description
    if known is None:
        description = f"{description} ({words.not_known_now()})"
    return Option(
        value=notification.parameter,
        text=PlainTextObject(text=notification.label),
        description=PlainTextObject(text=description),
    )


def _sources(current: CurrentState) -> list[str]:
    """Where the ticks come from, a line for each source."""
    recorded, report = current.recorded, current.report
    if recorded.underway and recorded.newest is not None:
        return [words.underway(recorded.newest)]
    lines = []
    reported = [p for p, value in current.reported if value is not None]
    if report.trouble is not None:
        lines.append(words.kayran_silent(report.trouble))
    elif reported:
        all_nine = len(reported) == len(PARAMETERS)
        lines.append(words.read_just_now(reported, all_nine=all_nine))
    known_here = [
        p for p, value in current.flags if value is not None and current.reported[p] is None
    ]
    if known_here and recorded.newest is not None:
        lines.append(words.last_set_here(known_here, recorded.newest))
    unknown = [p for p, value in current.flags if value is None]
    if unknown:
        lines.append(words.not_known(unknown))
    return lines


def _foreign_changes(before: Basis, conflict: Conflict) -> list[str]:
    """One line for each foreign change, and one for what was changed in Kayran itself."""
    since = [change for change in conflict.since if _is_news(change, before)]
    lines = [words.changed_meanwhile(change) for change in since]
    now = conflict.current.flags
    told: set[str] = set()
    for change in since:
        if change.outcome in (None, Outcome.APPLIED):
            told.update(p for p in change.asks_for() if change.leaves()[p] is now[p])
        else:
            told.update(change.asks_for())
    elsewhere = [
        p
        for p, value in now
        if value is not None and value is not bool(before.shown[p]) and p not in told
    ]
    if elsewhere:
        lines.append(words.changed_elsewhere(before.shown, now, elsewhere))
    return lines


def _is_news(change: Change, before: Basis) -> bool:
    """Whether the person has not seen this yet: a change made after the form, or the one that it showed as
    applied and that ended otherwise.
    """
    shown, wanted = before.shown, change.wanted.as_flags()
    return change.number != before.based_on or all(shown[p] is wanted[p] for p in change.asks_for())


def _block_id(phase: Phase, form: str) -> str:
    return f"{phase.value}.{form}"


def _ticked(values: Mapping[str, Any], form: str) -> Preferences:
    """The nine, from all three groups; a group that is missing is not an unticked one."""
    on: set[str] = set()
    for phase in Phase:
        group = values[_block_id(phase, form)][TICKS_ACTION_ID]
        allowed = {n.parameter for n in NOTIFICATIONS if n.phase is phase}
        chosen = {option["value"] for option in group["selected_options"]}
        if not chosen <= allowed:
            raise UnreadableForm("an option that is not offered")
        on |= chosen
    return Preferences.of(on)


def _encode(basis: Basis) -> str:
    carried = {
        "form": basis.form,
        "account": basis.account,
        "channel": basis.channel,
        "thread": basis.thread,
        "response_url": basis.response_url,
        "shown": basis.shown.encode(),
        "number": basis.based_on,
        "origin": basis.origin.value,
        "origin_change": basis.origin_change,
    }
    metadata = json.dumps({k: v for k, v in carried.items() if v is not None})
    # What Slack would not take is left out: the way round is a direct message then.
    return metadata if len(metadata) <= METADATA else _encode(replace(basis, response_url=None))


def _decode(metadata: str) -> Basis:
    """Read ``private_metadata`` as any payload: what is in it came from outside."""
    if len(metadata) > METADATA:
        raise UnreadableForm("more than Slack takes")
    carried = json.loads(metadata)
    return Basis(
        form=_text(carried["form"]),
        account=_text(carried["account"]),
        channel=_text(carried["channel"], _CONVERSATION),
        thread=_text(carried["thread"], TS) if "thread" in carried else None,
        response_url=_text(carried["response_url"]) if "response_url" in carried else None,
        shown=Flags.decode(_text(carried["shown"])),
        based_on=_number(carried["number"]),
        origin=Origin(carried["origin"]),
        origin_change=_number(carried["origin_change"]) if "origin_change" in carried else None,
    )


def _text(value: object, pattern: re.Pattern[str] = _ANYTHING) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UnreadableForm("a text is not what it should be")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise UnreadableForm("a number expected")
    return value
