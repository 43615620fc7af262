"""Kill -9 at random under traffic, again and again; then compare what is there with what was promised.

    python -m tests.e2e.crash_loop --rounds 200 [--seed N]

Victims: a web worker, the web role's master, the SMTP process, the supervisor. A dead supervisor is
replaced by a new one after everything it left behind was killed, as a service manager does.
"""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from appliance.phone import Phone
from appliance.phone.mailbox import INBOX, SENT_ITEMS
from tests.clients.appliance_process import RunningAppliance
from tests.e2e.ledger import Ledger
from tests.e2e.traffic import Traffic, token_of

MIA, BEN = "mia@example.com", "ben@example.com"
PASSWORD = "correct horse battery"
CONFIG = "[web]\nworkers = 2\n[limits]\ndevices_max = 1000\n"
BETWEEN_S = (0.1, 1.2)
FINISH_S = 120.0


@dataclass
class Outcome:
    """What a run showed; `faults` is empty when every promise was kept."""

    rounds: int
    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    doubled: int = 0

    def text(self) -> str:
        killed = ", ".join(f"{count} × {role}" for role, count in sorted(self.kills.items()))
        lines = [
            f"{self.rounds} rounds, killed: {killed}",
            self.ledger.counts(),
            f"{self.doubled} SMTP messages are there more than once, each after a lost 250",
        ]
        lines += [f"FAULT {fault}" for fault in self.faults] or [
            "every acknowledged message and change is there"
        ]
        return "\n".join(lines)


def crash(rounds: int, seed: int, *, report_every: int = 0) -> Outcome:
    """Do it; raises ApplianceFailed when the appliance does not come up again."""
    dice = random.Random(seed)
    outcome = Outcome(rounds)
    with RunningAppliance(config=CONFIG) as appliance:
        appliance.set_up(MIA, PASSWORD)
        appliance.add_user(BEN, PASSWORD)
        mia, ben = (appliance.phone(address, PASSWORD, timeout_s=20) for address in (MIA, BEN))
        for phone in (mia, ben):
            phone.folder_sync()
        traffic = Traffic(appliance, outcome.ledger, mia, ben)
        traffic.start()
        try:
            for number in range(rounds):
                time.sleep(dice.uniform(*BETWEEN_S))
                outcome.kills[kill_one(appliance, dice)] += 1
                if report_every and (number + 1) % report_every == 0:
                    print(f"{number + 1} rounds: {outcome.ledger.counts()}", flush=True)
            appliance.wait_until_served()
        finally:
            traffic.stop(FINISH_S)
        outcome.faults += traffic.surprises + compare(appliance, outcome, ben)
        appliance.keep = bool(outcome.faults)
    return outcome


def kill_one(appliance: RunningAppliance, dice: random.Random) -> str:
    """Kill one process and return its role; the supervisor is started again."""
    processes = appliance.processes()
    roles = [role for role in ("web-worker", "web", "smtpd", "supervisor") if processes[role]]
    role = dice.choice(roles)
    appliance.kill(dice.choice(processes[role]))
    if not appliance.is_running:
        appliance.sweep()
        appliance.start()
    return role


def compare(appliance: RunningAppliance, outcome: Outcome, long_lived: Phone) -> list[str]:
    """Look at everything with fresh devices, and at what the phone that lived through it holds."""
    fresh = appliance.phone(MIA, PASSWORD, device_id="freshmia")
    inbox, _ = tokens(fresh, INBOX)
    sent, _ = tokens(fresh, SENT_ITEMS)
    other = appliance.phone(BEN, PASSWORD, device_id="freshben")
    others_inbox, read = tokens(other, INBOX)
    outcome.doubled = outcome.ledger.copies(inbox)
    faults = outcome.ledger.faults(inbox, others_inbox, sent, read)
    tokens(long_lived, INBOX)
    if held(long_lived) != held(other):
        faults.append("the phone that lived through it holds something else than a fresh one")
    return faults + [f"a contradiction: {line}" for line in long_lived.mailbox.anomalies]


def tokens(phone: Phone, type_: str) -> tuple[list[str], set[str]]:
    """Synchronise a folder; return the tokens in it and those of the messages that are read."""
    phone.folder_sync()
    folder = phone.mailbox.of_type(type_)
    assert folder is not None
    phone.sync(folder.id)
    items = phone.mailbox.collection(folder.id).items.values()
    found = [token for item in items if (token := token_of(item.get("Subject")))]
    return found, {token_of(item.get("Subject")) for item in items if item.get("Read") == "1"}


def held(phone: Phone) -> dict[str, object]:
    """Return what a phone holds of its Inbox: read or not, by ServerId."""
    folder = phone.mailbox.of_type(INBOX)
    assert folder is not None
    return {key: item.get("Read") for key, item in phone.mailbox.collection(folder.id).items.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = random.randrange(2**32) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    outcome = crash(chosen.rounds, seed, report_every=20)
    print(outcome.text())
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
