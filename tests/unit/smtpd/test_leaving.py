"""What the configuration makes of leaving: nothing it allows keeps mail from going out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance import config
from appliance.queue import entries
from appliance.settings import Config, Queue
from smtpd.leaving import relay_config
from smtpd.runner import RunnerConfig
from tests.fixtures.database import Place

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("lease_s", [900, 3600])
def test_every_lease_that_may_be_configured_can_be_claimed(tmp_path, database: Place, lease_s: int) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text(f"[queue]\nlease_s = {lease_s}\n[relay]\ndata_timeout_s = {lease_s - 120}\n")
    loaded = config.load(file)
    assert entries.claim(NOW, limit=1, lease_s=loaded.queue.lease_s) == []
    assert timedelta(seconds=loaded.queue.lease_s) <= entries.LEASE_MAX


@pytest.mark.parametrize("lease_s", [900, 1800, 3600])
def test_an_attempt_ends_before_its_lease_and_not_before_it_must(lease_s: int) -> None:
    attempt_s = relay_config(replace(Config(), queue=Queue(lease_s=lease_s)), "mx").deadlines.attempt_s
    start_within_s = RunnerConfig().start_within_s
    assert start_within_s + attempt_s < lease_s
    assert attempt_s > lease_s - start_within_s - 60
