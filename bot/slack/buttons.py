"""Undo and Try again, on a result: done at once, or proposed in a form where things have moved on.
And Change, which opens the form for the thread that it stands in.
"""

from dataclasses import dataclass, replace

from slack_sdk.models.views import View

from bot.access import Decision
from bot.change import Change, CurrentState, Origin
from bot.changes import Accepted
from bot.notifications import Flags
from bot.slack import form, receipt, words
from bot.slack.form import Basis, Said
from bot.slack.opening import Opening
from bot.slack.payloads import Call
from bot.slack.services import Services

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

    def change(self, press: Call) -> None:
        """Change, on any result: the form for the thread it is in, and for the change's own account where
        the bot has its key.
        """

        def of_its_account() -> Said:
            change = self._change(press)
            return self.opening.form_for(press, "change", change.account if change else "")

        # Its own button is still there to be pressed again.
        self.opening.show(press, of_its_account, with_button=False)

    def follow_up(self, origin: Origin, press: Call) -> Said | None:
        """Undo, on a change that was applied: set what was known before it. Try again, on one that was not:
        send the same nine once more.
        """
        services = self.services
        decision = services.authorizer.deciding(press.user, press.team)()
        if refusal := services.refusal(press, origin.value, decision):
            return refusal
        change = self._change(press)
        possible = receipt.can_be_undone if origin is Origin.UNDO else receipt.can_be_tried_again
        if change is None or not possible(change):
            return words.OLDER_RELEASE
        if (used := services.store.follow_up(change.id)) is not None:
            return words.already_used(used)
        saved = self._save(press, origin, change, decision)
        if saved is None:
            self._propose(press, origin, change)
        elif saved.again:
            return words.already_used(saved.change)
        else:
            services.carry_on(saved.change, press.response_url)
            if press.ephemeral:
                # An ephemeral message can be changed through its own press alone.
                message = receipt.result([change, saved.change])
                services.replies.post(press.response_url, message, replace=True)
        return None

    def _save(
        self, press: Call, origin: Origin, change: Change, decision: Decision
    ) -> Accepted | None:
        """Record what the button does, unless things have moved on since, or are not known."""
        changes = self.services.accounts[change.account]
        recorded = changes.recorded_state()
        if recorded.number > change.number:
            return None
        current = CurrentState(recorded, changes.read(READ_AT_PRESS_SECONDS))
        wanted = current.flags.with_(_choices(origin, change))
        if wanted.unknown_ones:
            return None
        basis = _basis(press, origin, change, current)
        basis = replace(basis, shown=_shown(origin, change, current))
        request = basis.request(f"{origin.value}.{change.id}", press, decision, wanted)
        request = replace(request, even_if_unchanged=True)
        saved = changes.submit(request, recorded, current.report)
        return saved if isinstance(saved, Accepted) else None

    def _change(self, press: Call) -> Change | None:
        """The change that the button is about, where the bot has its account's key."""
        change = self.services.store.change(press.number)
        return change if change and change.account in self.services.accounts else None

    def _propose(self, press: Call, origin: Origin, change: Change) -> None:
        def proposed() -> View:
            services = self.services
            current = services.accounts[change.account].current_state()
            basis = _basis(press, origin, change, current)
            since = services.store.since(change.account, change.number)
            top = words.proposal(origin, change, [c for c in since if c.id != change.id])
            return form.build(basis, current, services.mailboxes, _choices(origin, change), top)

        # Its own button is still there to be pressed again; another would open another form.
        self.opening.show(press, proposed, with_button=False)


def _basis(press: Call, origin: Origin, change: Change, current: CurrentState) -> Basis:
    return replace(
        Basis.of(current, change.account, press),
        origin=origin,
        origin_change=change.id,
        request_id=change.request_id if origin is Origin.TRY_AGAIN else None,
    )


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
    as_wanted = {p: v for p, v in change.wanted.known.items() if current.flags[p] is v}
    return change.before.with_(as_wanted)
