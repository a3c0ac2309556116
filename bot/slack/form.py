"""The modal: its ids, ``build`` and ``parse`` side by side, because they can only change together.

What is asked of Slack, and why it is built so:

- What is known is a checkbox. What is not known is an input of its own, with On and Off and neither
  chosen, which Slack's own check lets nobody leave out
  (https://docs.slack.dev/reference/block-kit/blocks/input-block).
- Option lists and ``initial_options`` come from one function: they have to be equal to the letter,
  and ``initial_options`` must not be empty
  (https://docs.slack.dev/reference/block-kit/block-elements/checkboxes-element).
- Every form has block ids of its own: with the same ids ``views.update`` keeps what was ticked
  before and ignores the new ticks (https://docs.slack.dev/surfaces/modals).
- Checkboxes are ``optional``: to have none ticked is a legal answer.
- ``private_metadata`` says what the form was based on; it is never authority.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import chain
from typing import Any

from slack_sdk.models import blocks as kit
from slack_sdk.models.blocks.blocks import Block
from slack_sdk.models.views import View

from bot.access import Decision
from bot.change import Change, CurrentState, Origin, Outcome, Request
from bot.changes import Conflict
from bot.notifications import NOTIFICATIONS, PARAMETERS, Flags, Notification, Phase
from bot.slack import words
from bot.slack.mrkdwn import buttons, context, section
from bot.slack.payloads import TS, Call, team_of

CALLBACK_ID = "kayran_notify_form"
ANSWER_CALLBACK_ID = "kayran_notify_answer"
UNCHANGED_CALLBACK_ID = "kayran_notify_unchanged"
TICKS_ACTION_ID = "ticks"
CHOICE_ACTION_ID = "choice"
MAILBOX_ACTION_ID = "mailbox"
ASK_AGAIN_ACTION_ID = "ask_kayran_again"
SEND_ANYWAY_ACTION_ID = "send_anyway"
METADATA = 3000
"""Characters of ``private_metadata`` (https://docs.slack.dev/reference/views/modal-views)."""

_ANYTHING = re.compile(r".+", re.DOTALL)
_CONVERSATION = re.compile(r"[CDG][A-Z0-9]{1,20}")
"""A channel, a direct message or a group of them; of users' ids, only the person's own is one."""


Said = str | View
"""What a person is told: a sentence, or a form with more in it."""


class UnreadableForm(ValueError):
    """What was submitted is not a form of this release, or of this Kayran account; raised by ``parse``."""


@dataclass(frozen=True)
class Basis:
    """What a form carries with it from being built to being submitted.

    Attributes:
        form: its own name; the same form sent twice is recognised by it.
        account: the Kayran account's name in the store.
        channel: the id of the channel it was opened from; the person's own where it was from none.
        shown: what it showed as true, before anything was laid over it.
        based_on: the number of the newest change it knew of.
        thread: the ``ts`` of the thread's parent, where it was opened in a thread.
        response_url: takes answers for 30 minutes, where Slack gave one.
        origin: what opened it.
        origin_change: the id of the change whose button opened it.
        request_id: the id of the request that saving it grants.
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
    request_id: int | None = None

    @classmethod
    def of(cls, current: CurrentState, account: str, call: Call) -> Basis:
        """What a new form is based on."""
        return cls(
            form=uuid.uuid4().hex,
            account=account,
            channel=call.channel,
            thread=call.thread,
            response_url=call.response_url,
            shown=current.flags,
            based_on=current.recorded.number,
        )

    def anew(self, current: CurrentState, account: str) -> Basis:
        """The same place, based on what is true now; and the same purpose, where the account stays."""
        form, number = uuid.uuid4().hex, current.recorded.number
        anew = replace(self, form=form, account=account, shown=current.flags, based_on=number)
        if account == self.account:
            return anew
        return replace(anew, origin=Origin.FORM, origin_change=None)

    def request(self, request_key: str, call: Call, decision: Decision, wanted: Flags) -> Request:
        """What somebody asks for who was let in; see ``Request``."""
        role = decision.role.value if decision.role else ""
        names = {each.name for each in fields(Request)}
        shared = {name: value for name, value in vars(self).items() if name in names}
        who: dict[str, Any] = {"team": call.team or "", "user": call.user, "role": role}
        return Request(request_key=request_key, wanted=wanted, **who, **shared)


@dataclass(frozen=True)
class Submission:
    """What a person sent, or has chosen so far.

    Attributes:
        team: the id of the workspace it was sent in, where Slack says.
        account: the account chosen in the form's select; the form's own where it has none.
        choices: what is ticked or not, of what was known, and what was chosen of the rest.
        unseen: the parameters that the form did not have yet: it was opened by an older release.
    """

    user: str
    team: str | None
    basis: Basis
    account: str
    choices: Mapping[str, bool]
    unseen: Collection[str] = ()

    @property
    def missing(self) -> dict[str, str]:
        """The inputs in which nothing was chosen: parameter by block id."""
        missing = [p for p in PARAMETERS if p not in self.choices]
        return {_block_id(p, self.basis.form): p for p in missing}

    @property
    def wanted(self) -> Flags:
        """All nine; a ``ValueError`` where some are missing."""
        return Flags.of(self.choices).settled()

    @property
    def request_key(self) -> str:
        """The same form with the same ticks is the same request."""
        return f"{self.basis.form}.{Flags.of(self.choices).encode()}"

    @property
    def first_input(self) -> str:
        """The block id of the form's first input, on which an error can hang."""
        known = (phase.value for phase in Phase if _known(phase, self.basis))
        return _block_id(next(chain(known, self.basis.shown.unknown_ones)), self.basis.form)

    @property
    def own_changes(self) -> dict[str, bool]:
        """What the person changed of what the form showed, or chose where it showed nothing."""
        return {p: on for p, on in self.choices.items() if on is not self.basis.shown[p]}


def loading(external_id: str | None = None) -> View:
    """The form before anything is known.

    Args:
        external_id: a name of our own for it, by which it can be found where Slack's answer with its
            id is lost (https://docs.slack.dev/reference/methods/views.update).
    """
    view = answer(words.LOADING)
    view.external_id = external_id
    return view


def answer(text: str) -> View:
    """The form turned into a plain answer."""
    title, close, blocks = words.FORM_TITLE, words.CLOSE, [section(text)]
    callback_id = ANSWER_CALLBACK_ID
    return View(type="modal", callback_id=callback_id, title=title, close=close, blocks=blocks)


def shown(said: Said) -> View:
    """What is said, as a form."""
    return answer(said) if isinstance(said, str) else said


def unchanged(basis: Basis) -> View:
    """The form turned into the answer that there is nothing to change, and a way to send it all the same."""
    view = answer(words.NOTHING_TO_CHANGE)
    view.callback_id = UNCHANGED_CALLBACK_ID
    view.private_metadata = encode(basis)
    view.blocks.append(buttons(basis.form, (words.SEND_ANYWAY, SEND_ANYWAY_ACTION_ID)))
    return view


def build(
    basis: Basis,
    current: CurrentState,
    mailboxes: Mapping[str, str],
    choices: Mapping[str, bool] | None = None,
    top: Iterable[str] = (),
) -> View:
    """The form.

    Args:
        basis: what it is based on; what it shows is known, the rest has to be chosen.
        current: what is true now, and where that comes from.
        mailboxes: names by account, where there is more than one to choose from.
        choices: what is chosen already, laid over what is true.
        top: lines above everything else.
    """
    chosen = basis.shown.with_(choices or {})
    silent = current.report.trouble is not None
    blocks: list[Block] = [section("\n".join(top))] if top else []
    if mailboxes and basis.request_id is None:
        select = mailbox_select(basis.account, mailboxes)
        block_id = _block_id(MAILBOX_ACTION_ID, basis.form)
        blocks.append(kit.ActionsBlock(block_id=block_id, elements=[select]))
    blocks.append(section(words.whose_mailbox(current.report.mailbox)))
    blocks.append(context(words.sources(current)))
    if silent:
        blocks.append(buttons(basis.form, (words.ASK_AGAIN, ASK_AGAIN_ACTION_ID)))
    blocks += [_checkboxes(phase, basis, chosen) for phase in Phase if _known(phase, basis)]
    if unknown := basis.shown.unknown_ones:
        blocks.append(section(words.choose(unknown, silent=silent)))
        blocks += [
            _radio_buttons(n, basis, chosen) for n in NOTIFICATIONS if n.parameter in unknown
        ]
    blocks.append(context(words.what_saving_does(basis.channel, in_thread=bool(basis.thread))))
    return modal(CALLBACK_ID, encode(basis), words.FORM_TITLE, words.SAVE, blocks)


def modal(callback_id: str, metadata: str, title: str, submit: str, blocks: list[Block]) -> View:
    """A modal that can be submitted."""
    return View(
        type="modal",
        callback_id=callback_id,
        private_metadata=metadata,
        title=title,
        submit=submit,
        close=words.CANCEL,
        blocks=blocks,
    )


def build_again(submission: Submission, conflict: Conflict, mailboxes: Mapping[str, str]) -> View:
    """The form as things stand now, with the person's own changes laid over it, and who changed what."""
    before, current = submission.basis, conflict.current
    lines = [words.CAME_BACK, *_foreign_changes(submission, conflict)]
    basis = before.anew(current, before.account)
    return build(basis, current, mailboxes, submission.own_changes, lines)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Whatever can't be read in here is ``UnreadableForm``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableForm("not a form of this release") from error


@reading()
def parse(body: Mapping[str, Any], accounts: Collection[str]) -> Submission:
    """What a ``view_submission`` says, or a button inside the form.

    Args:
        body: Slack's payload.
        accounts: the Kayran accounts the bot has a key of.

    Raises:
        UnreadableForm: when anything is missing, is not as ``build`` makes it, or is of another account.
    """
    view = body["view"]
    user = _text(body["user"]["id"])
    basis = decode(view["private_metadata"], user)
    values = view.get("state", {}).get("values", {})
    unknown = basis.shown.unknown_ones
    submission = Submission(
        user=user,
        team=team_of(body),
        basis=basis,
        account=_chosen_account(values, basis),
        choices=(
            basis.shown.settled().known
            if view["callback_id"] == UNCHANGED_CALLBACK_ID
            else _chosen(values, basis)
        ),
        unseen=[p for p in unknown if _block_id(p, basis.form) not in values],
    )
    if not {basis.account, submission.account} <= set(accounts):
        raise UnreadableForm("a form of another account")
    return submission


def _chosen_account(values: Mapping[str, Any], basis: Basis) -> str:
    select = values.get(_block_id(MAILBOX_ACTION_ID, basis.form), {}).get(MAILBOX_ACTION_ID)
    return basis.account if select is None else str(select["selected_option"]["value"])


def mailbox_select(account: str, mailboxes: Mapping[str, str]) -> kit.StaticSelectElement:
    """A choice between accounts, by their mailboxes' names."""
    named = {key: kit.Option(value=key, text=name) for key, name in mailboxes.items()}
    select = kit.StaticSelectElement(action_id=MAILBOX_ACTION_ID, initial_option=named[account])
    select.options = list(named.values())
    return select


def _checkboxes(phase: Phase, basis: Basis, chosen: Flags) -> kit.InputBlock:
    options = [
        kit.Option(
            value=n.parameter, text=kit.MarkdownTextObject(text=words.option(n), verbatim=True)
        )
        for n in _known(phase, basis)
    ]
    ticked = [option for option in options if chosen[str(option.value)]]
    return kit.InputBlock(
        block_id=_block_id(phase.value, basis.form),
        label=words.PHASES[phase],
        optional=True,
        element=kit.CheckboxesElement(
            action_id=TICKS_ACTION_ID,
            options=options,
            initial_options=ticked or None,
        ),
    )


def _radio_buttons(notification: Notification, basis: Basis, chosen: Flags) -> kit.InputBlock:
    options = {
        on: kit.Option(value=value, text=words.ON_OFF[on])
        for value, on in _choices(notification.parameter).items()
    }
    is_on = chosen[notification.parameter]
    return kit.InputBlock(
        block_id=_block_id(notification.parameter, basis.form),
        label=words.choice_label(notification),
        element=kit.RadioButtonsElement(
            action_id=CHOICE_ACTION_ID,
            options=list(options.values()),
            initial_option=None if is_on is None else options[is_on],
        ),
    )


def _choices(parameter: str) -> dict[str, bool]:
    """What the values of a notification's radio buttons mean."""
    return {f"{parameter}=on": True, f"{parameter}=off": False}


def _foreign_changes(submission: Submission, conflict: Conflict) -> list[str]:
    """One line for each foreign change, and one for what was changed in Kayran itself, or is there
    otherwise than was chosen without being shown.
    """
    before = submission.basis
    since = [change for change in conflict.since if _is_news(change, before)]
    lines = [words.changed_meanwhile(change) for change in since]
    now = conflict.current.flags
    told = {
        p
        for change in since
        for p in change.asks_for()
        if change.outcome not in (None, Outcome.APPLIED) or change.leaves()[p] is now[p]
    }
    news = now.contradicting(before.shown.over(Flags.of(submission.choices)))
    if elsewhere := {p: on for p, on in now.known.items() if p in news and p not in told}:
        lines.append(words.changed_in_kayran(elsewhere))
    return lines


def _is_news(change: Change, before: Basis) -> bool:
    """Whether the person has not seen this yet: a change made after the form, or the one that it showed as
    applied and that ended otherwise.
    """
    seen = all(before.shown[p] is on for p, on in change.choices().items())
    return change.number != before.based_on or seen


def _known(phase: Phase, basis: Basis) -> Sequence[Notification]:
    return [n for n in NOTIFICATIONS if n.phase is phase and basis.shown[n.parameter] is not None]


def _block_id(name: str, form: str) -> str:
    return f"{name}.{form}"


def _chosen(values: Mapping[str, Any], basis: Basis) -> dict[str, bool]:
    """What is chosen in the form's inputs; a group that is missing is not an unticked one."""
    chosen: dict[str, bool] = {}
    for phase in Phase:
        offered = [n.parameter for n in _known(phase, basis)]
        if not offered:
            continue
        group = values[_block_id(phase.value, basis.form)][TICKS_ACTION_ID]
        ticked = {option["value"] for option in group["selected_options"]}
        if not ticked <= set(offered):
            raise UnreadableForm("an option that is not offered")
        chosen |= {p: p in ticked for p in offered}
    for parameter in basis.shown.unknown_ones:
        block = values.get(_block_id(parameter, basis.form))
        if block is not None and (option := block[CHOICE_ACTION_ID]["selected_option"]) is not None:
            chosen[parameter] = _choices(parameter)[option["value"]]
    return chosen


def encode(basis: Basis) -> str:
    """What ``private_metadata`` holds."""
    carried = {**vars(basis), "shown": basis.shown.encode(), "origin": basis.origin.value}
    metadata = json.dumps({k: v for k, v in carried.items() if v is not None})
    # What Slack would not take is left out: the way round is a direct message then.
    return metadata if len(metadata) <= METADATA else encode(replace(basis, response_url=None))


def decode(metadata: str, user: str) -> Basis:
    """Read ``private_metadata`` as any payload: what is in it came from outside."""
    if len(metadata) > METADATA:
        raise UnreadableForm("more than Slack takes")
    carried = {name: _CARRIED[name](value) for name, value in json.loads(metadata).items()}
    if carried["channel"] != user:
        conversation(carried["channel"])
    return Basis(**carried)


def conversation(value: object) -> str:
    """A conversation's id; ``UnreadableForm`` where it is none."""
    return _text(value, _CONVERSATION)


def _text(value: object, pattern: re.Pattern[str] = _ANYTHING) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UnreadableForm("a text is not what it should be")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise UnreadableForm("a number expected")
    return value


_CARRIED: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("form", "account", "channel", "response_url"), _text),
    **dict.fromkeys(("based_on", "origin_change", "request_id"), _number),
    "thread": partial(_text, pattern=TS),
    "shown": Flags.decode,
    "origin": Origin,
}
"""How each field of a ``Basis`` is read."""
