"""Whatever happens in whatever order, Kayran, the record and the threads tell the same story.

Hypothesis makes the orders up: forms opened and saved by two people, edits in Kayran itself, Kayran
failing, the bot killed at any moment and started again, Undo and Try again.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from bot.app import Timing
from bot.kayran import Limits
from bot.notifications import PARAMETERS, Flags
from bot.sandbox.cast import ADMIN, SECOND_ADMIN
from bot.sandbox.kayran import PROFILE, UPDATE
from bot.sandbox.messages import Message
from bot.sandbox.modals import Modal
from bot.slack.form import CALLBACK_ID, SEND_ANYWAY_ACTION_ID, UNCHANGED_CALLBACK_ID
from bot.slack.receipt import CHANGE_ACTION_ID
from bot.store import Database
from bot.store.tables import metadata
from tests.odd_answers import ODD, busy, slow
from tests.stage import outside
from tests.standins import buttons
from tests.stories.child import Child

BRISK = Timing(
    kayran=Limits(connect=0.5, answer=1.0, total=1.5, pauses=(0.02, 0.04)),
    recovery=0.1,
)
LONGER_THAN_A_LEASE = 41.0
REPORTED = ("mailQueue", "mailSchedule", "mailStatus", "mailStop", "mailAborted", "mailDelete")
SLOW = 0.25

people = st.sampled_from([ADMIN, SECOND_ADMIN])
answers = st.sampled_from(
    ["ok", "ok", "slow", "refuse", "drop", "drop before", "500", "503", "silent"]
)
moments = st.sampled_from([None, None, None, None, None, 0.0, 0.01, 0.03, 0.1, 0.3])
"""How many seconds after the ack the bot is killed; mostly not at all."""
changed = st.sets(st.sampled_from(PARAMETERS), max_size=3)


class AnyOrder(RuleBasedStateMachine):
    """One bot, two people, and what else can happen.

    Any rule can follow any other, and makes the most of what it finds: how far the bot has come in
    the meantime is not for Hypothesis to know, which takes the same way more than once.

    Attributes:
        environ: the bot's settings.
        log: where the bot writes its log.
        happened: how often what happened, over all orders.
        expected: what Kayran has to hold, as far as everything that has ended goes.
        accounted_for: how many changes that takes into account.
        started_again: whether the bot was killed, so that something may have been told twice.
    """

    environ: Mapping[str, str]
    log: Path
    happened: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = contextlib.ExitStack()
        self.stage = self.world.enter_context(outside(self.environ))
        with self.stage.database() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
        self.expected = dict.fromkeys(PARAMETERS, False)
        self.accounted_for = 0
        self.started_again = False
        self.bot: Child | None = None

    @property
    def forms(self) -> list[Modal]:
        """The forms that can be saved."""
        open_now = [self.stage.slack.modal(person) for person in (ADMIN, SECOND_ADMIN)]
        return [one for one in open_now if one and one.view["callback_id"] == CALLBACK_ID]

    @property
    def buttons(self) -> list[tuple[Message, str]]:
        """The buttons there are to press, and the messages they are under."""
        return [(m, action) for m in self.stage.results() if (action := button(m))]

    # What happens

    @rule(person=people)
    def open_form(self, person: str) -> None:
        """Run the command."""
        self.start()
        if self.stage.slack.modal(person) is not None:
            self.stage.slack.close(person)
        self.stage.open_form(person)

    @rule(person=people, changed=changed, answer=answers, killed_after=moments)
    def open_form_and_save(
        self, person: str, changed: set[str], answer: str, killed_after: float | None
    ) -> None:
        """Do both at once."""
        self.open_form(person)
        form = self.stage.slack.modal(person)
        assert form is not None
        self.save_form(form, changed, answer, killed_after)

    @rule(which=st.integers(0, 99), changed=changed, answer=answers, killed_after=moments)
    def save(self, which: int, changed: set[str], answer: str, killed_after: float | None) -> None:
        """Change something in a form that is open, and save it: in vain, where the bot is dead."""
        if self.forms:
            self.save_form(self.forms[which % len(self.forms)], changed, answer, killed_after)

    def save_form(
        self, form: Modal, changed: set[str], answer: str, killed_after: float | None
    ) -> None:
        """Save it, and see that nothing is overwritten unseen; perhaps the bot dies soon after."""
        person = form.user
        ticked = self.stage.ticked(person)
        self.stage.choose(person, **{p: p not in ticked for p in changed})
        shown = Flags.decode(json.loads(form.view["private_metadata"])["shown"])
        wanted = self.stage.ticked(person)
        seen = shown.over(Flags.of({p: p in wanted for p in PARAMETERS}))
        truth, rows = self.truth(), len(self.stage.rows())
        self.prepare(answer)
        delivery = self.stage.slack.submit(person)
        left = self.stage.slack.modal(person)
        if delivery.error is not None:
            self.happened["saved in vain"] += 1
        elif left is None:
            self.happened["accepted"] += 1
            *_, row = self.stage.rows()
            assert row["number"] == rows + 1
            assert not Flags.decode(row["before"]).contradicting(shown), "nobody saw it so"
            if truth is not None and answer != "silent":
                assert not truth.contradicting(seen), "overwritten unseen"
            self.perhaps_die(killed_after)
        elif left.view["callback_id"] == UNCHANGED_CALLBACK_ID:
            self.happened["nothing to change"] += 1
            assert len(self.stage.rows()) == rows
            self.bring_about(
                person, lambda: self.stage.slack.press_in_modal(person, SEND_ANYWAY_ACTION_ID)
            )
            self.perhaps_die(killed_after)
        else:
            self.happened["came back"] += 1

    @rule(person=people, which=st.integers(0, 99), answer=answers, killed_after=moments)
    def press(self, person: str, which: int, answer: str, killed_after: float | None) -> None:
        """Press Undo or Try again, wherever one is to be seen."""
        self.start()
        if not self.buttons:
            self.settle()
        buttons = self.buttons
        if buttons:
            self.press_button(person, *buttons[which % len(buttons)], answer)
            self.perhaps_die(killed_after)

    def press_button(self, person: str, message: Message, action: str, answer: str) -> None:
        """Press it, and see that it brings something about."""
        self.happened[action] += 1
        self.prepare(answer)
        # Somebody's press before this one may just have taken it away.
        with contextlib.suppress(LookupError):
            self.bring_about(person, lambda: self.stage.press(message, action, person))

    def bring_about(self, person: str, do: Callable[[], object]) -> None:
        """Do something, and see that it brings something about."""

        def seen() -> tuple[object, ...]:
            modal = self.stage.slack.modal(person)
            return (
                len(self.stage.rows()),
                modal and modal.hash,
                len(self.stage.private_words(person)),
            )

        before = seen()
        do()
        self.stage.eventually(lambda: before != seen(), "what was done to bring about something")

    @rule(parameter=st.sampled_from(REPORTED), on=st.booleans())
    def edit_in_kayran(self, parameter: str, on: bool) -> None:
        """Somebody sets a flag in Kayran's own pages, while nothing is on its way there."""
        if self.bot is not None or self.underway():
            self.settle()
        self.take_into_account()
        self.stage.kayran.set_flag(parameter, on)
        self.expected[parameter] = on

    @rule(answer=answers)
    def start_with_trouble(self, answer: str) -> None:
        """Start the bot where it is dead, and have Kayran make trouble for what was left open."""
        if self.bot is None:
            self.prepare(answer)
            self.start()

    def start(self) -> None:
        """Start the bot where it is dead, when what it had leased has run out."""
        if self.bot is not None:
            return
        # Kayran is done with a call long before a lease runs out.
        self.stage.eventually(
            lambda: all(call.ended for call in self.stage.kayran.calls), "Kayran to be done"
        )
        self.stage.let_time_pass(LONGER_THAN_A_LEASE)
        self.bot = Child(self.stage.environ, BRISK, self.log)
        self.stage.slack.events_url = f"{self.bot.url}/slack/events"

    @rule()
    def settle(self) -> None:
        """Nothing happens for a while; all that was begun comes to its end."""
        self.start()
        self.stage.have_all_told(20)
        self.take_into_account()

    def teardown(self) -> None:
        """In the end everything comes to its end, and is one story."""
        try:
            self.settle()
            self.check_record()
            self.check_calls()
            self.check_threads()
            self.check_parents()
            self.happened.update(row["outcome"] for row in self.stage.rows())
            self.happened["orders"] += 1
        finally:
            if self.bot is not None:
                self.bot.kill()
            self.world.close()

    # What is true

    def underway(self) -> bool:
        """Whether something has not ended yet."""
        return any(row["outcome"] is None for row in self.stage.rows())

    def truth(self) -> Flags | None:
        """What whoever saves now has to have seen; ``None`` where it may change at any moment."""
        if self.underway():
            return None
        now = Flags.of({p: self.stage.kayran.flags[p] for p in REPORTED})
        counting = [row for row in self.stage.rows() if row["outcome"] in {"applied", "unsure"}]
        if counting and counting[-1]["outcome"] == "applied":
            return now.over(Flags.decode(counting[-1]["wanted"]))
        return now

    def prepare(self, answer: str) -> None:
        """Have Kayran answer the next change so; or not say what is set, once, just before it."""
        self.stage.kayran.clear()
        if answer == "silent":
            self.stage.kayran.next("refuse", 1, PROFILE)
        elif answer != "ok":
            times = 3 if answer == "drop before" else 1
            odd = {**ODD, "slow": slow(SLOW), "503": busy(503, 0)}
            self.stage.kayran.next(odd.get(answer, answer), times, UPDATE)

    def perhaps_die(self, killed_after: float | None) -> None:
        """Kill the bot after so many seconds, or let it be."""
        if killed_after is None or self.bot is None:
            return
        time.sleep(killed_after)
        self.happened["killed"] += 1
        self.bot.kill()
        self.bot = None
        self.started_again = True
        self.stage.kayran.clear()

    def take_into_account(self) -> None:
        """Everything has ended: if what is on record of it is true, this is what Kayran holds."""
        rows, holds = self.stage.rows(), self.stage.kayran.flags
        for row in rows[self.accounted_for :]:
            wanted = {p: value is True for p, value in Flags.decode(row["wanted"])}
            if row["outcome"] == "applied" or (row["outcome"] == "unsure" and holds == wanted):
                self.expected = wanted
        self.accounted_for = len(rows)
        assert holds == self.expected

    def check_record(self) -> None:
        """Numbers without a gap, and nothing given up."""
        rows = self.stage.rows()
        assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
        for row in rows:
            assert row["given_up_at"] is None
            assert (row["superseded_by"] is not None) == (row["outcome"] == "superseded")
            assert (row["tries"] == 0) == (row["outcome"] == "superseded")

    def check_calls(self) -> None:
        """What Kayran was sent and did until each change was closed is what the record says of it."""
        calls = self.stage.kayran.calls_of(UPDATE)
        sent = [row for row in self.stage.rows() if row["tries"]]
        closed = [row["closed_at"] for row in sent]
        assert closed == sorted(closed)
        for row, earlier in zip(sent, [0.0, *closed], strict=False):
            own = [call for call in calls if earlier < call.at <= row["closed_at"]]
            for call in own:
                wanted = "".join(str(int(call.parameters[p] == "on")) for p in PARAMETERS)
                assert wanted == row["wanted"], row
            if row["outcome"] != "unsure":
                applied = any(call.result.startswith("applied") for call in own)
                assert applied is (row["outcome"] == "applied"), row
        assert all(call.at <= closed[-1] for call in calls)

    def check_threads(self) -> None:
        """Each change has its thread, which says how it ended, and no button that was used."""
        rows = self.stage.rows()
        used = {row["origin_change"] for row in rows if row["origin_change"] is not None}
        replies = {m.ts: m for m in self.stage.results()}
        for row in rows:
            reply = replies[row["reply_ts"]]
            assert reply.thread_ts == row["parent_ts"], row
            assert f"Change {row['number']} by <@{row['user_id']}>." in reply.text
            assert re.search(SAID[row["outcome"]], reply.text), (row, reply.text)
            assert not (row["id"] in used and button(reply)), (row, reply.text)
        if not self.started_again:
            assert len(replies) == len(rows)
            own_thread = {row["parent_ts"] for row in rows if row["thread_ts"] is None}
            assert {m.ts for m in self.stage.parents()} == own_thread

    def check_parents(self) -> None:
        """Each message in the channel says who did what, and how that stands after all that its own
        buttons brought about: an undo, the undo of that, another try.
        """
        rows = self.stage.rows()
        made_by = {row["origin_change"]: row for row in rows if row["origin_change"] is not None}
        texts = {m.ts: m.text for m in self.stage.parents()}
        for row in rows:
            if row["thread_ts"] is None:
                first, status = texts[row["parent_ts"]].splitlines()
                done = "turned|set|sent" if row["outcome"] == "applied" else "wanted to"
                assert re.match(f"<@{row['user_id']}> ({done}) ", first), first
                assert re.match(stands(row, made_by), status), (row, status)


def stands(row: Any, made_by: Mapping[int, Any]) -> str:
    """What the channel has to say of a change, as a pattern, told from what happened first to last.

    Every change that a button made wants the first one to be in effect, or not to be: an undo the
    opposite of what it undoes, another try the same. A try that came to nothing does not make an earlier
    one certain.
    """
    told = latest_try = one = row
    wants, is_in_effect, undone_by = True, False, []
    while one is not None:
        if one["outcome"] == "applied":
            is_in_effect = wants
            undone_by += [] if wants else [str(one["number"])]
        one = made_by.get(one["id"])
        if one is not None and one["origin"] == "undo":
            wants = not wants
        elif one is not None and latest_try["id"] == one["origin_change"]:
            latest_try = one
            certain = told["outcome"] != "unsure" or one["outcome"] == "unsure"
            told = one if certain else told
    if is_in_effect:
        return "✅ Applied|⚠️ Turned all nine off"
    if undone_by:
        return rf"↩️ Undone by <@\w+> \(change ({'|'.join(undone_by)})\)"
    again = r".* Tried again by" if told is not row else ""
    return SAID[told["outcome"]] + again


SAID = {
    "applied": "checked in Kayran|Kayran took it|sent again as they were",
    "refused": "❌ Kayran refused",
    "failed": "❌ Not sent",
    "unsure": "⚠️ Not certain",
    "superseded": "⏭️ Superseded by",
}


def button(message: Message) -> str | None:
    """Undo or Try again under a result, where one of them is there."""
    return next((each for each in buttons(message) if each != CHANGE_ACTION_ID), None)


@pytest.mark.timeout(1800)
def test_any_order(
    environ: dict[str, str], database_url: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """However it goes, in the end all three tell the same."""
    store = Database(database_url)
    store.prepare()
    store.close()

    class Here(AnyOrder):
        """The machine, on this test's database."""

    Here.environ = {**environ, "DATABASE_URL": database_url}
    Here.log = tmp_path / "log"
    Here.happened = Counter()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # Hypothesis leaves it open
        Here,
        settings=settings(
            max_examples=int(pytestconfig.getoption("--orders")),
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

    print(dict(Here.happened))  # noqa: T201 (read with -s)
