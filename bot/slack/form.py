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
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from bot.changes import Change, Origin, Outcome, Overtaken, Place, Standing
from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Notification, Phase, Preferences
from bot.slack import words
from bot.slack.incoming import team_of
from bot.slack.mrkdwn import context, section

CALLBACK_ID = "kayran_notify_form"
ANSWER_CALLBACK_ID = "kayran_notify_answer"
TICKS_ACTION_ID = "ticks"


class UnreadableForm(ValueError):  # noqa: N818 (what it is)
    """What was submitted is not a form of this release; raised by ``parse``."""


@dataclass(frozen=True)
class Basis:
    """What a form carries with it from being built to being submitted.

    Attributes:
        form: its own name; the same form sent twice is recognised by it.
        shown: what it showed as true, before anything was laid over it.
        based_on: the number of the newest change it knew of.
        origin: what opened it.
        origin_change: the id of the change whose button opened it.
    """

    form: str
    place: Place
    shown: Flags
    based_on: int
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
    def key(self) -> str:
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


def build(standing: Standing, place: Place) -> View:
    """The form, ticked as things stand."""
    basis = _basis(standing, place)
    return _form(basis, standing, standing.flags.ticks(), [])


def build_proposal(standing: Standing, place: Place, proposal: Proposal) -> View:
    """The form as things stand, with something else than that proposed."""
    basis = _basis(standing, place, proposal.origin, proposal.change.id)
    top = words.proposal(proposal.origin, proposal.change)
    return _form(basis, standing, proposal.wanted, [top])


def build_again(submission: Submission, overtaken: Overtaken) -> View:
    """The form as things stand now, with the person's own changes laid over it, and who changed what."""
    before, standing = submission.basis, overtaken.standing
    basis = _basis(standing, before.place, before.origin, before.origin_change)
    ticks = standing.flags.ticks().with_(submission.own_changes)
    lines = [words.came_back(), *_foreign_changes(before, overtaken)]
    return _form(basis, standing, ticks, ["\n".join(lines)])


def parse(body: Mapping[str, Any]) -> Submission:
    """What a ``view_submission`` says.

    Raises:
        UnreadableForm: when anything is missing, or is not as ``build`` makes it.
    """
    try:
        view = body["view"]
        basis = _decode(view["private_metadata"])
        return Submission(
            user=_text(body["user"]["id"]),
            team=team_of(body),
            basis=basis,
            wanted=_ticked(view["state"]["values"], basis.form),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableForm("not a form of this release") from error


def _basis(
    standing: Standing,
    place: Place,
    origin: Origin = Origin.FORM,
    origin_change: int | None = None,
) -> Basis:
    return Basis(
        form=uuid.uuid4().hex,
        place=place,
        shown=standing.flags,
        based_on=standing.outlook.number,
        origin=origin,
        origin_change=origin_change,
    )


def _form(basis: Basis, standing: Standing, ticks: Preferences, top: Sequence[str]) -> View:
    blocks: list[Block] = [section(line) for line in top]
    blocks.append(section(words.whose_mailbox(standing.reading.mailbox)))
    blocks.append(context("\n".join(_sources(standing))))
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


def _sources(standing: Standing) -> list[str]:
    """Where the ticks come from, a line for each source."""
    outlook, reading = standing.outlook, standing.reading
    if outlook.underway and outlook.newest is not None:
        return [words.underway(outlook.newest)]
    lines = []
    reported = [p for p, value in standing.reported if value is not None]
    if reading.trouble is not None:
        lines.append(words.kayran_silent(reading.trouble))
    elif reported:
        all_nine = len(reported) == len(PARAMETERS)
        lines.append(words.read_just_now(reported, all_nine=all_nine))
    known_here = [
        p for p, value in standing.flags if value is not None and standing.reported[p] is None
    ]
    if known_here and outlook.newest is not None:
        lines.append(words.last_set_here(known_here, outlook.newest))
    unknown = [p for p, value in standing.flags if value is None]
    if unknown:
        lines.append(words.not_known(unknown))
    return lines


def _foreign_changes(before: Basis, overtaken: Overtaken) -> list[str]:
    """One line for each foreign change, and one for what was changed in Kayran itself."""
    since = [change for change in overtaken.since if _is_news(change, before)]
    lines = [words.changed_meanwhile(change) for change in since]
    now = overtaken.standing.flags
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
        "channel": basis.place.channel,
        "thread": basis.place.thread,
        "reply_url": basis.place.reply_url,
        "shown": basis.shown.encode(),
        "number": basis.based_on,
        "origin": basis.origin.value,
        "origin_change": basis.origin_change,
    }
    return json.dumps({k: v for k, v in carried.items() if v is not None}, separators=(",", ":"))


def _decode(metadata: str) -> Basis:
    carried = json.loads(metadata)
    thread, reply_url = carried.get("thread"), carried.get("reply_url")
    origin_change = carried.get("origin_change")
    return Basis(
        form=_text(carried["form"]),
        place=Place(
            _text(carried["channel"]),
            None if thread is None else _text(thread),
            None if reply_url is None else _text(reply_url),
        ),
        shown=Flags.decode(_text(carried["shown"])),
        based_on=_number(carried["number"]),
        origin=Origin(carried["origin"]),
        origin_change=None if origin_change is None else _number(origin_change),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UnreadableForm("text expected")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnreadableForm("a number expected")
    return value
