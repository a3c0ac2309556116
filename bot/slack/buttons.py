"""Undo and Try again, on a result: done at once, or proposed in a form where things have moved on.
And Change, which opens the form for the thread that it stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.changes import Accepted, Change, CurrentState, Origin, Request
from bot.notifications import Flags
from bot.slack import form, payloads, receipt, words
from bot.slack.form import Basis
from bot.slack.opening import Opening
from bot.slack.payloads import Press
from bot.slack.services import Body, Services, explained

READ_AT_PRESS_SECONDS = 0.8
"""How long Kayran has to say what is set where a trigger may still be needed afterwards."""


@dataclass(frozen=True)
class Buttons:
    """The listeners of a result's buttons.

    Attributes:
        opening: opens the form that proposes what the button would do.
    """

    services: Services
    opening: Opening

    def undo(self, ack: Ack, body: Body) -> None:
        """Undo, on a change that was applied."""
        press = payloads.press(body)
        self.services.background.submit(self.undo_change, press)
        ack()

    def try_again(self, ack: Ack, body: Body) -> None:
        """Try again, on a change that was not."""
        press = payloads.press(body)
        self.services.background.submit(self.try_change_again, press)
        ack()

    def change(self, ack: Ack, body: Body) -> None:
        """Change, on any result."""
        press = payloads.press(body)
        self.services.background.submit(self.change_anew, press)
        ack()

    @explained
    def undo_change(self, press: Press) -> None:
        """Set what was known before the change."""
        self._do(press, Origin.UNDO)

    @explained
    def try_change_again(self, press: Press) -> None:
        """Send the same nine once more."""
        self._do(press, Origin.TRY_AGAIN)

    @explained
    def change_anew(self, press: Press) -> None:
        """Open the form for the thread it is in, and the change's own account where the bot has its key."""

        def of_its_account() -> View:
            change = self._change(press)
            return self.opening.form_for(press, "change", change.account if change else "")

        # Its own button is still there to be pressed again.
        self.opening.show(press, of_its_account, with_button=False)

    def _do(self, press: Press, origin: Origin) -> None:
        services, replies = self.services, self.services.replies
        decision = services.authorizer.deciding(press.user, press.team)()
        if not decision.allowed:
            replies.say(press, services.deny(press, decision, origin.value))
            return
        change = self._change(press)
        if change is None or not _possible(origin, change):
            replies.say(press, words.older_release())
            return
        request_key = f"{origin.value}.{change.id}"
        changes = services.accounts[change.account]
        recorded = changes.recorded_state(request_key)
        used = services.store.follow_up(change.id) or recorded.same_request
        if used is not None:
            replies.say(press, words.already_used(used))
            return
        if recorded.number > change.number:
            self._propose(press, origin, change)
            return
        current = CurrentState(recorded, changes.read(READ_AT_PRESS_SECONDS))
        wanted = current.flags.with_(_choices(origin, change))
        if wanted.unknown_ones:
            self._propose(press, origin, change)
            return
        request = Request(
            request_key=request_key,
            team=press.team or "",
            user=press.user,
            role=decision.role.value if decision.role else "",
            channel=press.channel,
            thread=press.thread,
            wanted=wanted.settled(),
            shown=_shown(origin, change, current),
            based_on=recorded.number,
            origin=origin,
            origin_change=change.id,
            request_id=change.request_id if origin is Origin.TRY_AGAIN else None,
            even_if_unchanged=True,
            mailbox=changes.mailbox,
        )
        saved = changes.submit(request, recorded, current.report)
        if not isinstance(saved, Accepted):
            self._propose(press, origin, change)
        elif saved.again:
            replies.say(press, words.already_used(saved.change))
        else:
            services.carry_on(saved.change, press.response_url)
            if press.ephemeral:
                # An ephemeral message can be changed through its own press alone.
                message = receipt.result([change, saved.change], post_error=change.post_error)
                replies.post(press.response_url, message, replace=True)

    def _change(self, press: Press) -> Change | None:
        """The change that the button is about, where the bot has its account's key."""
        change = None if press.number is None else self.services.store.change(press.number)
        return change if change and change.account in self.services.accounts else None

    def _propose(self, press: Press, origin: Origin, change: Change) -> None:
        def proposed() -> View:
            services = self.services
            current = services.accounts[change.account].current_state()
            basis = replace(
                Basis.of(current, change.account, press), origin=origin, origin_change=change.id
            )
            since = services.store.since(change.account, change.number)
            top = words.proposal(origin, change, [c for c in since if c.id != change.id])
            return form.build(basis, current, services.mailboxes, _choices(origin, change), top)

        # Its own button is still there to be pressed again; another would open another form.
        self.opening.show(press, proposed, with_button=False)


def _possible(origin: Origin, change: Change) -> bool:
    """Whether the change still can be what the button says."""
    if origin is Origin.UNDO:
        return receipt.can_be_undone(change)
    return receipt.can_be_tried_again(change)


def _choices(origin: Origin, change: Change) -> dict[str, bool]:
    """What the button is about, and no more: what others have set since stays as it is."""
    return change.undo_choices() if origin is Origin.UNDO else change.choices()


def _shown(origin: Origin, change: Change, current: CurrentState) -> Flags:
    """What the message with the button led its reader to take for true.

    After a change that was applied: what it left. After one that was not: what was before; but
    where it is by now as the change wanted it, nothing is overwritten by trying again.
    """
    if origin is Origin.UNDO:
        return change.leaves()
    wanted = change.wanted.as_flags()
    return Flags.of(
        {p: wanted[p] if now is wanted[p] else change.before[p] for p, now in current.flags}
    )
